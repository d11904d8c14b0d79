def model(dbt, session):
    from icp_refinery.apart import apart
    from icp_refinery.learning.recency import recent_pursuits
    from icp_refinery.learning.segments import as_table, learn_segments
    from icp_refinery.warehouse import developed_pursuits, sampled_traits

    pursuits = dbt.ref("int_pursuits")
    frame, notes = developed_pursuits(session, pursuits, dbt.ref("int_pursuits__sales"))
    traits, leaks = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits")), dbt.ref("learned_leaks").df()
    recent = apart(recent_pursuits, frame, traits, leaks=leaks)
    return as_table(apart(learn_segments, recent.pursuits, traits, leaks=leaks), notes + recent.notes, recent.since)
