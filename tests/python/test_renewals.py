"""Which contract renews which, and what follows for MRR: random customers full of ties, and known cases."""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from conftest import BuildResult, build, frame

pytestmark = pytest.mark.slow
GRACE, OVERLAP, OVERLAP_OF_RENEWALS = 30, 31, 92
Row = dict[str, str]


def random_company(accounts: int, seed: int) -> dict[str, list[Row]]:
    """Accounts with up to ten orders of a few lines around the same days, so that ends and starts tie."""
    rng = random.Random(seed)
    tables: dict[str, list[Row]] = {"accounts": [], "orders": [], "order_lines": [], "opportunities": []}
    for account in range(accounts):
        tables["accounts"].append({"account_id": f"A{account}"})
        days = rng.choice([[0, 30, 31, 60], [0, 7, 14, 92, 93], list(range(0, 400, 15))])
        for number in range(rng.randint(1, 10)):
            order = f"O{account}-{rng.randint(10, 99)}-{number}"
            closed = date(2022, 1, 1) + timedelta(days=rng.choice(days) + rng.choice([0, 0, 0, 31]))
            start = closed + timedelta(days=rng.choice([0, 0, 1, 20, 300]))
            end = start + timedelta(days=rng.choice([27, 30, 89, 364]))
            cut = start + timedelta(days=rng.choice([-3, 10, 200])) if rng.random() < 0.15 else None
            replaced = rng.choice([row["order_id"] for row in tables["orders"][-3:]] or [""]) if rng.random() < 0.1 else ""
            row = {"order_id": order, "account_id": f"A{account}", "order_status": "closed_won", "closed_at": str(closed)}
            row |= {"starts_on": str(start), "ends_on": str(end), "terminated_on": str(cut or ""), "replaces_order_id": replaced}
            tables["orders"].append(row | {"opportunity_id": f"P{order}" if rng.random() < 0.5 else ""})
            kind = rng.choice(["renewal", "new_business", ""])
            deal = {"opportunity_id": f"P{order}", "account_id": f"A{account}", "opportunity_type": kind, "stage": "Won"}
            tables["opportunities"].append(
                deal | {"is_closed": "true", "is_won": "true", "created_at": "2022-01-01", "closed_at": str(closed)}
            )
            for line in range(rng.choice([1, 1, 2, 4])):
                own = start + timedelta(days=rng.choice([0, 0, 0, 5]))
                key = {"order_line_id": f"L{rng.randint(100, 999)}-{order}-{line}", "order_id": order}
                amount, product = rng.choice(["1200", "1200", "0", "-50"]), rng.choice(["p", "p", "p", "q", ""])
                tables["order_lines"].append(
                    key | {"product_id": product, "amount": amount, "line_type": "recurring", "starts_on": str(own)}
                )
    return tables


# Account, order, first and last day (none: open-ended), amount, and what else its line or its order says.
CASES = [
    ("staggered", "A1", "2023-04-01", "2024-03-31", "12000", {}),
    ("staggered", "A2", "2023-07-01", "2024-06-30", "6000", {}),
    ("staggered", "A3", "2024-04-01", "2025-03-31", "12000", {}),
    ("staggered", "A4", "2024-07-01", "2025-06-30", "6000", {}),
    ("more seats", "B1", "2023-01-01", "2023-12-31", "12000", {}),
    ("more seats", "B2", "2023-11-01", "2024-10-31", "6000", {}),
    ("more seats", "B3", "2024-01-01", "2024-12-31", "12000", {}),
    ("in euros", "E1", "2023-01-01", "2023-12-31", "6000", {"currency_code": "EUR"}),
    ("in euros", "E2", "2023-01-01", "2023-12-31", "6000", {"currency_code": "EUR"}),
    ("in euros", "E3", "2024-01-01", "2024-12-31", "6000", {"currency_code": "EUR"}),
    ("in euros", "E4", "2024-01-01", "2024-12-31", "6000", {"currency_code": "EUR"}),
    ("trial", "T1", "2024-01-01", "2024-01-31", "0", {}),
    ("trial", "T2", "2024-02-01", "2025-01-31", "1200", {}),
    ("trial only", "T3", "2024-01-01", "2024-01-31", "0", {}),
    ("open-ended", "U1", "2024-03-01", "", "300", {"billing_months": "3"}),
    ("terminated", "U2", "2024-03-01", "", "100", {"terminated_on": "2024-09-30"}),
    ("credited", "K1", "2024-01-01", "2024-12-31", "1200", {}),
    ("credited", "K2", "2024-06-01", "", "-100", {}),
    # Closes the data, so that all of the above has happened.
    ("newest", "Z1", "2024-12-31", "2025-12-30", "12", {}),
]


