"""The APIs of HubSpot and Salesforce on loopback, as far as dlt reads them, over simulated records (`simulate.landed`)."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from icp_refinery.simulate.landed.hubspot_loaders import PROPERTIES
from icp_refinery.simulate.landed.tables import Row, Rows

PAGE = 100
# A path and its parameters to the answer; None is 404.
Answers = Callable[[str, dict[str, str]], dict[str, Any] | None]
OBJECTS = {"companies": "company", "contacts": "contact", "deals": "deal", "products": "product"}
ENTERED = "hs_v2_date_entered_"
TYPES = {"TIMESTAMP": "datetime", "DATE": "date", "BOOLEAN": "boolean", "DOUBLE": "double"}


@contextmanager
def serve(answers: Answers) -> Iterator[str]:
    """A server of these answers: its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            answer = answers(asked.path, {name: values[0] for name, values in parse_qs(asked.query).items()})
            body = json.dumps(answer, default=str).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def hubspot_answers(portal: Rows) -> Answers:
    """HubSpot's v3 API: properties as text, associations once per label, archived records only if asked for."""
    entered: dict[str, Row] = defaultdict(dict)
    for row in portal["stage_entry"]:
        entered[row["deal_id"]].setdefault(ENTERED + row["stage"], row["at"])
    survivors = {row.get("hs_merged_object_ids"): row["id"] for row in portal["company"]}
    deals: dict[str, list[str]] = defaultdict(list)
    for deal in portal["deal"]:
        for company in deal["companies"]:
            deals[survivors.get(company, company)].append(deal["id"])

    kinds = {name: kinds | {"hs_object_id": "number"} for name, kinds in PROPERTIES.items()}
    kinds["deal"] |= {"pipeline": "text", "dealstage": "text"} | {ENTERED + step["id"]: "datetime" for step in portal["stage"]}

    def record(name: str, number: int, row: Row, asked: list[str]) -> Row:
        values = row | entered[row["id"]] | {"hs_object_id": row["id"]}
        # What was emptied is empty text, what never was filled is null.
        empty = {prop: "" if kind == "text" and number % 2 else None for prop, kind in kinds[name].items()}
        answer = {
            "id": row["id"],
            "properties": {prop: _text(values.get(prop)) or empty[prop] for prop in asked if prop in empty},
        }
        linked = deals[row["id"]] if name == "company" else []
        return answer | ({"associations": {"deals": {"results": [{"id": deal} for deal in linked]}}} if linked else {})

    def answer(path: str, asked: dict[str, str]) -> dict[str, Any] | None:
        if path == "/crm/v3/pipelines/deals":
            return {"results": [_pipeline(row, portal["stage"]) for row in portal["pipeline"]]}
        name = OBJECTS.get(path.rpartition("/")[2], "")
        if path.startswith("/crm/v3/properties/") and name:
            types = {"text": "string"}
            return {"results": [{"name": prop, "type": types.get(kind, kind)} for prop, kind in kinds[name].items()]}
        if not path.startswith("/crm/v3/objects/") or not name:
            return None
        rows = [row for row in portal[name] if bool(row.get("is_deleted")) == ("archived" in asked)]
        first = int(asked.get("after", 0))
        page = [record(name, n, row, asked["properties"].split(",")) for n, row in enumerate(rows[first : first + PAGE])]
        more = urlencode(asked | {"after": first + PAGE})
        return {"results": page} | ({"paging": {"next": {"link": f"{path}?{more}"}}} if first + PAGE < len(rows) else {})

    return answer


def _pipeline(row: Row, steps: list[Row]) -> Row:
    stages = [
        {
            "id": step["id"],
            "label": step["label"],
            "displayOrder": step["order"],
            "metadata": {"isClosed": str(step["is_closed"]).lower(), "probability": str(step["probability"])},
        }
        for step in steps
        if step["pipeline"] == row["id"]
    ]
    return {"id": row["id"], "label": row["label"], "displayOrder": 0, "archived": False, "stages": stages}


def _text(value: Any) -> str | None:
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    return None if value is None else str(value)


def salesforce_answers(objects: dict[str, tuple[dict[str, str], list[Row]]], bulk: bool) -> Answers:
    """Salesforce's queries, deleted records among them; `bulk`: times in milliseconds and whole numbers without a fraction."""

    def value(given: Any, kind: str) -> Any:
        if given is None or kind not in ("TIMESTAMP", "DATE", "DOUBLE"):
            return given
        if kind == "DOUBLE":
            return int(given) if bulk and given == int(given) else float(given)
        if bulk:
            return int(dt.datetime(*given.timetuple()[:6], tzinfo=dt.UTC).timestamp() * 1000)
        return f"{given.isoformat(timespec='milliseconds')}+0000" if kind == "TIMESTAMP" else given.isoformat()

    def answer(path: str, asked: dict[str, str]) -> dict[str, Any] | None:
        if described := re.fullmatch(r"/services/data/v\d+\.0/sobjects/(\w+)/describe", path):
            kinds = objects[described[1]][0]
            return {"fields": [{"name": name, "type": TYPES.get(kind, "string")} for name, kind in kinds.items()]}
        query = re.fullmatch(r"SELECT (.+) FROM (\w+)(?: WHERE (\w+) > (\S+))?(?: ORDER BY (\w+))?", asked.get("q", ""))
        if not query:
            return None
        fields, name, cursor, after, order = query.groups()
        kinds, rows = objects[name]
        if cursor:
            rows = [row for row in rows if row[cursor].replace(tzinfo=dt.UTC) > dt.datetime.fromisoformat(after)]
        rows = sorted(rows, key=lambda row: row[order]) if order else rows
        first = int(asked.get("from", 0))
        page = [
            {"attributes": {"type": name}} | {field: value(row.get(field), kinds[field]) for field in fields.split(", ")}
            for row in rows[first : first + PAGE]
        ]
        more = urlencode(asked | {"from": first + PAGE})
        is_done = first + PAGE >= len(rows)
        return {"done": is_done, "records": page} | ({} if is_done else {"nextRecordsUrl": f"{path}?{more}"})

    return answer
