def model(dbt, session):
    from icp_refinery.learning.measure import measured_in_force
    from icp_refinery.warehouse import adopted_definition, developed_pursuits, last_revised, sampled_traits

    segments, rules = dbt.ref("stg_people__adopted_segments"), dbt.ref("stg_people__adopted_segment_rules")
    adopted = adopted_definition(session, dbt.ref("checked_adoptions"), segments, rules)
    pursuits = dbt.ref("int_pursuits")
    frame, _ = developed_pursuits(session, pursuits, dbt.ref("int_pursuits__sales"))
    traits = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits"), sizes="both")
    revised = last_revised(session, dbt.ref("learned_cycle_review"))
    return measured_in_force(dbt.ref("learned_segments").order("segment_id").df(), adopted, frame, traits, revised)
