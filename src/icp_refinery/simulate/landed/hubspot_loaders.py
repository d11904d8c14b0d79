"""HubSpot's records in the tables of Fivetran, Airbyte or dlt."""

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

from icp_refinery.simulate.landed.tables import Row, Rows, Table

LOADED = dt.datetime(2026, 7, 1, 3, 0)
# object -> property -> its kind in HubSpot
PROPERTIES = {
    "company": {
        "name": "text",
        "domain": "text",
        "industry": "text",
        "numberofemployees": "number",
        "annualrevenue": "number",
        "country": "text",
        "hs_parent_company_id": "number",
        "hs_merged_object_ids": "text",
        "createdate": "datetime",
        "funding_stage": "text",
    },
    "contact": {
        "associatedcompanyid": "number",
        "email": "text",
        "jobtitle": "text",
        "hs_analytics_source": "text",
        "createdate": "datetime",
        "hs_v2_date_entered_lead": "datetime",
        "hs_v2_date_entered_marketingqualifiedlead": "datetime",
        "hs_v2_date_entered_salesqualifiedlead": "datetime",
        "hs_lifecyclestage_lead_date": "datetime",
        "hs_lifecyclestage_marketingqualifiedlead_date": "datetime",
        "hs_lifecyclestage_salesqualifiedlead_date": "datetime",
    },
    "deal": {
        "dealname": "text",
        "dealtype": "text",
        "amount": "number",
        "amount_in_home_currency": "number",
        "deal_currency_code": "text",
        "hs_exchange_rate": "number",
        "hs_analytics_source": "text",
        "hs_primary_associated_company": "number",
        "hs_merged_object_ids": "text",
        "createdate": "datetime",
        "closedate": "datetime",
        "contract_start": "date",
        "contract_term_months": "number",
    },
    "line_item": {
        "quantity": "number",
        "amount": "number",
        "hs_cost_of_goods_sold": "number",
        "recurringbillingfrequency": "text",
        "hs_recurring_billing_period": "text",
        "hs_term_in_months": "number",
        "hs_recurring_billing_start_date": "date",
    },
    "product": {"name": "text", "hs_product_type": "text"},
    "meeting": {"hs_meeting_title": "text", "hs_timestamp": "datetime"},
    "email": {"hs_email_subject": "text", "hs_timestamp": "datetime"},
    "call": {"hs_call_title": "text", "hs_timestamp": "datetime"},
}
TYPES = {
    "fivetran": {"text": "VARCHAR", "number": "DOUBLE", "datetime": "TIMESTAMPTZ", "date": "DATE"},
    "airbyte": {"text": "VARCHAR", "number": "DECIMAL(38,9)", "datetime": "TIMESTAMP", "date": "DATE"},
    "dlt": {"text": "VARCHAR", "number": "DOUBLE", "datetime": "TIMESTAMPTZ", "date": "VARCHAR"},
}
ENGAGEMENTS = ("meeting", "email", "call")


def tables_of(portal: Rows, loader: str, mess: bool) -> list[Table]:
    """The loader's tables of the portal's records; with mess in the loader's own ways too."""
    tables = {"fivetran": _fivetran, "airbyte": _airbyte, "dlt": _dlt}[loader](portal, mess)
    return list(tables)


def _properties(name: str, rows: list[Row], loader: str, prefix: str, own: dict[str, str], values: Any) -> Table:
    """A table of an object: the loader's own columns, then the properties."""
    kinds = PROPERTIES[name]
    columns = own | {prefix + column: TYPES[loader][kind] for column, kind in kinds.items()}
    return Table(name, columns, [values(row) | {prefix + column: row.get(column) for column in kinds} for row in rows])


def _companies(row: Row) -> list[tuple[str, int, str]]:
    return row.get("associations") or [(company, 5, "HUBSPOT_DEFINED") for company in row["companies"]]


