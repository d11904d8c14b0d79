def model(dbt, session):
    from icp_refinery.learn import learned_emerging_attributes

    pursuits, cycles = dbt.ref("int_pursuits__by_cycle"), dbt.ref("int_cycles")
    return learned_emerging_attributes(session, pursuits, cycles, dbt.ref("int_accounts__traits"))
