"""Make a Superset dashboard on the published marts, through its REST API; then compare Superset's figures with the marts'.

    python make_dashboard.py http://127.0.0.1:8088 path/to/published/current/icp.duckdb

User and password are in the environment variables `SUPERSET_USER` and `SUPERSET_PASSWORD`. A second run changes what the first
one made.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import duckdb
import requests

DATABASE = "ICP Refinery"
DASHBOARD = "Ideal Customer Profile"
# The marts, each with the time by which its charts are drawn.
TIMES = {"fct_orders": "closed_at", "icp_segments": None, "retention_by_tier": "month", "icp_alignment": "cycle_start"}


def metric(sql: str, label: str) -> dict[str, Any]:
    return {"expressionType": "SQL", "sqlExpression": sql, "label": label}


def where(sql: str) -> list[dict[str, Any]]:
    return [{"expressionType": "SQL", "clause": "WHERE", "sqlExpression": sql}]


WON_VALUE = metric("sum(net_amount)", "Won value")
NRR = metric("sum(retained_mrr) / nullif(sum(starting_mrr), 0)", "NRR after a year")

FORMATS = {"win_rate": ".1%", "value_per_pursuit": ",.0f", "lift": ".2f", "lift_low": ".2f", "lift_high": ".2f"}

# Title, mart, kind of chart, and its settings.
CHARTS = [
    (
        "Won value by tier",
        "fct_orders",
        "echarts_timeseries_bar",
        {"x_axis": "closed_at", "time_grain_sqla": "P3M", "metrics": [WON_VALUE], "groupby": ["tier"], "stack": "Stack"},
    ),
    (
        "Segments",
        "icp_segments",
        "table",
        {
            "query_mode": "raw",
            "all_columns": [
                "segment_name",
                "tier",
                "account_count",
                "win_rate",
                "value_per_pursuit",
                "lift",
                "lift_low",
                "lift_high",
            ],
            "column_config": {name: {"d3NumberFormat": form} for name, form in FORMATS.items()},
        },
    ),
    (
        "NRR after a year, by tier",
        "retention_by_tier",
        "echarts_timeseries_line",
        {
            "x_axis": "month",
            "time_grain_sqla": "P1M",
            "metrics": [NRR],
            "groupby": ["tier"],
            "y_axis_format": ".0%",
            # Of few customers a rate says little; `all` is a line beside those of the tiers.
            "adhoc_filters": where("starting_mrr_customer_count >= 10"),
        },
    ),
    (
        "Leads by tier",
        "icp_alignment",
        "echarts_timeseries_bar",
        {
            "x_axis": "cycle_start",
            "time_grain_sqla": "P3M",
            "metrics": [metric("sum(lead_count)", "Leads")],
            "groupby": ["tier"],
            "stack": "Stack",
        },
    ),
]

# What is asked of Superset, and of the mart.
COMPARED = [
    ("fct_orders", ["tier"], WON_VALUE, [], "select tier, sum(net_amount) from marts.fct_orders group by all"),
    (
        "retention_by_tier",
        ["tier"],
        metric("arg_max(net_revenue_retention, month)", "NRR of the last month"),
        [],
        "select tier, arg_max(net_revenue_retention, month) from marts.retention_by_tier group by all",
    ),
    (
        "icp_segments",
        ["tier"],
        metric("sum(account_count)", "Accounts"),
        [],
        "select tier, sum(account_count) from marts.icp_segments group by all",
    ),
]


class Superset:
    """Superset's REST API, as one user."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url.rstrip("/") + "/api/v1"
        self.session = requests.Session()
        login = {"username": user, "password": password, "provider": "db", "refresh": False}
        self.session.headers["Authorization"] = "Bearer " + self.ask("post", "/security/login", login)["access_token"]
        self.session.headers["X-CSRFToken"] = self.ask("get", "/security/csrf_token/")["result"]
        self.session.headers["Referer"] = url

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None, **parameters: str) -> dict[str, Any]:
        response = self.session.request(method, self.url + path, json=body, params=parameters, timeout=120)
        if not response.ok:
            raise SystemExit(f"{method.upper()} {path}: {response.status_code} {response.text}")
        return response.json()

    def make(self, kind: str, names: dict[str, Any], body: dict[str, Any]) -> int:
        """The id of what has these names; it is made, or changed to `body`."""
        filters = json.dumps({"filters": [{"col": name, "opr": "eq", "value": value} for name, value in names.items()]})
        found = self.ask("get", f"/{kind}/", q=filters)["result"]
        if found:
            self.ask("put", f"/{kind}/{found[0]['id']}", body)
            return found[0]["id"]
        return self.ask("post", f"/{kind}/", names | body)["id"]


