def model(dbt, session):
    from icp_refinery.learn import learned_score_calibration

    return learned_score_calibration(
        session, dbt.ref("int_pursuits"), dbt.ref("int_accounts__traits"), dbt.ref("int_pursuits__sales")
    )
