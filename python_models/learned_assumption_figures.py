def model(dbt, session):
    from icp_refinery.learn import assumption_figures

    members = dbt.ref("int_accounts__assumptions")
    return assumption_figures(session, dbt.ref("int_pursuits"), members, dbt.ref("int_assumptions"))
