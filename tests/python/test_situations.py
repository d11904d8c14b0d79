"""Situations that companies really have, each with the rows that follow from the input contract, worked out by hand.

A folder of `tests/fixtures/` is a situation: its input, and in `expected/` what some marts say of its accounts. All situations
are accounts of one company, so that two builds serve them all: one with orders, and one of the `no_orders_...`, without any.
"""

from __future__ import annotations

import csv
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT, BuildResult, build, frame, once

pytestmark = pytest.mark.slow
FIXTURES = ROOT / "tests" / "fixtures"
EXPECTED = sorted(FIXTURES.glob("*/expected/*.csv"))
AS_OF = "2025-03-31"
# Headers, names of files and delimiters as people write them; the other files are plain.
SPELLINGS = {"accounts": ("Accounts.csv", ";"), "orders": ("ORDERS.csv", "\t"), "order_lines": ("order_lines.csv", "|")}
Rows = list[dict[str, str]]


def read(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def unite(situations: list[Path], folder: Path) -> Path:
    """Write the input of all situations as one company, and a visit on the day that is to be as_of."""
    rows: dict[str, Rows] = {}
    for path in [path for situation in situations for path in sorted(situation.glob("*.csv"))]:
        rows.setdefault(path.stem, []).extend(read(path))
    visit = {"engagement_id": "visit", "account_id": rows["accounts"][0]["account_id"], "engagement_type": "demo"}
    rows["engagements"] = [visit | {"occurred_at": f"{AS_OF}T12:00"}]
    folder.mkdir()
    for entity, each in rows.items():
        name, delimiter = SPELLINGS.get(entity, (f"{entity}.csv", ","))
        header = list(dict.fromkeys(column for row in each for column in row))
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerow([f" {column.replace('_', ' ').title()}" if entity in SPELLINGS else column for column in header])
            writer.writerows([row.get(column, "") for column in header] for row in each)
    return folder


@pytest.fixture(scope="session")
def companies(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, BuildResult]:
    """The company without orders (True) and the one with orders (False)."""
    marts = sorted({path.stem for path in EXPECTED if path.stem not in ("input_rejects", "input_dropped_values")})
    select = " ".join(f"+{name}" for name in [*marts, "quality_rejects", "input_dropped_values"])

    def make(folder: Path) -> dict[bool, BuildResult]:
        built = {}
        for without in (False, True):
            chosen = [path for path in FIXTURES.iterdir() if path.is_dir() and path.name.startswith("no_orders") == without]
            files = unite(sorted(chosen), folder / f"files_{without}")
            built[without] = build(folder / f"build_{without}", files, select=select, unit_tests=False)
        return built

    return once(tmp_path_factory, "situations", make)


def plain(value: Any) -> str:
    """A value as text: numbers without zeros at their end, nothing for what is missing."""
    if value is None or value != value:
        return ""
    text = str(value).lower() if isinstance(value, bool) else f"{value:.12g}" if isinstance(value, float) else str(value)
    try:
        return f"{Decimal(text).normalize():f}"
    except InvalidOperation:
        return text


@pytest.mark.parametrize("path", EXPECTED, ids=lambda path: f"{path.parts[-3]}: {path.stem}")
def test_the_marts_say_what_follows_from_the_contract(path: Path, companies: dict[bool, BuildResult]) -> None:
    situation, mart = path.parents[1], path.stem
    with path.open(newline="", encoding="utf-8") as file:
        columns, *expected = list(csv.reader(file))
    expected = sorted([plain(value) for value in row] for row in expected)
    schema = "input" if mart.startswith("input_") else "marts"
    found = frame(companies[situation.name.startswith("no_orders")].database, f"{schema}.{mart}")
    # Of all customers together: some months of a cohort in which nobody else is.
    if mart == "cohort_retention":
        keys = {tuple(row[:3]) for row in expected}
        found = found[[tuple(plain(row[name]) for name in columns[:3]) in keys for _, row in found.iterrows()]]
    else:
        of_situation = {value for file in situation.glob("*.csv") for row in read(file) for value in [next(iter(row.values()))]}
        found = found[found["row_id" if schema == "input" else "account_id"].isin(of_situation)]
    assert sorted([plain(row[name]) for name in columns] for _, row in found.iterrows()) == expected