def layout(charts: dict[int, str]) -> dict[str, Any]:
    """Two charts in a row."""
    ids = list(charts)
    rows = [ids[at : at + 2] for at in range(0, len(ids), 2)]
    page = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [f"ROW-{n}" for n in range(len(rows))], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": DASHBOARD}},
    }
    for n, row in enumerate(rows):
        page[f"ROW-{n}"] = {
            "type": "ROW",
            "id": f"ROW-{n}",
            "children": [f"CHART-{chart}" for chart in row],
            "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        for chart in row:
            page[f"CHART-{chart}"] = {
                "type": "CHART",
                "id": f"CHART-{chart}",
                "children": [],
                "parents": ["ROOT_ID", "GRID_ID", f"ROW-{n}"],
                "meta": {"chartId": chart, "width": 6, "height": 50, "sliceName": charts[chart]},
            }
    return page


def make_dashboard(superset: Superset, file: Path) -> dict[str, int]:
    """Make or change everything; the ids of the datasets, by mart."""
    engine = {"engine_params": {"connect_args": {"read_only": True}}}
    database = superset.make(
        "database",
        {"database_name": DATABASE},
        {"sqlalchemy_uri": f"duckdb:///{file}", "extra": json.dumps(engine), "expose_in_sqllab": True},
    )
    datasets = {}
    for mart, time in TIMES.items():
        names = {"table_name": mart, "schema": "marts"}
        filters = [{"col": name, "opr": "eq", "value": value} for name, value in names.items()]
        found = superset.ask("get", "/dataset/", q=json.dumps({"filters": filters}))["result"]
        datasets[mart] = found[0]["id"] if found else superset.ask("post", "/dataset/", names | {"database": database})["id"]
        superset.ask("put", f"/dataset/{datasets[mart]}/refresh")
        superset.ask("put", f"/dataset/{datasets[mart]}", {"main_dttm_col": time})
    dashboard = superset.make("dashboard", {"dashboard_title": DASHBOARD}, {"published": True})
    charts = {}
    for title, mart, kind, settings in CHARTS:
        settings = settings | {"viz_type": kind, "datasource": f"{datasets[mart]}__table"}
        body = {
            "viz_type": kind,
            "datasource_id": datasets[mart],
            "datasource_type": "table",
            "params": json.dumps(settings),
            "dashboards": [dashboard],
        }
        charts[superset.make("chart", {"slice_name": title}, body)] = title
    superset.ask("put", f"/dashboard/{dashboard}", {"position_json": json.dumps(layout(charts))})
    return datasets


def compare(superset: Superset, datasets: dict[str, int], file: Path) -> None:
    """Ask Superset and the file the same; stop where they differ."""
    with duckdb.connect(str(file), read_only=True) as connection:
        for mart, columns, figure, filters, sql in COMPARED:
            query = {"columns": columns, "metrics": [figure], "filters": filters, "row_limit": 1000}
            body = {
                "datasource": {"id": datasets[mart], "type": "table"},
                "queries": [query],
                "force": True,
                "result_type": "full",
            }
            [result] = superset.ask("post", "/chart/data", body)["result"]
            seen = {row[columns[0]]: row[figure["label"]] for row in result["data"]}
            expected = dict(connection.execute(sql).fetchall())
            same = seen.keys() == expected.keys() and all(close(seen[name], expected[name]) for name in seen)
            print(f"{figure['label']} by {columns[0]} in {mart}: {len(seen)} rows, {'equal' if same else 'DIFFERENT'}")
            if not same:
                raise SystemExit(f"Superset: {seen}\nMart: {expected}")


def close(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(float(one), float(other), rel_tol=1e-9)


if __name__ == "__main__":
    url, path = sys.argv[1:]
    api = Superset(url, os.environ["SUPERSET_USER"], os.environ["SUPERSET_PASSWORD"])
    # The link itself, not what it points to: that is what moves.
    published = Path(os.path.abspath(path))
    compare(api, make_dashboard(api, published), published)
