def model(dbt, session):
    from icp_refinery.learning.engagement import described_signals, learn_engagement
    from icp_refinery.warehouse import moments_and_signals, typed

    moments, signals = dbt.ref("int_accounts__engagement_moments"), dbt.ref("int_accounts__engagement_signals")
    return typed(described_signals(learn_engagement(*moments_and_signals(session, moments, signals))))
