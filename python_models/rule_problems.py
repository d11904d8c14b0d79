def model(dbt, session):
    import pandas as pd

    from icp_refinery.adopt import rule_problems
    from icp_refinery.warehouse import texts_of

    seeds = {
        "adoption": dbt.ref("stg_people__adoption"),
        "adopted_segments": dbt.ref("stg_people__adopted_segments"),
        "adopted_segment_rules": dbt.ref("stg_people__adopted_segment_rules"),
        "assumptions": dbt.ref("stg_people__assumptions"),
    }
    traits = dict(dbt.ref("int_trait_names").select("attribute, is_numeric").fetchall())
    is_demo = dbt.ref("int_connectors").fetchall() == [("sample",)]
    tables, columns = {name: texts_of(seed) for name, seed in seeds.items()}, {name: seed.columns for name, seed in seeds.items()}
    found = rule_problems(tables, columns, traits, is_demo)
    frame = pd.DataFrame(found, columns=["source", "sentence", "adoption_number"], dtype="str")
    return frame.assign(place=range(len(frame))).astype({"place": "int64"})
