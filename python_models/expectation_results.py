def model(dbt, session):
    from pathlib import Path

    from icp_refinery.expectations import evaluate

    relations = {
        "int_as_of": dbt.ref("int_as_of"),
        "input_accounts": dbt.ref("input_accounts"),
        "input_account_attributes": dbt.ref("input_account_attributes"),
        "input_contacts": dbt.ref("input_contacts"),
        "input_opportunities": dbt.ref("input_opportunities"),
        "input_opportunities__checked": dbt.ref("input_opportunities__checked"),
        "input_opportunity_stages": dbt.ref("input_opportunity_stages"),
        "input_orders": dbt.ref("input_orders"),
        "input_orders__checked": dbt.ref("input_orders__checked"),
        "input_order_lines": dbt.ref("input_order_lines"),
        "input_products": dbt.ref("input_products"),
        "input_engagements": dbt.ref("input_engagements"),
        "input_engagements__checked": dbt.ref("input_engagements__checked"),
        "input_campaigns": dbt.ref("input_campaigns"),
        "input_campaign_members": dbt.ref("input_campaign_members"),
        "input_campaign_spend": dbt.ref("input_campaign_spend"),
        "input_exchange_rates": dbt.ref("input_exchange_rates"),
        "input_rejects": dbt.ref("input_rejects"),
        "int_accounts": dbt.ref("int_accounts"),
        "int_accounts__segments": dbt.ref("int_accounts__segments"),
        "int_accounts__monthly_activity": dbt.ref("int_accounts__monthly_activity"),
        "int_opportunities": dbt.ref("int_opportunities"),
        "int_orders__priced": dbt.ref("int_orders__priced"),
    }
    [(project, target, published)] = session.execute(
        "select getvariable('project_folder'), getvariable('target_folder'), getvariable('published_folder')"
    ).fetchall()
    return evaluate(
        session,
        relations,
        published=Path(published, "current"),
        docs=Path(project, target, "quality").absolute(),
    )
