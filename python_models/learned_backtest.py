def model(dbt, session):
    from icp_refinery.apart import apart
    from icp_refinery.learning.backtest import adopted_values, backtest
    from icp_refinery.warehouse import adopted_definition, moments_and_signals, sampled_traits, tried

    it = tried(
        session,
        pursuits=dbt.ref("int_pursuits"),
        sales=dbt.ref("int_pursuits__sales"),
        spend=dbt.ref("int_accounts__campaign_spend"),
        orders=dbt.ref("int_orders__priced"),
    )
    traits = dbt.ref("int_accounts__traits")
    both = sampled_traits(session, it.accounts, traits, sizes="both")
    # Not from `learned_segments_in_force`: what takes longest need not wait for what is learned today.
    definition = (
        dbt.ref("checked_adoptions"),
        dbt.ref("stg_people__adopted_segments"),
        dbt.ref("stg_people__adopted_segment_rules"),
    )
    adopted = adopted_values(adopted_definition(session, *definition), both)
    as_of = dbt.ref("int_as_of").select("cast(as_of as timestamp) as as_of").df()["as_of"].iloc[0]
    given = (it.pursuits, sampled_traits(session, it.accounts, traits), it.sales, it.spend)
    moments, signals = dbt.ref("int_accounts__engagement_moments"), dbt.ref("int_accounts__engagement_signals")
    engaged = moments_and_signals(session, moments, signals, quarters=True)
    return apart(backtest, *given, as_of=as_of, adopted=adopted, engaged=engaged)
