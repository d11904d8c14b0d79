def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import sampled, sampled_traits

    orders, months = dbt.ref("int_seasonality__orders"), dbt.ref("int_seasonality__calendar").df()["month"]
    accounts = orders.aggregate("account_id, bool_or(is_sampled) as is_sampled")
    traits = sampled_traits(session, accounts, dbt.ref("int_accounts__traits"))
    definition = dbt.ref("learned_segments_in_force").df()
    return learned("tables:learned_seasonality", definition, sampled(orders), traits, months)
