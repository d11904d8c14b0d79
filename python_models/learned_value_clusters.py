def model(dbt, session):
    from icp_refinery.learned import learned
    from icp_refinery.warehouse import sampled

    return learned("tables:learned_value_clusters", sampled(dbt.ref("int_customers__sampled")))
