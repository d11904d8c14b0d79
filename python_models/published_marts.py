def model(dbt, session):
    from functools import partial
    from pathlib import Path

    from icp_refinery.apart import apart
    from icp_refinery.publish import NotPublished, nothing_published, publish

    marts = {
        "cohort_retention": dbt.ref("cohort_retention"),
        "dim_accounts": dbt.ref("dim_accounts"),
        "dim_dates": dbt.ref("dim_dates"),
        "dim_products": dbt.ref("dim_products"),
        "fct_contracts": dbt.ref("fct_contracts"),
        "fct_customers": dbt.ref("fct_customers"),
        "fct_mrr_movements": dbt.ref("fct_mrr_movements"),
        "fct_opportunities": dbt.ref("fct_opportunities"),
        "fct_order_lines": dbt.ref("fct_order_lines"),
        "fct_orders": dbt.ref("fct_orders"),
        "fct_stage_entries": dbt.ref("fct_stage_entries"),
        "icp_adoptions": dbt.ref("icp_adoptions"),
        "icp_agreement": dbt.ref("icp_agreement"),
        "icp_alignment": dbt.ref("icp_alignment"),
        "icp_assumptions": dbt.ref("icp_assumptions"),
        "icp_attribute_effects": dbt.ref("icp_attribute_effects"),
        "icp_backtest": dbt.ref("icp_backtest"),
        "icp_challenger_segments": dbt.ref("icp_challenger_segments"),
        "icp_cycle_review": dbt.ref("icp_cycle_review"),
        "icp_disagreements": dbt.ref("icp_disagreements"),
        "icp_emerging_attributes": dbt.ref("icp_emerging_attributes"),
        "icp_funnel": dbt.ref("icp_funnel"),
        "icp_missing_inputs": dbt.ref("icp_missing_inputs"),
        "icp_product_mix": dbt.ref("icp_product_mix"),
        "icp_score_calibration": dbt.ref("icp_score_calibration"),
        "icp_scorecard": dbt.ref("icp_scorecard"),
        "icp_seasonality": dbt.ref("icp_seasonality"),
        "icp_segment_profiles": dbt.ref("icp_segment_profiles"),
        "icp_segment_rules": dbt.ref("icp_segment_rules"),
        "icp_segments": dbt.ref("icp_segments"),
        "icp_spend": dbt.ref("icp_spend"),
        "icp_spend_saving": dbt.ref("icp_spend_saving"),
        "icp_value_cluster_choice": dbt.ref("icp_value_cluster_choice"),
        "icp_value_clusters": dbt.ref("icp_value_clusters"),
        "quality_expectations": dbt.ref("quality_expectations"),
        "quality_inferences": dbt.ref("quality_inferences"),
        "quality_joined_records": dbt.ref("quality_joined_records"),
        "quality_rejects": dbt.ref("quality_rejects"),
        "retention_by_tier": dbt.ref("retention_by_tier"),
        "sync_hubspot_companies": dbt.ref("sync_hubspot_companies"),
        "sync_hubspot_contacts": dbt.ref("sync_hubspot_contacts"),
    }
    # No mart comes from these, but tests look at them: where one fails, nothing is published.
    dbt.ref("input_account_external_ids"), dbt.ref("input_rejects")

    settings = dbt.config.get("meta")
    [(folder, schema, published_schema, left_out_tests)] = session.execute(
        "select getvariable('published_folder'), getvariable('marts_schema'), getvariable('published_schema'),"
        " getvariable('left_out_tests')"
    ).fetchall()
    if left_out_tests and not settings["publish_untested"]:
        return nothing_published()
    [(as_of,)] = dbt.ref("int_as_of").select("as_of").fetchall()
    places = {"sample": "seeds/sample", "files": settings["files_dir"]}
    files = nothing_published()
    # On Spark, marts beyond one disk become tables of its catalog.
    on_spark = hasattr(session, "tables_to_publish")
    tables = session.tables_to_publish(marts, published_schema, settings["publish_tables_beyond"]) if on_spark else None
    if tables:
        from icp_refinery.report import render
    else:
        render = partial(apart, "icp_refinery.report:render")
    try:
        files = publish(
            session,
            marts,
            Path(folder),
            as_of=as_of,
            reporting_currency=settings["reporting_currency"],
            reporting_cycle=settings["reporting_cycle"],
            connectors=settings["connectors"],
            sources=[places.get(connector, connector) for connector in settings["connectors"]],
            over=settings["publish_over"],
            kept=settings["states_kept"],
            schema=schema,
            tables=tables,
            report=partial(render, stop_share=settings["stop_share"], hubspot_record_url=settings["hubspot_record_url"] or None),
        )
    except NotPublished as problem:
        # The post-hook says it: dbt would print the whole call stack around it.
        session.execute("set variable not_published = ?", [str(problem)])
    return files
