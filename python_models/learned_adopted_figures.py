def model(dbt, session):
    from icp_refinery.learn import adopted_figures

    placed = dbt.ref("int_accounts__segments_by_version")
    return adopted_figures(session, dbt.ref("int_pursuits"), placed, dbt.ref("int_icp_versions__segments"))
