"""Each mart, cell by cell, against the independent computation in `reference.py`."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from conftest import ROOT, SAMPLE, BuildResult, build, copy_project, frame
from reference import FIXED_COLUMNS, GRAIN, MALFORMED, month_of, parse, read_folder, reference
from worlds import write_worlds

pytestmark = pytest.mark.slow
MARTS = tuple(FIXED_COLUMNS)
# What is built: the marts that are compared.
MONEY = {
    "select": " ".join(f"+{table}" for table in [*MARTS, "input_rejects", "input_dropped_values"]),
    "unit_tests": False,
    "data_tests": False,
}
Frames = dict[str, pd.DataFrame]


def excluded_accounts() -> list[str]:
    with (ROOT / "seeds" / "reference" / "excluded_accounts.csv").open(newline="", encoding="utf-8") as file:
        return [row["account_id"] for row in csv.DictReader(file)]


def plain(value: Any) -> Any:
    """A cell as a value of Python: NaN and NaT are None, moments are UTC without a time zone."""
    if value is None or value is pd.NaT or value != value:
        return None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def same(left: Any, right: Any) -> bool:
    """Exactly equal; floats to 1e-9."""
    if isinstance(left, float) or isinstance(right, float):
        return left is not None and right is not None and abs(float(left) - float(right)) <= 1e-9
    return left == right


def differences(expected: pd.DataFrame, found: pd.DataFrame, key: list[str]) -> list[str]:
    """Every row that only one side has, and every cell that differs, as one line of text each."""
    rows = []
    for side in (expected, found):
        cells = [[plain(value) for value in row] for row in side[list(expected.columns)].values.tolist()]
        by_key = {tuple(row[expected.columns.get_loc(name)] for name in key): row for row in cells}
        assert len(by_key) == len(cells), f"{key} is not a key"
        rows.append(by_key)
    left, right = rows
    result = [f"{name}: only in the reference: {left[name]}" for name in left.keys() - right.keys()]
    result += [f"{name}: only in the mart: {right[name]}" for name in right.keys() - left.keys()]
    for name in left.keys() & right.keys():
        for column, mine, theirs in zip(expected.columns, left[name], right[name], strict=True):
            if not same(mine, theirs):
                result.append(f"{name}.{column}: reference {mine!s}, mart {theirs!s}")
    return sorted(result)


def assert_same(expected: Frames, database: Path, mart: str) -> None:
    found = frame(database, f"marts.{mart}")
    if "segment_id" in GRAIN[mart]:
        found = found[found["segment_id"] == "all"]
    different = differences(expected[mart], found, GRAIN[mart])
    assert not different, f"{mart}: {len(different)} differences\n" + "\n".join(different[:40])


def assert_same_rejects(expected: Frames, database: Path) -> None:
    counted = "(select entity, rule, count(*) as rows from input.input_rejects group by all)"
    different = differences(expected["input_rejects"], frame(database, counted), ["entity", "rule"])
    counted = "(select entity, column_name, count(*) as rows from input.input_dropped_values group by all)"
    different += differences(expected["input_dropped_values"], frame(database, counted), ["entity", "column_name"])
    assert not different, "\n".join(different)


def expectation(folder: Path, excluded: Iterable[str] = (), **options: Any) -> Frames:
    return reference(read_folder(folder), excluded=excluded, **options)


# The demo company


@pytest.fixture(scope="module")
def demo_expected() -> Frames:
    return expectation(SAMPLE, excluded_accounts())


@pytest.mark.parametrize("mart", MARTS)
def test_demo_company(demo: BuildResult, demo_expected: Frames, mart: str) -> None:
    assert len(demo_expected[mart]) > 0
    assert_same(demo_expected, demo.database, mart)


def test_demo_company_rejects(demo: BuildResult, demo_expected: Frames) -> None:
    assert len(demo_expected["input_rejects"]) > 0
    assert_same_rejects(demo_expected, demo.database)


EARLIER = date(2024, 6, 30)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildResult, Frames]:
    """The demo company's files as they were at the end of an earlier day."""
    result = build(tmp_path_factory.mktemp("earlier"), SAMPLE, vars={"as_of": EARLIER.isoformat()}, **MONEY)
    return result, expectation(SAMPLE, excluded_accounts(), as_of=EARLIER)


