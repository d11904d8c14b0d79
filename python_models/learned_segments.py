def model(dbt, session):
    from icp_refinery.apart import apart
    from icp_refinery.learning.recency import learn_recent_segments
    from icp_refinery.learning.segments import as_table
    from icp_refinery.warehouse import developed_pursuits, sampled_traits

    pursuits = dbt.ref("int_pursuits")
    frame, notes = developed_pursuits(session, pursuits, dbt.ref("int_pursuits__sales"))
    traits, leaks = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits")), dbt.ref("learned_leaks").df()
    recent, learned = apart(learn_recent_segments, frame, traits, leaks)
    return as_table(learned, notes + recent.notes, recent.since)
