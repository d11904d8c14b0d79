def model(dbt, session):
    from icp_refinery.learning.engagement import learn_engagement
    from icp_refinery.learning.scorecard import described
    from icp_refinery.warehouse import moments_and_signals, typed

    moments, signals = dbt.ref("int_accounts__engagement_moments"), dbt.ref("int_accounts__engagement_signals")
    return typed(described(learn_engagement(*moments_and_signals(session, moments, signals))))
