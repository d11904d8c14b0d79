def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import adopted_definition, moments_and_signals, sampled_traits, tried, with_sizes

    it = tried(
        session,
        pursuits=dbt.ref("int_pursuits"),
        sales=dbt.ref("int_pursuits__sales"),
        spend=dbt.ref("int_accounts__campaign_spend"),
        orders=dbt.ref("int_orders__priced"),
    )
    both = sampled_traits(session, it.accounts, dbt.ref("int_accounts__traits"))
    # Not from `learned_segments_in_force`: what takes longest need not wait for what is learned today.
    definition = (
        dbt.ref("checked_adoptions"),
        dbt.ref("stg_people__adopted_segments"),
        dbt.ref("stg_people__adopted_segment_rules"),
    )
    as_of = dbt.ref("int_as_of").select("cast(as_of as timestamp) as as_of").df()["as_of"].iloc[0]
    moments, signals = dbt.ref("int_accounts__engagement_moments"), dbt.ref("int_accounts__engagement_signals")
    return learned(
        "tables:learned_backtest",
        it.pursuits,
        both,
        with_sizes("numbers", both),
        it.sales,
        it.spend,
        as_of,
        adopted_definition(session, *definition),
        moments_and_signals(session, moments, signals, quarters=True),
    )
