def model(dbt, session):
    from icp_refinery.learning.effects.attributes import attribute_effects
    from icp_refinery.warehouse import outcomes_and_behaviours, sampled_traits, typed

    pursuits = dbt.ref("int_pursuits__outcomes")
    outcomes, behaviours = outcomes_and_behaviours(pursuits)
    traits = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits"), sizes="bands")
    return typed(attribute_effects(outcomes, traits, behaviours, leaks=dbt.ref("learned_leaks").df()))
