def model(dbt, session):
    from icp_refinery.learn import segments_in_force

    placed, versions = dbt.ref("int_accounts__segments_by_version"), dbt.ref("int_icp_versions__segments")
    conditions, learned = dbt.ref("int_segment_conditions"), dbt.ref("learned_segments")
    return segments_in_force(session, dbt.ref("int_pursuits"), placed, versions, conditions, learned)
