def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import pursuits_and_sales, sampled_traits, typed, with_sizes

    definition, today = dbt.ref("learned_segments_in_force").order("segment_id").df(), dbt.ref("learned_segments").df()
    pursuits = dbt.ref("int_pursuits")
    given = (definition, today["learned_since"].max(), *pursuits_and_sales(session, pursuits, dbt.ref("int_pursuits__sales")))
    traits = with_sizes("numbers", sampled_traits(session, pursuits, dbt.ref("int_accounts__traits")))
    return typed(learned("tables:learned_scorecard", *given, traits, dbt.ref("learned_leaks").df()))
