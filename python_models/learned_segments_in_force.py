def model(dbt, session):
    from icp_refinery.learn import segments_in_force

    placed, versions = dbt.ref("int_accounts__segments_by_version"), dbt.ref("int_icp_versions__segments")
    conditions, learned = dbt.ref("int_segment_conditions"), dbt.ref("learned_segments")
    pursuits, sales = dbt.ref("int_pursuits"), dbt.ref("int_pursuits__sales")
    return segments_in_force(session, pursuits, sales, placed, versions, conditions, learned)
