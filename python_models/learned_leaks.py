def model(dbt, session):
    from icp_refinery.learning.effects.leaks import leak_verdicts, shared
    from icp_refinery.warehouse import BANDED, pursuits_so_far, sampled_traits, typed

    pursuits = dbt.ref("int_pursuits")
    traits = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits"), sizes="both")
    return typed(shared(leak_verdicts(pursuits_so_far(session, pursuits), traits), BANDED))
