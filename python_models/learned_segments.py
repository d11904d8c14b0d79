def model(dbt, session):
    from icp_refinery.learn import learned_segments

    return learned_segments(session, dbt.ref("int_pursuits"), dbt.ref("int_accounts__traits"), dbt.ref("int_pursuits__sales"))
