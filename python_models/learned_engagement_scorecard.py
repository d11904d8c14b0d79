def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import moments_and_signals, typed

    moments, signals = dbt.ref("int_accounts__engagement_moments"), dbt.ref("int_accounts__engagement_signals")
    given = moments_and_signals(session, moments, signals)
    return typed(learned("tables:learned_engagement_scorecard", *given))
