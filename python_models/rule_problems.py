def model(dbt, session):
    from icp_refinery.learn import rule_problems

    seeds = {
        "adoption": dbt.ref("adoption"),
        "adopted_segments": dbt.ref("adopted_segments"),
        "adopted_segment_rules": dbt.ref("adopted_segment_rules"),
        "assumptions": dbt.ref("assumptions"),
    }
    return rule_problems(seeds, dbt.ref("int_trait_names"))
