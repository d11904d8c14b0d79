def model(dbt, session):
    from icp_refinery.learning.recency import begun_since
    from icp_refinery.learning.scorecard import described, learn_scorecard
    from icp_refinery.learning.segments import from_table
    from icp_refinery.warehouse import developed_pursuits, sampled_traits, typed

    in_force = from_table(dbt.ref("learned_segments_in_force").order("segment_id").df())
    pursuits = dbt.ref("int_pursuits")
    frame, _ = developed_pursuits(session, pursuits, dbt.ref("int_pursuits__sales"))
    traits, leaks = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits")), dbt.ref("learned_leaks").df()
    learned = dbt.ref("learned_segments").df()
    recent = begun_since(frame, learned["learned_since"].max())
    card = learn_scorecard(recent, traits, in_force, leaks=leaks)
    return typed(described(card, in_force.segments.set_index("segment_id")["segment_name"]))