def _fivetran(portal: Rows, mess: bool) -> Iterable[Table]:
    synced = {"_fivetran_synced": "TIMESTAMPTZ"}
    for name in PROPERTIES:
        key = {"deal": "deal_id", "meeting": "engagement_id", "email": "engagement_id", "call": "engagement_id"}.get(name, "id")
        own = {key: "BIGINT"} | synced | {"_fivetran_deleted": "BOOLEAN"}
        own |= {"is_deleted": "BOOLEAN"} if name in ("company", "contact", "deal") else {}
        own |= {"deal_pipeline_id": "VARCHAR", "deal_pipeline_stage_id": "VARCHAR"} if name == "deal" else {}
        own |= {"product_id": "BIGINT"} if name == "line_item" else {}

        def values(row: Row, key: str = key, has_flag: bool = "is_deleted" in own) -> Row:
            return {
                key: row["id"],
                "deal_pipeline_id": row.get("pipeline"),
                "deal_pipeline_stage_id": row.get("dealstage"),
                "product_id": row.get("hs_product_id"),
                "_fivetran_synced": row["loaded_at"],
                # either flag may be the one that is set
                "is_deleted": row.get("is_deleted"),
                "_fivetran_deleted": None if has_flag else row.get("is_deleted", False),
            }

        table = _properties(name, portal[name], "fivetran", "property_", own, values)
        table.name = f"engagement_{name}" if name in ENGAGEMENTS else name
        if mess and name == "contact":
            table.columns = {column: kind for column, kind in table.columns.items() if "_v2_" not in column}
        if mess and name == "deal":
            table.columns = {column.upper(): kind for column, kind in table.columns.items()}
            table.rows = [{column.upper(): value for column, value in row.items()} for row in table.rows]
        yield table
    link = "BIGINT"
    associations = [(row["id"], *each) for row in portal["deal"] for each in _companies(row)]
    names = ("deal_id", "company_id", "type_id", "category")
    yield Table("deal_company", dict(zip(names, (link, link, link, "VARCHAR"), strict=True)) | synced, _rows(names, associations))
    for name, objects, other, field in (
        ("line_item_deal", ("deal",), "line_item_id", "line_items"),
        ("engagement_company", ENGAGEMENTS, "company_id", "companies"),
        ("engagement_contact", ENGAGEMENTS, "contact_id", "contacts"),
    ):
        own = "deal_id" if name == "line_item_deal" else "engagement_id"
        linked = [(row["id"], each) for kind in objects for row in portal[kind] for each in row[field]]
        yield Table(name, {own: link, other: link} | synced, _rows((own, other), linked))
    yield Table("merged_deal", {"deal_id": link, "merged_deal_id": link} | synced, portal["merged_deal"])
    rows = [{"pipeline_id": row["id"], "label": row["label"], "_fivetran_synced": LOADED} for row in portal["pipeline"]]
    yield Table("deal_pipeline", {"pipeline_id": "VARCHAR", "label": "VARCHAR"} | synced, rows)
    closed = "closed_won" if mess else "is_closed"
    columns = {"stage_id": "VARCHAR", "pipeline_id": "VARCHAR", "label": "VARCHAR", "display_order": "INTEGER"}
    columns |= {"probability": "DOUBLE", closed: "BOOLEAN", "_fivetran_deleted": "BOOLEAN"} | synced
    names = ("stage_id", "pipeline_id", "label", "display_order", "probability", closed, "_fivetran_deleted")
    steps = [
        (row["id"], row["pipeline"], row["label"], row["order"], row["probability"], row["is_closed"], mess and row["order"] == 2)
        for row in portal["stage"]
    ]
    yield Table("deal_pipeline_stage", columns, _rows(names, steps))
    columns = {"deal_id": link, "value": "VARCHAR", "date_entered": "TIMESTAMPTZ", "_fivetran_active": "BOOLEAN"} | synced
    last = {row["deal_id"]: row["at"] for row in portal["stage_entry"]}
    entries = [(row["deal_id"], row["stage"], row["at"], row["at"] == last[row["deal_id"]]) for row in portal["stage_entry"]]
    yield Table("deal_stage", columns, _rows(("deal_id", "value", "date_entered", "_fivetran_active"), entries))


def _airbyte(portal: Rows, mess: bool) -> Iterable[Table]:
    extracted = {"_airbyte_raw_id": "VARCHAR", "_airbyte_extracted_at": "TIMESTAMP"}
    plural = {"company": "companies"} | {kind: f"engagements_{kind}s" for kind in ENGAGEMENTS}
    own = {"id": "VARCHAR", "archived": "BOOLEAN", "updatedat": "TIMESTAMP"} | extracted
    dates: dict[str, Row] = {}
    for row in portal["stage_entry"]:
        dates.setdefault(row["deal_id"], {})[f"properties_hs_v2_date_entered_{row['stage']}"] = row["at"]

    def values(row: Row) -> Row:
        lists = {name: json.dumps(row[name]) for name in ("companies", "contacts", "line_items") if name in row}
        found = {"id": row["id"], "archived": False, "updatedat": row.get("updatedat"), "_airbyte_extracted_at": row["loaded_at"]}
        return found | lists | {f"properties_{name}": row.get(name) for name in ("pipeline", "dealstage", "hs_product_id")}

    for name in PROPERTIES:
        more = {"deal": ("companies", "line_items"), "line_item": ()}.get(name, ("companies", "contacts"))
        lists = {column: "JSON" for column in more if name in (*ENGAGEMENTS, "deal")}
        lists |= {"properties_pipeline": "VARCHAR", "properties_dealstage": "VARCHAR"} if name == "deal" else {}
        lists |= {"properties_hs_product_id": "VARCHAR"} if name == "line_item" else {}
        rows = [row for row in portal[name] if name in ("company", "deal") or not row.get("is_deleted")]
        rows = [row for row in rows if name != "company" or not row.get("is_deleted")]
        table = _properties(name, rows, "airbyte", "properties_", own | lists, values)
        table.name = plural.get(name, f"{name}s")
        if name == "deal":
            archived = [row for row in portal["deal"] if row.get("is_deleted")]
            gone = [{"id": row["id"], "archivedat": LOADED} for row in archived] + portal["deal_archived"]
            yield Table("deals_archived", {"id": "VARCHAR", "archivedat": "TIMESTAMP"} | extracted, gone)
            if mess:
                named = {column: "TIMESTAMP" for row in dates.values() for column in row}
                table.columns |= named
                for row in table.rows:
                    row |= dates.get(row["id"], {})
        if mess and name in ("company", "deal", "line_item"):
            _append_versions(table)
        yield table
    stages = {
        row["id"]: [
            {
                "stageId": step["id"],
                "label": step["label"],
                "displayOrder": step["order"],
                "metadata": {"isClosed": str(step["is_closed"]).lower(), "probability": str(step["probability"])},
            }
            for step in portal["stage"]
            if step["pipeline"] == row["id"]
        ]
        for row in portal["pipeline"]
    }
    # With mess the destination leaves camelCase columns NULL.
    pipelines = [(None if mess else row["id"], row["label"], json.dumps(stages[row["id"]]), LOADED) for row in portal["pipeline"]]
    columns = {"pipelineid": "VARCHAR", "label": "VARCHAR", "stages": "JSON"} | extracted
    yield Table("deal_pipelines", columns, _rows(("pipelineid", "label", "stages", "_airbyte_extracted_at"), pipelines))
    if not mess:
        entries = [(row["deal_id"], "dealstage", row["stage"], f"{row['at'].isoformat()}Z") for row in portal["stage_entry"]]
        entries += [(row["id"], "amount", row["amount"], f"{row['createdate'].isoformat()}Z") for row in portal["deal"]]
        names = ("dealid", "property", "value", "timestamp")
        yield Table("deals_property_history", dict.fromkeys(names, "VARCHAR") | extracted, _rows(names, entries))


