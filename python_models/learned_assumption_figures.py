def model(dbt, session):
    from icp_refinery.learn import assumption_figures

    pursuits, sales = dbt.ref("int_pursuits"), dbt.ref("int_pursuits__sales")
    return assumption_figures(session, pursuits, sales, dbt.ref("int_accounts__assumptions"), dbt.ref("int_assumptions"))
