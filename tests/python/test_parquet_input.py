"""Parquet files: columns in the types that exports have."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest

from conftest import BuildResult, build, frame
from reference import COLUMNS

# Columns in the types that exports have: numbers as ids, doubles as money, dates as texts, nested values.
PARQUET = {
    "accounts": """
        select cast(id as bigint) as account_id, 'Account ' || id as account_name, {'a': id} as domain,
            [id, id] as industry, cast(id as double) as employee_count, cast(1234.56789 as decimal(38, 10)) as annual_revenue,
            cast('2022-06-01 23:30:00-05:00' as timestamptz) as created_at, map {'a': 1} as "Unknown, column"
        from (values (1), (2), (3)) as t (id)
        union all by name
        select 4 as account_id, cast('nan' as double) as employee_count
        union all by name
        select 5 as account_id, 12.5 as employee_count
        union all by name
        select null as account_id, 'No id' as account_name
    """,
    "orders": """
        select cast(id as integer) as order_id, cast(1 as smallint) as account_id, 'closed_won' as order_status,
            cast(amount as double) as amount, cast('2024-03-01 23:30:00-05:00' as timestamptz) as closed_at,
            starts_on, cast(ends_on as timestamp) as ends_on, cast(term as double) as term_months,
            cast('USD' as enum ('USD')) as currency_code
        from (values
            (1, '100.1', '2024-01-01', '2024-12-31', '12.0'), (2, '0.30000000000000004', null, null, null),
            (3, 'nan', null, null, null), (4, 'inf', null, null, null), (5, '1e15', null, null, null),
            (6, null, null, null, null), (7, '7', '31/12/2024', null, null), (8, '8', null, null, '12.5'),
            (9, '9', null, null, 'nan'), (10, '-1e-7', null, null, null), (11, '11', null, null, null),
            (11, '11', null, null, null), (12, 'nan', null, null, null), (12, 'nan', null, null, null),
            (13, '13', null, 'infinity', null), (14, '1.005', '2024-01-01', '2024-06-30', '12.0')
        ) as t (id, amount, starts_on, ends_on, term)
    """,
    "order_lines": """
        select uuid() as order_line_id, cast(id as ubigint) as order_id, cast(1.23456 as decimal(38, 20)) as amount,
            nullif([id], [2]) as cost, cast(id as hugeint) as quantity, null as line_type
        from (values (1), (2)) as t (id)
        union all by name
        select uuid() as order_line_id, 99 as order_id, 5 as amount
    """,
    "opportunities": """
        select 'opp' || closed as opportunity_id, cast(1 as double) as account_id, closed as is_closed, won as is_won,
            cast(5 as hugeint) as amount, cast('2024-01-01' as date) as created_at,
            cast('2024-02-01 00:00:00.123456789' as timestamp_ns) as closed_at
        from (values (1, 'true'), (0, 'false'), (2, 'true'), (null, 'false')) as t (closed, won)
    """,
    "products": "select cast('caf\\xC3\\xA9' as blob) as product_name, 1.5 as product_id, true as product_type",
    "engagements": """
        select cast(9000000001 as double) as engagement_id, cast(1 as decimal(38, 2)) as account_id, 'demo' as engagement_type,
            cast('10:00:00' as time) as occurred_at
    """,
    "opportunity_stages": """
        select 'opp1' as opportunity_id, 'demo' as stage, cast(1704067200000 as bigint) as entered_at
    """,
    "campaign_spend": "select 'c' as campaign_id, 20240101 as spent_on, {'amount': 5} as amount",
    "exchange_rates": "select 'EUR' as currency_code, cast(1.1 as float) as rate, date '2024-01-01' as valid_from",
    "contacts": "select 1 as contact_id where false",
    "campaigns": "select null as campaign_id, null as started_on where false",
    "campaign_members": "select 1 as campaign_id, 2 as added_at, [1] as responded where false",
    "account_attributes": "select '' as account_id, '' as attribute, '' as value where false",
}


@pytest.fixture(scope="session")
def parquet_rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildResult, dict[str, int]]:
    """The whole project built from Parquet, and the rows written for each entity."""
    folder = tmp_path_factory.mktemp("parquet")
    for entity, query in PARQUET.items():
        duckdb.sql(f"copy ({query}) to '{folder / entity}.parquet' (format parquet)")
    counts = {entity: duckdb.sql(f"select count(*) from '{folder / entity}.parquet'").fetchall()[0][0] for entity in PARQUET}
    result = build(tmp_path_factory.mktemp("parquet_build"), folder, unit_tests=False, data_tests=False, check=False)
    return result, counts


def test_types_of_parquet_columns_fail_no_model_and_no_test(parquet_rows: tuple[BuildResult, dict]) -> None:
    assert parquet_rows[0].returncode == 0, parquet_rows[0].stdout


def test_rows_of_parquet_files_are_accepted_or_rejected(parquet_rows: tuple[BuildResult, dict]) -> None:
    result, counts = parquet_rows
    rejects = frame(result.database, "input.input_rejects").to_dict("records")
    found = {
        entity: len(frame(result.database, f"input.input_{entity}")) + sum(reject["entity"] == entity for reject in rejects)
        for entity in PARQUET
    }
    assert found == counts
    for reject in rejects:
        json.loads(reject["raw_row"])


def test_values_of_parquet_columns(parquet_rows: tuple[BuildResult, dict]) -> None:
    result, _ = parquet_rows
    rejects: dict[str, set] = defaultdict(set)
    for reject in frame(result.database, "input.input_rejects").to_dict("records"):
        rejects[reject["entity"]].add((reject["row_id"], reject["rule"]))
    accepted = {
        entity: {row[COLUMNS[entity][0].name]: row for row in frame(result.database, f"input.input_{entity}").to_dict("records")}
        for entity in PARQUET
    }
    assert set(accepted["accounts"]) == {"1", "2", "3", "4", "5"}
    dropped = frame(result.database, "input.input_dropped_values").to_dict("records")
    assert {(value["row_id"], value["column_name"]) for value in dropped if value["entity"] == "accounts"} == {
        ("4", "employee_count"),
        ("5", "employee_count"),
    }
    # A whole number is one whatever the type that a gap made of its column.
    assert {row["account_id"] for row in accepted["opportunities"].values()} == {"1"}
    assert rejects["engagements"] == {("9000000001", "unreadable_value")}
    assert set(accepted["products"]) == {"1.5"}
    assert accepted["accounts"]["1"]["employee_count"] == 1
    assert accepted["accounts"]["1"]["annual_revenue"] == Decimal("1234.5679")
    assert accepted["accounts"]["1"]["created_at"] == datetime(2022, 6, 2, 4, 30)
    assert rejects["accounts"] == {(None, "missing_value")}

    amounts = {order_id: row["amount"] for order_id, row in accepted["orders"].items()}
    assert amounts == {
        "1": Decimal("100.1"),
        "2": Decimal("0.3"),
        "6": None,
        "10": 0,
        "11": Decimal(11),
    }
    assert accepted["orders"]["1"]["closed_at"] == datetime(2024, 3, 2, 4, 30)
    assert accepted["orders"]["1"]["starts_on"] == date(2024, 1, 1)
    assert accepted["orders"]["1"]["ends_on"] == date(2024, 12, 31)
    assert accepted["orders"]["1"]["term_months"] == 12
    assert rejects["orders"] == {
        *((order_id, "unreadable_value") for order_id in ("3", "4", "5", "7", "8", "9", "12")),
        ("11", "exact_duplicate"),
        ("12", "exact_duplicate"),
        ("13", "implausible_date"),
        ("14", "term_mismatch"),
    }