def known_cases() -> dict[str, list[Row]]:
    tables = {"accounts": [{"account_id": name} for name in {case[0] for case in CASES}], "orders": [], "order_lines": []}
    for account, order, start, end, amount, other in CASES:
        key = {"order_id": order, "account_id": account, "order_status": "closed_won", "closed_at": start, "starts_on": start}
        of_order = {name: other.get(name, "") for name in ("terminated_on", "currency_code")}
        tables["orders"].append(key | {"ends_on": end, "replaces_order_id": "", "opportunity_id": ""} | of_order)
        line = {"order_line_id": f"of {order}", "order_id": order, "product_id": "p", "amount": amount, "line_type": "recurring"}
        tables["order_lines"].append(line | {"starts_on": start, "billing_months": other.get("billing_months", "")})
    rates = [("2022-01-01", "1.00"), ("2024-01-01", "1.50")]
    tables["exchange_rates"] = [{"currency_code": "EUR", "valid_from": day, "rate": rate} for day, rate in rates]
    return tables


def write(folder: Path, *companies: dict[str, list[Row]]) -> Path:
    """The companies as one, in CSV."""
    folder.mkdir()
    for name in {name for company in companies for name in company}:
        rows = [row for company in companies for row in company.get(name, [])]
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
            columns = list(dict.fromkeys(column for row in rows for column in row))
            writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def renewals(tables: dict[str, list[Row]], as_of: str) -> dict[str, str]:
    """The line that each renewing line renews, by the definition: the closest pair first, then the next of those still free."""
    orders = {row["order_id"]: row for row in tables["orders"]}
    types = {row["opportunity_id"]: row["opportunity_type"] for row in tables["opportunities"]}

    def replaced_by(order: Row) -> str | None:
        old = orders.get(order["replaces_order_id"])
        if old is None or old["account_id"] != order["account_id"] or old["closed_at"] > order["closed_at"]:
            return None
        mutual = old["closed_at"] == order["closed_at"] and old["replaces_order_id"] == order["order_id"]
        return None if mutual else old["order_id"]

    names = {key: replaced_by(order) for key, order in orders.items() if replaced_by(order)}
    by_group: dict[tuple[str, str], list[dict]] = {}
    for row in tables["order_lines"]:
        order = orders[row["order_id"]]
        if float(row["amount"]) < 0:
            continue
        start, end = date.fromisoformat(row["starts_on"]), date.fromisoformat(order["ends_on"])
        # A termination that lies ahead has not happened.
        cut = date.fromisoformat(order["terminated_on"]) if "" < order["terminated_on"] <= as_of else end
        line = {"id": row["order_line_id"], "order": order, "start": start, "end": end, "cut": min(end, cut)}
        by_group.setdefault((order["account_id"], row["product_id"]), []).append(line)
    found = {}
    for lines in by_group.values():
        pairs = []
        for old in lines:
            for new in lines:
                first, later = old["order"], new["order"]
                overlap = OVERLAP_OF_RENEWALS if types.get(later["opportunity_id"]) == "renewal" else OVERLAP
                apart = (new["start"] - old["cut"]).days
                is_later = (first["closed_at"], first["order_id"]) < (later["closed_at"], later["order_id"])
                is_free = first["order_id"] not in names.values() and later["order_id"] not in names
                is_free = is_free and names.get(first["order_id"]) != later["order_id"]
                if is_later and is_free and -overlap <= apart <= GRACE and new["end"] > old["cut"] and new["cut"] >= new["start"]:
                    pairs.append((abs(apart), new["start"], later["closed_at"], new["id"], old["start"], old["id"]))
        for _, _, _, new, _, old in sorted(pairs):
            if new not in found and old not in found.values():
                found[new] = old
    return found


