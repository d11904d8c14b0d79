"""Small companies built on both engines, compared row by row. Their data tests are `make spark`'s."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from compare import ROOT, differences, started
from conftest import company

sys.path.append(str(ROOT / "examples" / "adventureworks"))
from prepare import prepare

Rows = dict[str, list[dict[str, Any]]]
# Without what takes long, and reads what the others have read: learning from past quarters, Great Expectations, and data tests.
BUILD = ["build", "--exclude", "learned_backtest+", "learned_score_calibration+", "expectation_results+", "resource_type:test"]


def orders_of(accounts: list[str], wins: int = 1) -> list[dict[str, Any]]:
    """Orders of a year each, the first of each account in another month of 2022."""
    return [
        {
            "order_id": f"o-{account}-{year}",
            "account_id": account,
            "order_status": "closed_won",
            "closed_at": f"{2022 + year}-{1 + place % 12:02}-15T10:00:00+02:00",
            "starts_on": f"{2022 + year}-{1 + place % 12:02}-15",
            "term_months": 12,
            "amount": f"{1000 + 7 * place}.255",
            "currency_code": "EUR" if place % 3 == 0 else None,
        }
        for place, account in enumerate(accounts)
        for year in range(wins)
    ]


RATES = [{"currency_code": "EUR", "valid_from": f"{year}-01-01", "rate": f"1.0{year % 7}25"} for year in range(2021, 2026)]


def faulty() -> Rows:
    """A merge chain of 60, a cycle that others lead into, renewals in a foreign currency, and a row for each way to be wrong."""
    accounts: list[dict[str, Any]] = [{"account_id": f"c{n:02}", "merged_into_account_id": f"c{n + 1:02}"} for n in range(60)]
    accounts += [{"account_id": "c60", "industry": "Media"}, {"account_id": "r1", "merged_into_account_id": "r2"}]
    accounts += [{"account_id": "r2", "merged_into_account_id": "r3"}, {"account_id": "r3", "merged_into_account_id": "r1"}]
    accounts += [{"account_id": "q0", "merged_into_account_id": "q1"}, {"account_id": "q1", "merged_into_account_id": "r2"}]
    accounts += [
        {"account_id": "self", "merged_into_account_id": "self"},
        {"account_id": "lost", "merged_into_account_id": "gone"},
    ]
    accounts += [
        {
            "account_id": f"a{n:02}",
            "industry": ["Media", "Energy", "n/a", None][n % 4],
            "employee_count": n * n,
            "created_at": "2021-05-05",
        }
        for n in range(40)
    ]
    accounts += [{"account_id": "a01", "industry": "Media"}, {"account_id": "a01", "industry": "Media"}, {"account_id": None}]
    accounts += [{"account_id": "bad", "employee_count": "1_000", "created_at": "2024-01"}]
    orders = orders_of(["c00", "c30", "c60", "r1", "q0", *(f"a{n:02}" for n in range(0, 40, 2))], wins=3)
    orders += [orders[0], orders[1] | {"amount": "5"}]
    orders += [
        orders[0] | {"order_id": f"wrong-{n}"} | wrong
        for n, wrong in enumerate(
            [
                {"closed_at": "2024"},
                {"closed_at": "2024-02-30"},
                {"closed_at": "2024/05/01"},
                {"closed_at": "2150-01-01"},
                {"starts_on": "2024-01"},
                {"amount": "0x10"},
                {"amount": "1.000,50"},
                {"amount": "2e12"},
                {"currency_code": "XYZ"},
                {"account_id": "nobody"},
                {"order_status": "sold"},
                {"term_months": "12.5"},
                {"order_id": 'it\'s "quoted"\\'},
            ]
        )
    ]
    lines = [
        {
            "order_line_id": f"l{n}",
            "order_id": order["order_id"],
            "product_id": f"p{n % 3}",
            "amount": order["amount"],
            "cost": "n/a",
        }
        for n, order in enumerate(orders_of([f"a{n:02}" for n in range(0, 40, 4)], wins=3))
    ]
    lines += [{"order_line_id": "l0", "order_id": "x", "product_id": "p0", "amount": "1"}]
    lines += [
        {
            "order_line_id": "open",
            "order_id": "o-a02-0",
            "product_id": "p1",
            "amount": "9",
            "line_type": "recurring",
            "billing_months": 1,
        }
    ]
    deals = [
        {
            "opportunity_id": f"d{n}",
            "account_id": f"a{n % 40:02}",
            "is_closed": "yes",
            "is_won": "no" if n % 3 else "T",
            "amount": "100",
            "created_at": f"2022-{1 + n % 12:02}-01T24:00",
            "closed_at": f"2022-{1 + n % 12:02}-20 08:00:00,5 Z",
        }
        for n in range(60)
    ]
    contacts = [
        {
            "contact_id": f"k{n}",
            "account_id": f"a{n:02}",
            "job_title": ["VP of Sales", "Engineer (senior)", None][n % 3],
            "became_lead_at": "20220103",
        }
        for n in range(30)
    ]
    attributes = [
        {"account_id": f"a{n:02}", "attribute": attribute, "value": values[n % len(values)]}
        for attribute, values in {
            "Tech_Stack": ["AWS", "it's", "\u00a0AWS\u3000"],
            "ΤΟΜΕΑΣ": ["İt", "ß"],
            "Stores": ["1_000", "12"],
            "Founded": ["1999", "2e3", "07"],
        }.items()
        for n in range(20)
    ]
    return {
        "accounts": accounts,
        "orders": orders,
        "order_lines": lines,
        "opportunities": deals,
        "contacts": contacts,
        "account_attributes": attributes,
        "exchange_rates": RATES,
        "products": [
            {"product_id": "p0", "product_name": "Suite"},
            {"product_id": "p1", "product_name": "Care", "product_type": "Add On"},
        ],
        "campaigns": [{"campaign_id": "s1", "channel": "search"}],
        "campaign_members": [{"campaign_id": "s1", "account_id": f"a{n:02}", "added_at": "2022-01-05"} for n in range(7)],
        "campaign_spend": [
            {"campaign_id": "s1", "spent_on": "2022-01-31", "amount": "100.01"},
            {"campaign_id": "s1", "spent_on": "2022-02-01", "amount": "-0.05"},
        ],
        "engagements": [
            {"engagement_id": f"e{n}", "contact_id": f"k{n}", "engagement_type": "email", "occurred_at": "2023-03-03"}
            for n in range(9)
        ],
    }


def orders_only() -> Rows:
    names = [f"a{n:03}" for n in range(80)]
    accounts = [{"account_id": name, "industry": ["Media", "Energy"][n % 2]} for n, name in enumerate(names)]
    return {"accounts": accounts, "orders": orders_of(names[::2], wins=2), "exchange_rates": RATES}


def deals_only() -> Rows:
    deals = faulty()["opportunities"]
    return {"accounts": [{"account_id": f"a{n:02}", "country": "FR"} for n in range(40)], "opportunities": deals}


def one_order() -> Rows:
    accounts = [{"account_id": f"A{n}", "industry": "xy"[n % 2]} for n in range(1, 26)]
    return {
        "accounts": accounts,
        "orders": [
            {"order_id": "1", "account_id": "A1", "order_status": "closed_won", "closed_at": "2024-01-05", "amount": "100"}
        ],
    }


def adventureworks() -> Rows:
    return {}


# One in every run of these tests, the others with ICP_SPARK_COMPANIES=1, as each takes minutes.
COMPANIES = [
    faulty,
    *(
        pytest.param(made, marks=pytest.mark.skipif("ICP_SPARK_COMPANIES" not in os.environ, reason="takes minutes"))
        for made in (orders_only, deals_only, one_order, adventureworks)
    ),
]


@pytest.mark.parametrize("made", COMPANIES, ids=lambda made: made.__name__)
def test_a_company_has_the_same_marts_and_rejects(work: Path, spark: Any, on_spark: Any, fetched: list[int], made: Any) -> None:
    files = work / made.__name__
    prepare(files) if made is adventureworks else company(files, **made())
    variables = {"connectors": ["files"], "files_dir": str(files)}
    variables |= {"learning_max_rows": 30} if made is faulty else {}
    (work / "icp.duckdb").unlink(missing_ok=True)
    beside = started(BUILD, work, "duckdb", variables)
    failed = on_spark(BUILD, variables)
    most = max(fetched)
    said = beside.communicate()[0]
    assert beside.returncode == 0, said[-6000:]
    assert failed == []
    assert differences(work / "icp.duckdb", spark) == {}
    # Of the faulty company's accounts only the sample's traits have come to this process.
    assert made is not faulty or most < spark.table("intermediate.int_accounts__traits").count()


def test_a_folder_of_csv_stops_with_one_sentence(work: Path, on_spark: Any) -> None:
    (work / "csv").mkdir()
    (work / "csv" / "accounts.csv").write_text("account_id\na\n")
    [said] = on_spark(["build"], {"connectors": ["files"], "files_dir": str(work / "csv")})
    assert "accounts.csv is not for Spark, which reads Parquet: `icp convert" in said
    assert "Traceback" not in said
