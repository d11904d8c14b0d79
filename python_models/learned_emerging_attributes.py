def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import closed_by_cycle, cycle_dates, definition_in_force, sampled_traits, typed, with_sizes

    adopted = dbt.ref("checked_adoptions"), dbt.ref("stg_people__adopted_segments"), dbt.ref("stg_people__adopted_segment_rules")
    definition = definition_in_force(session, dbt.ref("learned_segments"), *adopted)
    pursuits, cycles = dbt.ref("int_pursuits__by_cycle"), cycle_dates(dbt.ref("int_cycles"))
    both = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits"))
    given = (definition, closed_by_cycle(session, pursuits), cycles, both, with_sizes("bands", both))
    return typed(learned("tables:learned_emerging_attributes", *given, dbt.ref("learned_leaks").df()))
