def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import pursuits_and_sales, sampled_traits, with_sizes

    pursuits = dbt.ref("int_pursuits")
    given = pursuits_and_sales(session, pursuits, dbt.ref("int_pursuits__sales"))
    traits = with_sizes("numbers", sampled_traits(session, pursuits, dbt.ref("int_accounts__traits")))
    return learned("tables:learned_segments", *given, traits, dbt.ref("learned_leaks").df())
