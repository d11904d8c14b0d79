def model(dbt, session):
    from icp_refinery.learning.conditions import assign
    from icp_refinery.learning.effects.leaks import suspected
    from icp_refinery.learning.review.attributes import emerged_attributes
    from icp_refinery.learning.segments import from_table
    from icp_refinery.warehouse import closed_by_cycle, cycle_dates, sampled_traits, typed

    pursuits, traits = dbt.ref("int_pursuits__by_cycle"), dbt.ref("int_accounts__traits")
    segments, rules, _ = from_table(dbt.ref("learned_segments_in_force").df())
    own = assign(sampled_traits(session, pursuits, traits, sizes="both"), rules, segments["segment_id"])
    closed = closed_by_cycle(session, pursuits).assign(segment_id=lambda frame: frame["account_id"].map(own))
    leaks = suspected(dbt.ref("learned_leaks").df())
    banded = sampled_traits(session, pursuits, traits, sizes="bands").drop(columns=leaks, errors="ignore")
    return typed(emerged_attributes(closed, cycle_dates(dbt.ref("int_cycles")), banded))
