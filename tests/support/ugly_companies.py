"""Random companies with what breaks statistics: zeros, ties, negatives, missing values, copies, odd spellings and currencies.

Their orders and merges are those of `worlds.py`; traits, deals and spellings come on top.
"""

from __future__ import annotations

import csv
import random
from datetime import timedelta
from pathlib import Path

from reference import COLUMNS
from worlds import FIRST_DAY, LAST_DAY, write_worlds

Table = list[list[str]]
# How a company keeps the numbers of its accounts.
NUMBERS = {
    "none": lambda rng: "",
    "zeros": lambda rng: "0",
    "ties": lambda rng: rng.choice(["50", "50", "50", "200"]),
    "ranges": lambda rng: rng.choice(["11-50", "1000+", "about 50", "7"]),
    "signs": lambda rng: rng.choice(["-5", "0", "3", "-1e6"]),
    "any": lambda rng: f"{rng.lognormvariate(5, 2):.0f}",
    "huge": lambda rng: rng.choice(["999999999", "1", "1,234,567"]),
}
WORDS = [
    ["Only"],
    ["Retail", "Energy", "Media"],
    ["Retail", "retail ", "", " N/A ", "None", "Ünïcode 訂單", "a, b", 'the "Big" One'],
]
TYPES = ["new_business", "New Business", "new-business", "expansion", "Renewal", "New Customer", ""]


def write_company(folder: Path, seed: int) -> Path:
    """Write one company as CSV files; the same seed gives the same bytes."""
    rng = random.Random(seed)
    accounts = rng.choice([15, 60, 150, 400])
    write_worlds(folder, seed, accounts, rejects=rng.random() < 0.5, with_orders=rng.random() < 0.7)
    tables = {path.stem: _read(path) for path in sorted(folder.glob("*.csv"))}
    ids = _add_traits(rng, tables["accounts"])
    _add_deals(rng, tables, ids)
    for entity, table in tables.items():
        _write(rng, folder / f"{entity}.csv", table)
    return folder


def _read(path: Path) -> Table:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def _add_traits(rng: random.Random, table: Table) -> list[str]:
    """Give each account traits, of kinds that the company has by chance; returns the ids."""
    header, *rows = table
    kinds = {name: NUMBERS[rng.choice([*NUMBERS])] for name in ("employee_count", "annual_revenue")}
    words = {name: rng.choice(WORDS) for name in ("industry", "region", "country") if name not in header}
    width = len(header)
    place = header.index("account_id")
    header += [*kinds, *words]
    for number, row in enumerate(rows):
        if len(row) == width:
            row += [kind(rng) for kind in kinds.values()]
            row += [rng.choice(each) if len(each) != 1 or rng.random() < 0.9 else f"only {number}" for each in words.values()]
    return [row[place] for row in rows if len(row) == len(header) and row[place]]


def _add_deals(rng: random.Random, tables: dict[str, Table], ids: list[str]) -> None:
    """First deals of most accounts, won or lost: some without an amount, some of 0, some below, some equal; and what only winners
    have on file."""
    names = [column.name for column in COLUMNS["opportunities"]]
    zero, missing = rng.choice([0, 0.015, 0.015, 0.5, 1]), rng.choice([0, 0, 0.1, 0.7, 1])
    lost = rng.choice([0, 0.3, 0.6, 0.95])
    tie = rng.random() < 0.3
    header, *rows = tables.setdefault("opportunities", [names])
    header += [name for name in names if name not in header]
    for row in rows:
        row += [""] * (len(header) - len(row)) if len(row) > 2 else []
    attributes = tables.setdefault("account_attributes", [["account_id", "attribute", "value"]])[0]
    for number, account in enumerate(ids):
        if rng.random() < 0.2:
            continue
        created = FIRST_DAY + timedelta(days=rng.randint(0, (LAST_DAY - FIRST_DAY).days - 90))
        won = rng.random() >= lost
        amount = "1000" if tie else f"{rng.lognormvariate(8, 1.5):.2f}"
        amount = "0" if rng.random() < zero else "-20" if rng.random() < 0.01 else amount
        deal = {
            "opportunity_id": f"u{number}",
            "account_id": account,
            "opportunity_type": rng.choice(TYPES[:3] if rng.random() < 0.8 else TYPES),
            "is_closed": rng.choice(["true", "Y", "1"]),
            "is_won": "t" if won else "no",
            "amount": "" if rng.random() < missing else amount,
            "lead_source": rng.choice(["web", "event", "", "paid_social"]),
            "created_at": str(created),
            "closed_at": str(created + timedelta(days=rng.choice([0, 1, 30, 90, rng.randint(0, 90)]))),
        }
        tables["opportunities"].append([deal.get(name, "") for name in header])
        if won and rng.random() < 0.8:
            extra = {"account_id": account, "attribute": "billing_tier", "value": rng.choice(["gold", "silver"])}
            tables["account_attributes"].append([extra.get(name, "") for name in attributes])
    if rng.random() < 0.5:  # copies
        tables["opportunities"] += [list(row) for row in rng.sample(tables["opportunities"][1:], 2)]


def _write(rng: random.Random, path: Path, table: Table) -> None:
    """With a delimiter and a header as some export has them."""
    delimiter = rng.choice([",", ",", ";", "\t", "|"])
    spell = rng.choice([str, str.title, str.upper, lambda name: f" {name.replace('_', '-')} "])
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow([spell(name) for name in table[0]])
        writer.writerows(table[1:])
