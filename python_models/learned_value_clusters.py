def model(dbt, session):
    from icp_refinery.learn import learned_value_clusters

    return learned_value_clusters(session, dbt.ref("int_customers__sampled"))
