def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import outcomes_and_behaviours, sampled_traits, typed, with_sizes

    pursuits = dbt.ref("int_pursuits__outcomes")
    outcomes, behaviours = outcomes_and_behaviours(pursuits)
    bands = with_sizes("bands", sampled_traits(session, pursuits, dbt.ref("int_accounts__traits")))
    given = (outcomes, bands, behaviours)
    return typed(learned("effects.attributes:attribute_effects", *given, leaks=dbt.ref("learned_leaks").df()))
