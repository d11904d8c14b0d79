def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import adopted_definition, last_revised, pursuits_and_sales, sampled_traits

    today = dbt.ref("learned_segments").order("segment_id").df()
    segments, rules = dbt.ref("stg_people__adopted_segments"), dbt.ref("stg_people__adopted_segment_rules")
    adopted = adopted_definition(session, dbt.ref("checked_adoptions"), segments, rules)
    pursuits = dbt.ref("int_pursuits")
    given = today, adopted, *pursuits_and_sales(session, pursuits, dbt.ref("int_pursuits__sales"))
    traits = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits"))
    revised = last_revised(session, dbt.ref("learned_cycle_review"))
    return learned("tables:learned_segments_in_force", *given, traits, revised)
