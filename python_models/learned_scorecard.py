def model(dbt, session):
    from icp_refinery.learn import learned_scorecard

    pursuits, sales = dbt.ref("int_pursuits"), dbt.ref("int_pursuits__sales")
    return learned_scorecard(session, pursuits, sales, dbt.ref("int_accounts__traits"), dbt.ref("learned_segments_in_force"))