@pytest.mark.parametrize("mart", MARTS)
def test_demo_company_at_an_earlier_day(earlier: tuple[BuildResult, Frames], mart: str) -> None:
    result, expected = earlier
    assert_same(expected, result.database, mart)


# AdventureWorks


@pytest.fixture(scope="module")
def adventureworks_expected(adventureworks_files: Path) -> Frames:
    return expectation(adventureworks_files, excluded_accounts())


@pytest.mark.parametrize("mart", MARTS)
def test_adventureworks(adventureworks: BuildResult, adventureworks_expected: Frames, mart: str) -> None:
    assert_same(adventureworks_expected, adventureworks.database, mart)


def test_adventureworks_rejects(adventureworks: BuildResult, adventureworks_expected: Frames) -> None:
    assert_same_rejects(adventureworks_expected, adventureworks.database)


# Random companies: a seed, and how the build is asked for


WORLDS = {
    1: {},
    2: {"as_of": date(2023, 2, 14), "renewal_grace_days": 0},
    3: {"as_of": date(2024, 2, 29), "reporting_currency": "EUR", "renewal_grace_days": 60},
}
DEALS_ONLY = 4


def build_world(folder: Path, excluded: Iterable[str], files: Path, options: dict[str, Any]) -> BuildResult:
    """Build a folder of random companies with a copy of the project that excludes some of their accounts."""
    listed = io.StringIO()
    csv.writer(listed).writerows([("account_id", "reason"), *((name, "test") for name in sorted(excluded))])
    project = copy_project(folder / "project", {"reference/excluded_accounts.csv": listed.getvalue()})
    variables = {name: str(value) if isinstance(value, date) else value for name, value in options.items()}
    return build(folder / "build", files, vars=variables, project=project, **MONEY | {"data_tests": options == {}})


@pytest.fixture(scope="module", params=[*WORLDS, DEALS_ONLY], ids="seed {}".format)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[BuildResult, Frames]:
    """Some 300 random accounts in one build, and what the reference says of them."""
    folder = tmp_path_factory.mktemp(f"world_{request.param}")
    excluded = write_worlds(folder / "files", request.param, with_orders=request.param != DEALS_ONLY)
    options = WORLDS.get(request.param, {})
    expected = expectation(folder / "files", excluded, **options)
    return build_world(folder, excluded, folder / "files", options), expected


@pytest.mark.parametrize("mart", MARTS)
def test_random_companies(world: tuple[BuildResult, Frames], mart: str) -> None:
    result, expected = world
    assert_same(expected, result.database, mart)


def test_random_companies_rejects(world: tuple[BuildResult, Frames]) -> None:
    result, expected = world
    assert_same_rejects(expected, result.database)


