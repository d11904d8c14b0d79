def model(dbt, session):
    import pandas as pd

    from icp_refinery.adopt import rule_problems
    from icp_refinery.warehouse import texts_of

    seeds = {
        "adoption": dbt.ref("adoption"),
        "adopted_segments": dbt.ref("adopted_segments"),
        "adopted_segment_rules": dbt.ref("adopted_segment_rules"),
        "assumptions": dbt.ref("assumptions"),
    }
    traits = dict(dbt.ref("int_trait_names").select("attribute, is_numeric").fetchall())
    found = rule_problems(
        {name: texts_of(seed) for name, seed in seeds.items()}, {name: seed.columns for name, seed in seeds.items()}, traits
    )
    frame = pd.DataFrame(found, columns=["source", "sentence"], dtype="str")
    return frame.assign(place=range(len(frame))).astype({"place": "int64"})
