def model(dbt, session):
    from icp_refinery.learning.conditions import assign
    from icp_refinery.learning.review.cycles import review_cycles
    from icp_refinery.learning.segments import from_table
    from icp_refinery.warehouse import closed_by_cycle, cycle_dates, definition_in_force, sampled_traits, typed

    pursuits, traits = dbt.ref("int_pursuits__by_cycle"), dbt.ref("int_accounts__traits")
    adopted = dbt.ref("checked_adoptions"), dbt.ref("stg_people__adopted_segments"), dbt.ref("stg_people__adopted_segment_rules")
    segments, rules, _ = from_table(definition_in_force(session, dbt.ref("learned_segments"), *adopted))
    own = assign(sampled_traits(session, pursuits, traits, sizes="both"), rules, segments["segment_id"])
    reviewed = review_cycles(
        closed_by_cycle(session, pursuits).assign(segment_id=lambda frame: frame["account_id"].map(own)),
        cycle_dates(dbt.ref("int_cycles")),
        segments.set_index("segment_id")["tier"],
        sampled_traits(session, pursuits, traits, sizes="bands"),
        dbt.ref("learned_emerging_attributes").df(),
        segments["learned_as_of"].max() if segments["learned_as_of"].notna().any() else None,
    )
    return typed(reviewed)
