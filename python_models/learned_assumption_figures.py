def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import pursuits_and_sales, sampled_traits

    pursuits = dbt.ref("int_pursuits")
    given = pursuits_and_sales(session, pursuits, dbt.ref("int_pursuits__sales"))
    traits = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits"))
    profiles = dbt.ref("checked_assumptions").order("profile, attribute, operator, value nulls last").df()
    return learned("tables:learned_assumption_figures", *given, traits, profiles)
