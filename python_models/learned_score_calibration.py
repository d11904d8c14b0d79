def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import pursuits_so_far, sales_of_sampled, sampled_traits, typed, with_sizes

    pursuits = dbt.ref("int_pursuits")
    traits = with_sizes("numbers", sampled_traits(session, pursuits, dbt.ref("int_accounts__traits")))
    given = pursuits_so_far(session, pursuits), traits, sales_of_sampled(session, pursuits, dbt.ref("int_pursuits__sales"))
    return typed(learned("calibration:score_calibration", *given))