def test_the_random_companies_take_every_turn(tmp_path: Path) -> None:
    """The comparison above is worth what these worlds hold: each turn is there several times."""
    seen: Counter[str] = Counter()
    for seed, options in WORLDS.items():
        expected = expectation(tmp_path / str(seed), write_worlds(tmp_path / str(seed), seed), **options)
        seen.update(expected["fct_orders"]["order_type"])
        seen.update(expected["fct_mrr_movements"]["movement"])
        seen.update(expected["fct_order_lines"]["line_kind"])
        seen.update(expected["input_rejects"]["rule"])
        seen["dropped value"] += expected["input_dropped_values"]["rows"].sum()
        contracts = expected["fct_contracts"]
        seen["open-ended"] += contracts["ends_on"].isna().sum()
        contracts = contracts[contracts["ends_on"].notna()]
        never = contracts["ends_on"] < contracts["starts_on"]
        renewed = contracts["order_line_id"].isin(set(contracts["renews_order_line_id"].dropna()))
        short = contracts["starts_on"].map(month_of) == contracts["ends_on"].map(month_of)
        seen["kept over a gap"] += (contracts["live_until"] > contracts["ends_on"]).sum()
        seen["superseded early"] += (contracts["live_until"] < contracts["ends_on"]).sum()
        seen["renews"] += contracts["renews_order_line_id"].notna().sum()
        seen["never began"] += never.sum()
        seen["never began and renewed"] += (never & renewed).sum()
        seen["within one month"] += short.sum()
        seen["within one month and renewed"] += (short & renewed).sum()
        seen["unknown margin"] += expected["fct_orders"]["margin_amount"].isna().sum()
        seen["no MRR at the start"] += (expected["cohort_retention"]["starting_mrr"] == 0).sum()
        seen["never active"] += expected["fct_customers"]["cohort_month"].isna().sum()
    rules = {
        "missing_value",
        "unreadable_value",
        "implausible_date",
        "not_allowed_value",
        "exact_duplicate",
        "conflicting_duplicate",
        "unknown_account",
        "unknown_order",
        "unknown_opportunity",
        "unknown_contact",
        "unknown_campaign",
        "unknown_currency",
        "ends_before_start",
        "term_mismatch",
        "rejected_line",
        "order_rejected",
        "malformed_line",
        "won_not_closed",
    }
    kinds = {"new_business", "renewal", "credit", "new", "expansion", "contraction", "churn", "reactivation"}
    kinds |= {"contract", "transaction", "credit"}
    assert not {turn for turn in kinds | rules | set(seen) if seen[turn] < 3}, seen


# as_of


def cut(raw: Frames, day: date) -> Frames:
    """The data as they were at the end of a day: later rows are gone, deals that closed later are open."""

    def by_then(values: pd.Series) -> pd.Series:
        return values.map(lambda text: text is None or parse("timestamp", text).date() <= day)

    result = dict(raw)
    for entity, moment in {
        "orders": "closed_at",
        "opportunities": "created_at",
        "opportunity_stages": "entered_at",
        "engagements": "occurred_at",
        "exchange_rates": "valid_from",
    }.items():
        kept = by_then(raw[entity][moment])
        if entity == "orders":
            kept |= raw[entity]["order_status"] == "open"  # its date is only expected
        result[entity] = raw[entity][kept].copy()
    orders, lines, deals = result["orders"], raw["order_lines"], result["opportunities"]
    result["order_lines"] = lines[lines["order_id"].isin(orders["order_id"])]
    orders.loc[~by_then(orders["terminated_on"]), "terminated_on"] = None
    deals.loc[~by_then(deals["closed_at"]), ["is_closed", "is_won"]] = "false"
    return result


def test_as_of_equals_data_cut_at_that_day(tmp_path: Path) -> None:
    excluded = write_worlds(tmp_path / "files", seed=5, rejects=False)
    raw = read_folder(tmp_path / "files")
    for day in (date(2021, 3, 30), date(2022, 7, 31), date(2023, 2, 14)):
        expected = reference(raw, as_of=day, excluded=excluded)
        earlier = cut(raw, day)
        on_cut_data = reference(earlier, as_of=day, excluded=excluded)
        for mart in MARTS:
            assert not differences(expected[mart], on_cut_data[mart], GRAIN[mart]), (day, mart)
    (tmp_path / "cut").mkdir()
    for entity, rows in earlier.items():
        rows.drop(columns=MALFORMED).to_csv(tmp_path / "cut" / f"{entity}.csv", index=False)
    result = build_world(tmp_path, excluded, tmp_path / "cut", {"as_of": day})
    for mart in MARTS:
        assert_same(expected, result.database, mart)
