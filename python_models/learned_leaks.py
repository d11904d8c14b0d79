def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import BANDED, pursuits_so_far, sampled_traits, typed

    pursuits = dbt.ref("int_pursuits")
    traits = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits"))
    return typed(learned("tables:learned_leaks", pursuits_so_far(session, pursuits), traits, BANDED))
