"""Which contract renews which, on random customers full of ties, against the definition written down in Python."""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from conftest import build, frame

pytestmark = pytest.mark.slow
GRACE, OVERLAP, OVERLAP_OF_RENEWALS = 30, 31, 92
Row = dict[str, str]


def random_company(folder: Path, accounts: int, seed: int) -> dict[str, list[Row]]:
    """Accounts with up to ten orders of a few lines around the same days, so that ends and starts tie; written as CSV."""
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
            tables["opportunities"].append(deal | {"is_closed": "true", "is_won": "true", "created_at": "2022-01-01", "closed_at": str(closed)})
            for line in range(rng.choice([1, 1, 2, 4])):
                own = start + timedelta(days=rng.choice([0, 0, 0, 5]))
                key = {"order_line_id": f"L{rng.randint(100, 999)}-{order}-{line}", "order_id": order}
                amount, product = rng.choice(["1200", "1200", "0", "-50"]), rng.choice(["p", "p", "p", "q", ""])
                tables["order_lines"].append(key | {"product_id": product, "amount": amount, "line_type": "recurring", "starts_on": str(own)})
    folder.mkdir()
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return tables


def renewals(tables: dict[str, list[Row]]) -> dict[str, str]:
    """The line that each renewing line renews, by the definition: the closest pair first, then the next of those still free."""
    orders = {row["order_id"]: row for row in tables["orders"]}
    as_of = max(row["closed_at"] for row in tables["orders"])
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
                if is_later and is_free and -overlap <= apart <= GRACE and new["end"] > old["cut"] and new["cut"] >= new["start"]:
                    pairs.append((abs(apart), new["start"], later["closed_at"], new["id"], old["start"], old["id"]))
        for _, _, _, new, _, old in sorted(pairs):
            if new not in found and old not in found.values():
                found[new] = old
    return found


def test_one_line_renews_one_line_the_closest_pair_first(tmp_path: Path) -> None:
    tables = random_company(tmp_path / "files", accounts=1500, seed=11)
    select = "+int_contracts +int_orders__priced +input_rejects"
    result = build(tmp_path / "build", tmp_path / "files", select=select, unit_tests=False)
    assert frame(result.database, "input.input_rejects").empty
    contracts = frame(result.database, "(select * from intermediate.int_contracts where is_renewal_inferred)")
    found = contracts.set_index("order_line_id")["renews_order_line_id"].to_dict()
    expected = renewals(tables)
    assert len(expected) > 500
    assert found == expected
    types = frame(result.database, "intermediate.int_orders__priced").set_index("order_id")["order_type"]
    of_lines = {row["order_line_id"]: row["order_id"] for row in tables["order_lines"]}
    renewing = types[types != "credit"].index.intersection({of_lines[line] for line in expected})
    assert set(types[renewing]) == {"renewal"}
