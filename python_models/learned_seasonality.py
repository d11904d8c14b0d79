def model(dbt, session):
    from icp_refinery.learning.seasonality import seasonality

    return seasonality(dbt.ref("int_seasonality__months").select("dimension, value, month, order_count").df())
