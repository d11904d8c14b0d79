def model(dbt, session):
    from icp_refinery.apart import apart
    from icp_refinery.learning.calibration import score_calibration
    from icp_refinery.warehouse import pursuits_so_far, sales_of_sampled, sampled_traits, typed

    pursuits = dbt.ref("int_pursuits")
    sales = sales_of_sampled(session, pursuits, dbt.ref("int_pursuits__sales"))
    traits = sampled_traits(session, pursuits, dbt.ref("int_accounts__traits"))
    return typed(apart(score_calibration, pursuits_so_far(session, pursuits), traits, sales))
