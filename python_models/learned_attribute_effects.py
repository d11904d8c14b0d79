def model(dbt, session):
    from icp_refinery.learn import learned_attribute_effects

    return learned_attribute_effects(session, dbt.ref("int_pursuits__outcomes"), dbt.ref("int_accounts__traits"))
