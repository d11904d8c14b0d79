"""Marts as tables of the catalog: readers see one complete state, the one before until the new one is whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyspark.sql.types import StringType, StructField, StructType

from addresses import ODD_ADDRESSES, ORDINARY
from dbt.adapters.icpspark.published import PublishedTables, without_emails
from dbt.adapters.icpspark.python_models import DESCRIPTIONS, ModelSession
from dbt.adapters.icpspark.relations import Relation
from icp_refinery import emails
from icp_refinery.publish import publish

SETTINGS = {"reporting_currency": "EUR", "reporting_cycle": "week", "connectors": ["files"], "sources": ["/company"]}
SAID = {"fct_orders": {"description": "Grain: an order's \\ row", "columns": {"number": 'The state\'s "number"'}}}
ACCOUNTS = "select concat('a', id) as account_id, if(id = 1, 'Jo jo@host.com', 'Acme') as name, {n} as number from range(3)"
ORDERS = "select cast(id as string) as order_id, {n} as number {more} from range(40)"


@pytest.fixture
def session(spark: Any, tmp_path: Path) -> Any:
    with duckdb.connect() as connection:
        yield ModelSession(spark, connection, tmp_path)
    for schema in [row[0] for row in spark.sql("show schemas like 'published*'").collect()]:
        spark.sql(f"drop schema {schema} cascade")


@pytest.fixture
def published(session: Any, tmp_path: Path) -> Callable[..., PublishedTables]:
    """A function from a number to tables that are published, every row of which has it, as has `as_of` in the manifest."""
    session.spark.sql("create schema if not exists published")

    def publish_tables(n: int, more: str = "", marts: dict[str, str] | None = None, **options: Any) -> PublishedTables:
        queries = {"dim_accounts": ACCOUNTS.format(n=n), "fct_orders": ORDERS.format(n=n, more=more)} | (marts or {})
        relations = {mart: Relation(session, session.spark.sql(query)) for mart, query in queries.items()}
        tables = PublishedTables(session, relations, SAID)
        given = {"as_of": date.fromordinal(n), "tables": tables, "report": report, "kept": 1} | SETTINGS | options
        publish(session, relations, tmp_path / "published", **given)
        return tables

    return publish_tables


def report(marts: duckdb.DuckDBPyConnection, manifest: dict[str, Any]) -> dict[str, str]:
    return {"report.html": str(marts.execute("select max(number) from marts.fct_orders").fetchall()[0][0])}


def seen(session: Any, mart: str, columns: str = "number") -> list[Any]:
    return [tuple(row) for row in session.spark.sql(f"select distinct {columns} from published.{mart} order by all").collect()]


def created_at(session: Any, name: str) -> str:
    described = session.spark.sql(f"describe table extended {name}").collect()
    return next(row.data_type for row in described if row.col_name == "Created Time")


def schemas(session: Any) -> list[str]:
    return sorted(row[0] for row in session.spark.sql("show schemas like 'published_2*'").collect())


def test_marts_of_the_catalog_move_to_a_new_state_together(session: Any, published: Any, tmp_path: Path) -> None:
    first = published(1, marts={"dim_dates": "select 1 as number"})
    assert seen(session, "fct_orders") == seen(session, "dim_accounts") == seen(session, "dim_dates") == [(1,)]
    made_at = created_at(session, "published.current_state"), created_at(session, "published.fct_orders")
    second = published(2, more=", id as line", marts={"dim_products": "select 2 as number"})
    assert seen(session, "fct_orders") == seen(session, "dim_accounts") == seen(session, "dim_products") == [(2,)]
    assert session.spark.sql("select line from published.fct_orders").count() == 40
    # Only the current state's files are read, whatever else the views name.
    assert {file.split("/")[-3] for file in session.spark.table("published.fct_orders").inputFiles()} == {f"{second.state}.db"}
    assert not session.spark.catalog.tableExists("published.dim_dates")
    # Views are altered: at no moment is there none.
    assert (created_at(session, "published.current_state"), created_at(session, "published.fct_orders")) == made_at
    [(name,)] = [
        tuple(row) for row in session.spark.sql(f"select name from {second.state}.dim_accounts where account_id = 'a1'").collect()
    ]
    assert name.startswith("Jo (e-mail ")
    described = session.spark.sql(f"describe table extended {second.state}.fct_orders").collect()
    comments = {row.col_name: row.comment or row.data_type for row in described}
    assert (comments["number"], comments["Comment"]) == ('The state\'s "number"', "Grain: an order's \\ row")

    folder = (tmp_path / "published" / "current").resolve()
    assert {file.name for file in folder.iterdir()} == {"manifest.json", "report.html"}
    assert (folder / "report.html").read_text() == "2"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert {table["name"]: table["rows"] for table in manifest["tables"]} == {
        f"{second.state}.dim_accounts": 3,
        f"{second.state}.dim_products": 1,
        f"{second.state}.fct_orders": 40,
    }
    assert manifest["accounts"]["count"] == 3
    [pointer] = session.spark.table("published.current_state").collect()
    assert (pointer.schema_name, json.loads(pointer.manifest)["as_of"]) == (second.state, "0001-01-02")
    # Whoever began to read the state before may go on for a while, and what is older goes.
    assert schemas(session) == [first.state, second.state]
    second.remove_old(1, timedelta(), second_later(second.state))
    assert schemas(session) == [second.state]


def second_later(state: str) -> Any:
    from datetime import datetime

    return datetime.strptime(state.split("_")[1][:15], "%Y%m%dt%H%M%S") + timedelta(seconds=2)


def test_the_state_before_is_seen_until_the_last_step(
    session: Any, published: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = published(1)
    broken = {"fct_stage_entries": "select raise_error('broken') as number"}
    with pytest.raises(Exception, match="broken"):
        published(2, marts=broken)
    assert schemas(session) == [first.state]

    def killed(tables: PublishedTables, state: str, manifest: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(PublishedTables, "_point", killed)
        with pytest.raises(KeyboardInterrupt):
            published(3, more=", id as line")
    assert seen(session, "fct_orders", "number, line") == [(1, None)]
    assert seen(session, "dim_accounts") == [(1,)]
    assert json.loads((tmp_path / "published" / "current" / "manifest.json").read_text())["as_of"] == "0001-01-01"
    # The next one clears up what was left, and keeps what was current until now.
    fourth = published(4)
    assert seen(session, "fct_orders") == [(4,)]
    assert schemas(session) == [first.state, fourth.state]


def test_another_companys_tables_are_not_replaced(session: Any, published: Any) -> None:
    first = published(1)
    other = {"fct_orders": "select concat('x', id) as order_id, 2 as number from range(40)"}
    with pytest.raises(Exception, match="is of another company: 0% of the orders are the same"):
        published(2, marts=other)
    assert (seen(session, "fct_orders"), schemas(session)) == ([(1,)], [first.state])


def test_marts_become_tables_beyond_a_size_and_stay_tables(session: Any, published: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spark = session.spark
    spark.sql("create or replace view published.fct_order_lines as select id from range(10)")
    monkeypatch.setitem(DESCRIPTIONS, "fct_order_lines", {"description": "Grain: a line", "columns": {"id": "It's one"}})
    marts = {"fct_order_lines": Relation(session, spark.table("published.fct_order_lines"), "published.fct_order_lines")}
    assert session.tables_to_publish(marts, "published", 10) is None
    assert session.sql("select count(*) from published.fct_order_lines").fetchall() == [(10,)]
    comment = "select comment from duckdb_columns() where table_name = 'fct_order_lines'"
    assert session.sql(comment).fetchall() == [("It's one",)]
    assert session.tables_to_publish(marts, "published", 9) is not None
    published(1)
    assert session.tables_to_publish(marts, "published", 10) is not None


def test_an_address_is_replaced_as_duckdb_replaces_it(session: Any) -> None:
    texts = [*ODD_ADDRESSES, *ORDINARY, "Jo (jo@host.com), Al <AL@HOST.COM>; x", "Ä.ö@Ü.ÄÖ", "user (ÄT) host.com", "", None]
    frame = session.spark.createDataFrame([(text,) for text in texts], StructType([StructField("text", StringType())]))
    here = [row[0] for row in frame.select(without_emails(frame.text)).collect()]
    query = f"select {emails.without_emails('text')} from (select unnest(?) as text)"
    assert here == [text for (text,) in session.execute(query, [texts]).fetchall()]
