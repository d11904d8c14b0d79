def model(dbt, session):
    from icp_refinery.learn import learned_backtest

    return learned_backtest(
        session,
        pursuits=dbt.ref("int_pursuits"),
        traits=dbt.ref("int_accounts__traits"),
        sales=dbt.ref("int_pursuits__sales"),
        spend=dbt.ref("int_accounts__campaign_spend"),
        orders=dbt.ref("int_orders"),
        as_of=dbt.ref("int_as_of"),
        placed=dbt.ref("int_accounts__segments_by_version"),
        versions=dbt.ref("int_icp_versions"),
        segments=dbt.ref("int_icp_versions__segments"),
    )
