"""HubSpot or Salesforce loaded by dlt into DuckDB: `dlt_pipelines.py hubspot|salesforce URL DATABASE [PROPERTIES]`.

Runs where requirements-dlt.txt is installed. Its resources have the names, keys, dispositions and nesting of dlt's verified
sources; PROPERTIES (JSON: object -> names) are what a user adds to those that HubSpot's source asks for by itself.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONLinkPaginator, SinglePagePaginator

HUBSPOT = {
    "companies": ["createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"],
    "contacts": ["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"],
    "deals": ["amount", "closedate", "createdate", "dealname", "dealstage", "hs_lastmodifieddate", "hs_object_id", "pipeline"],
    "products": ["createdate", "description", "hs_lastmodifieddate", "hs_object_id", "name", "price"],
}
HINTS = {"number": "double", "datetime": "timestamp", "bool": "bool"}
ENTERED = "hs_v2_date_entered_"
# Resource: sObject, and what tells a change; without one the table is replaced.
SALESFORCE = {
    "account": ("Account", "LastModifiedDate"),
    "contact": ("Contact", None),
    "lead": ("Lead", None),
    "opportunity": ("Opportunity", "SystemModstamp"),
    "opportunity_line_item": ("OpportunityLineItem", "SystemModstamp"),
    "product_2": ("Product2", None),
    "campaign": ("Campaign", None),
    "campaign_member": ("CampaignMember", "SystemModstamp"),
    "event": ("Event", "SystemModstamp"),
    "task": ("Task", "SystemModstamp"),
}


@dlt.source(name="hubspot")
def hubspot(url: str, more: dict[str, list[str]]) -> Iterator[Any]:
    client = RESTClient(url, paginator=JSONLinkPaginator("paging.next.link"), data_selector="results")

    def types(name: str) -> dict[str, str]:
        return {prop["name"]: prop["type"] for page in client.paginate(f"/crm/v3/properties/{name}") for prop in page}

    def pages(name: str, properties: list[str]) -> Iterator[list[dict[str, Any]]]:
        for archived in (False, True):
            asked = {"properties": ",".join(properties), "limit": 100, "associations": "companies,contacts,deals"}
            for page in client.paginate(f"/crm/v3/objects/{name}", params=asked | ({"archived": "true"} if archived else {})):
                yield [flat(record) | {"is_deleted": archived} for record in page]

    def flat(record: dict[str, Any]) -> dict[str, Any]:
        row = record["properties"] | {"id": record["id"]}
        for other, found in record.get("associations", {}).items():
            ids = dict.fromkeys(each["id"] for each in found["results"])
            row[other] = [{"value": row["hs_object_id"], f"{other}_id": each} for each in ids]
        return row

    def objects(name: str) -> Iterator[Any]:
        known = types(name)
        asked = {*HUBSPOT[name], *more.get(name, []), *(prop for prop in known if not prop.startswith("hs_"))}
        hints = {prop: {"name": prop, "data_type": HINTS[known[prop]]} for prop in asked if known.get(prop) in HINTS}
        for page in pages(name, sorted(asked)):
            yield dlt.mark.with_hints(page, dlt.mark.make_hints(columns=hints))

    def stages() -> Iterator[Any]:
        for page in pages("deals", [prop for prop in types("deals") if prop.startswith(ENTERED)]):
            for row in page:
                for prop, value in row.items():
                    if prop.startswith(ENTERED) and value:
                        yield {"id": row["id"], ENTERED: value, "stage": prop.removeprefix(ENTERED)}

    for name in HUBSPOT:
        yield dlt.resource(objects, name=name, write_disposition="merge", primary_key="id")(name)
    pipelines = client.paginate("/crm/v3/pipelines/deals")
    yield dlt.resource(pipelines, name="pipelines_deals", write_disposition="merge", primary_key="id", merge_key="id")
    yield dlt.resource(stages, name="stages_timing_deals", write_disposition="merge", primary_key=["id", "stage"])


@dlt.source(name="salesforce")
def salesforce(url: str) -> Iterator[Any]:
    client = RESTClient(f"{url}/services/data/v62.0", paginator=JSONLinkPaginator("nextRecordsUrl"))

    def iso(value: str | int) -> str:
        if isinstance(value, str):
            return datetime.fromisoformat(value).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def records(sobject: str, cursor: str | None = None, last: str | None = None) -> Iterator[Any]:
        [fields] = client.paginate(f"sobjects/{sobject}/describe", data_selector="fields", paginator=SinglePagePaginator())
        times = [field["name"] for field in fields if field["type"] == "datetime"]
        query = f"SELECT {', '.join(field['name'] for field in fields)} FROM {sobject}"
        query += (f" WHERE {cursor} > {last}" if last else "") + (f" ORDER BY {cursor}" if cursor else "")
        for page in client.paginate("queryAll", params={"q": query}, data_selector="records"):
            for record in page:
                del record["attributes"]
                yield record | {name: iso(record[name]) for name in times if record[name]}

    def appended(name: str, sobject: str, cursor: str) -> Any:
        def changed(last: Any = dlt.sources.incremental(cursor, initial_value=None)) -> Iterator[Any]:  # noqa: B008
            yield from records(sobject, cursor, last.last_value)

        # Merged without a key: each change is a further row.
        return dlt.resource(changed, name=name, write_disposition="merge")

    for name, (sobject, cursor) in SALESFORCE.items():
        yield (
            appended(name, sobject, cursor) if cursor else dlt.resource(records, name=name, write_disposition="replace")(sobject)
        )


def main() -> None:
    tool, url, database, *more = sys.argv[1:]
    pipeline = dlt.pipeline(
        tool,
        pipelines_dir=str(Path(database).parent / "pipelines"),
        destination=dlt.destinations.duckdb(database),
        dataset_name=tool,
    )
    source = hubspot(url, json.loads(more[0])) if tool == "hubspot" else salesforce(url)
    pipeline.run(source).raise_on_failed_jobs()


main()