RANDOM = random_company(accounts=1500, seed=11)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """Both companies as one, built up to orders, contracts and MRR."""
    folder = tmp_path_factory.mktemp("renewals")
    select = "+int_contracts +int_orders__priced +int_accounts__monthly_activity +input_rejects"
    return build(folder, write(folder / "files", RANDOM, known_cases()), select=select, unit_tests=False)


def test_one_line_renews_one_line_the_closest_pair_first(built: BuildResult) -> None:
    assert frame(built.database, "input.input_rejects").empty
    contracts = frame(built.database, "(select * from intermediate.int_contracts where is_renewal_inferred)")
    contracts = contracts[~contracts["order_line_id"].str.startswith("of ")]
    found = contracts.set_index("order_line_id")["renews_order_line_id"].to_dict()
    expected = renewals(RANDOM, as_of="2024-12-31")
    assert len(expected) > 500
    assert found == expected
    types = frame(built.database, "intermediate.int_orders__priced").set_index("order_id")["order_type"]
    assert set(types[contracts["order_id"].unique()]) == {"renewal", "credit"}


def mrr_by_month(built: BuildResult, account: str) -> dict[str, float]:
    activity = frame(
        built.database, f"(select * from intermediate.int_accounts__monthly_activity where account_id = '{account}')"
    )
    return {str(row.month)[:7]: float(row.mrr) for row in activity.sort_values("month").itertuples() if row.mrr_change}


@pytest.mark.parametrize(
    ("account", "mrr"),
    [
        ("staggered", {"2023-04": 1000, "2023-07": 1500}),
        ("more seats", {"2023-01": 1000, "2023-11": 1500, "2024-11": 1000}),
        ("in euros", {"2023-01": 1000}),
        ("trial", {"2024-02": 100}),
        ("trial only", {}),
        ("open-ended", {"2024-03": 100}),
        ("terminated", {"2024-03": 100, "2024-10": 0}),
        ("credited", {"2024-01": 100}),
    ],
)
def test_mrr_changes_where_something_changed(built: BuildResult, account: str, mrr: dict[str, float]) -> None:
    assert mrr_by_month(built, account) == mrr


def test_two_renewals_of_one_day_each_renew_a_line(built: BuildResult) -> None:
    orders = frame(built.database, "(select * from intermediate.int_orders__priced where account_id = 'in euros')")
    assert orders.set_index("order_id")["order_type"].to_dict() == {
        "E1": "new_business",
        "E2": "expansion",
        "E3": "renewal",
        "E4": "renewal",
    }
    contracts = frame(built.database, "(select * from intermediate.int_contracts where account_id = 'in euros')")
    renewed = contracts.set_index("order_line_id")["renews_order_line_id"].dropna()
    assert renewed.to_dict() == {"of E3": "of E1", "of E4": "of E2"}


def test_a_trial_and_a_credit_are_no_purchase(built: BuildResult) -> None:
    orders = frame(built.database, "intermediate.int_orders__priced").set_index("order_id")
    assert orders["order_type"][["T1", "T2", "T3", "K1", "K2"]].tolist() == [
        "credit",
        "renewal",
        "credit",
        "new_business",
        "credit",
    ]
    activity = frame(built.database, "intermediate.int_accounts__monthly_activity").groupby("account_id")["cohort_month"].first()
    assert pd.Timestamp(activity["trial"]) == pd.Timestamp("2024-02-01")
    assert "trial only" not in activity
