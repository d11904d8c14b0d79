def model(dbt, session):
    from icp_refinery.learn import learned_cycle_review

    return learned_cycle_review(
        session,
        pursuits=dbt.ref("int_pursuits__segments"),
        cycles=dbt.ref("int_cycles"),
        versions=dbt.ref("int_icp_versions"),
        segments=dbt.ref("int_icp_versions__segments"),
        traits=dbt.ref("int_accounts__traits"),
        attributes=dbt.ref("learned_emerging_attributes"),
    )
