def model(dbt, session):
    from icp_refinery.learning.measure import measure_profiles
    from icp_refinery.warehouse import developed_pursuits, sampled_traits

    pursuits = dbt.ref("int_pursuits")
    frame, _ = developed_pursuits(session, pursuits, dbt.ref("int_pursuits__sales"))
    traits = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits"), sizes="both")
    profiles = dbt.ref("checked_assumptions").order("profile, attribute, operator, value nulls last").df()
    return measure_profiles(frame, traits, profiles)