def _append_versions(table: Table) -> None:
    """Append mode keeps what was: an older version of each third record."""
    for row in table.rows[::3]:
        old = row | {"_airbyte_extracted_at": LOADED - dt.timedelta(days=9)}
        table.rows.append(old | {name: value * 2 for name, value in row.items() if name == "properties_amount" and value})


def _dlt(portal: Rows, mess: bool) -> Iterable[Table]:
    load = {"_dlt_load_id": "VARCHAR", "_dlt_id": "VARCHAR"}
    plural = {"company": "companies"}
    load_id = str(LOADED.replace(tzinfo=dt.UTC).timestamp())

    def values(row: Row) -> Row:
        found = {name: row.get(name) for name in ("id", "pipeline", "dealstage")} | {"is_deleted": row.get("is_deleted", False)}
        return found | {"_dlt_load_id": load_id, "_dlt_id": f"d{row['id']}"}

    for name in ("company", "contact", "deal", "product"):
        own = {"id": "VARCHAR", "is_deleted": "BOOLEAN"} | load
        own |= {"pipeline": "VARCHAR", "dealstage": "VARCHAR"} if name == "deal" else {}
        table = _properties(name, portal[name], "dlt", "", own, values)
        table.name = plural.get(name, f"{name}s")
        if mess:
            table.columns = {column: "VARCHAR" if kind == "DOUBLE" else kind for column, kind in table.columns.items()}
        yield table
    child = {"_dlt_parent_id": "VARCHAR", "_dlt_id": "VARCHAR"}
    linked = [(company, row["id"], f"d{row['id']}") for row in portal["deal"] for company in row["companies"]]
    columns = {"value": "VARCHAR", "deals_id": "VARCHAR"} | child
    yield Table("companies__deals", columns, _rows(("value", "deals_id", "_dlt_parent_id"), linked))
    rows = [(row["id"], row["label"], load_id, f"d{row['id']}") for row in portal["pipeline"]]
    names = ("id", "label", "_dlt_load_id", "_dlt_id")
    yield Table("pipelines_deals", dict.fromkeys(names, "VARCHAR"), _rows(names, rows))
    names = ("id", "label", "display_order", "metadata__is_closed", "metadata__probability", "_dlt_parent_id")
    steps = [
        (row["id"], row["label"], row["order"], str(row["is_closed"]).lower(), str(row["probability"]), f"d{row['pipeline']}")
        for row in portal["stage"]
    ]
    yield Table("pipelines_deals__stages", dict.fromkeys(names, "VARCHAR") | {"display_order": "BIGINT"}, _rows(names, steps))
    entered = "hs_date_enteredx" if mess else "hs_v2_date_enteredx"
    entries = [(row["deal_id"], row["stage"], row["at"], load_id) for row in portal["stage_entry"]]
    columns = {"id": "VARCHAR", "stage": "VARCHAR", entered: "TIMESTAMPTZ"} | load
    yield Table("stages_timing_deals", columns, _rows(("id", "stage", entered, "_dlt_load_id"), entries))


def _rows(names: tuple[str, ...], values: Iterable[tuple]) -> list[Row]:
    return [dict(zip(names, row, strict=True)) for row in values]
