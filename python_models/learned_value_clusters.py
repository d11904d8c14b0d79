def model(dbt, session):
    from icp_refinery.apart import apart
    from icp_refinery.learning.clusters import as_table, value_clusters
    from icp_refinery.warehouse import sampled

    return as_table(apart(value_clusters, sampled(dbt.ref("int_customers__sampled"))))
