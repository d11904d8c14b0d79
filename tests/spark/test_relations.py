"""The connector `relations` on Spark: tables of its catalog, by two and by three names, beside the same tables in DuckDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from compare import differences, started

TABLES = {
    "companies": """
        select * from (values
            (1, 'Media', 1000.0, true, timestamp '2024-01-05 10:00:00.25'),
            (2, ' n/a', 2.5, false, null),
            (2, 'Energy', 2.5, false, null),
            (3, null, -1.0, null, timestamp '2150-01-01 00:00:00')
        ) as t (account_id, industry, employee_count, is_customer, created_at)
    """,
    "bookings": """
        select * from (values
            ('o1', 1, 'closed_won', date '2024-01-05', cast(12.345 as decimal(10, 3)), 'it''s'),
            ('o2', 1, 'sold', date '2024-01-05', cast(1 as decimal(10, 3)), null),
            ('o3', 9, 'closed_won', date '2024-01-06', cast(1 as decimal(10, 3)), null),
            ('o4', 3, 'Closed Won', date '2024-01-07', null, null)
        ) as t (order_id, account_id, "Order Status", closed_at, amount, note)
    """,
}
READ = [
    "input.input_accounts",
    "input.input_orders",
    "input.input_rejects",
    "input.input_dropped_values",
    "input.input_source_columns",
]
SELECTED = [f"+{name.removeprefix('input.')}" for name in READ]


@pytest.fixture(scope="module")
def tables(work: Path, spark: Any) -> None:
    (work / "icp.duckdb").unlink(missing_ok=True)
    with duckdb.connect(str(work / "icp.duckdb")) as database:
        for run in (database.execute, spark.sql):
            run("create schema if not exists crm")
            for name, query in TABLES.items():
                run(f"create table crm.{name} as {query}")


def settings(**inputs: str) -> dict[str, Any]:
    return {"connectors": ["relations"], "icp_inputs": {"accounts": "crm.companies", "orders": "crm.bookings"} | inputs}


def test_tables_of_the_catalog_are_read_as_duckdb_reads_its_own(tables: None, work: Path, spark: Any, on_spark: Any) -> None:
    build = ["build", "--select", *SELECTED, "--exclude", "resource_type:test"]
    beside = started(build, work, "duckdb", settings())
    assert on_spark(build, settings()) == []
    assert beside.wait() == 0
    assert differences(work / "icp.duckdb", spark, READ) == {}
    assert spark.table("input.input_orders").count() == 1
    assert spark.table("input.input_rejects").count() == 5


def test_a_table_is_named_by_its_catalog_too_and_built_in_another_set_of_schemas(tables: None, on_spark: Any, spark: Any) -> None:
    run = ["run", "--select", "stg_relations__accounts"]
    assert on_spark(run, settings(accounts="spark_catalog.crm.companies") | {"icp_schema_prefix": "next_"}) == []
    assert spark.table("next_staging.stg_relations__accounts").count() == 4


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    {
        "missing": ({"accounts": "crm.nothing"}, "The relation crm.nothing, which icp_inputs names for accounts, is not there"),
        "lacking": (
            {"orders": "crm.companies"},
            "which icp_inputs names for orders, lacks the required columns order_id, order_status",
        ),
    }.values(),
    ids=["missing", "lacking"],
)
def test_a_table_that_cannot_be_read_stops_with_one_sentence(
    tables: None, on_spark: Any, inputs: dict[str, str], sentence: str
) -> None:
    [said] = on_spark(["run", "--select", *(f"stg_relations__{name}" for name in inputs)], settings(**inputs))
    assert sentence in said
    assert "Traceback" not in said
