def model(dbt, session):
    from icp_refinery.learning.conditions import assign
    from icp_refinery.learning.seasonality import monthly_orders, seasonality
    from icp_refinery.learning.segments import from_table
    from icp_refinery.warehouse import sampled, sampled_traits

    orders, calendar = dbt.ref("int_seasonality__orders"), dbt.ref("int_seasonality__calendar")
    segments, rules, _ = from_table(dbt.ref("learned_segments_in_force").df())
    accounts = orders.aggregate("account_id, bool_or(is_sampled) as is_sampled")
    own = assign(sampled_traits(session, accounts, dbt.ref("int_accounts__traits"), sizes="both"), rules, segments["segment_id"])
    frame = sampled(orders).assign(segment=lambda frame: frame["account_id"].map(own))
    return seasonality(monthly_orders(frame, calendar.df()["month"]))
