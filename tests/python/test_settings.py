"""Each variable has its effect, worked out by hand here; a value that cannot be used stops the run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from conftest import BuildResult, InputBuild, build, copy_project, frame, one_sentence

# Two yearly contracts end in the middle of December; one is renewed 26 days later, one 57 days later.
FILES = {
    "accounts": """
account_id,account_name,merged_into_account_id
rates,Rates,
weeks,Weeks,
soon,Soon,
late,Late,
own,Own staff,
merged into own,Doubled,own
own into other,Own staff too,other
other,Other,
""",
    "orders": """
order_id,account_id,order_status,closed_at,currency_code,amount,starts_on,ends_on
in dollars,rates,closed_won,2023-05-01,USD,100,,
in euros,rates,closed_won,2023-05-02,EUR,100,,
in no currency,rates,closed_won,2023-05-03,,100,,
in francs,rates,closed_won,2023-05-04,CHF,100,,
wednesday,weeks,closed_won,2024-01-31T12:00:00,EUR,1,,
saturday,weeks,closed_won,2024-02-03,EUR,1,,
sunday,weeks,closed_won,2024-02-04T23:59:59,EUR,1,,
december,weeks,closed_won,2022-12-31T23:59:59,EUR,1,,
last,weeks,closed_won,2024-07-15,EUR,1,,
soon 1,soon,closed_won,2022-12-01,EUR,1200,2022-12-16,2023-12-15
soon 2,soon,closed_won,2023-12-02,EUR,1200,2024-01-10,2025-01-09
late 1,late,closed_won,2022-12-01,EUR,1200,2022-12-16,2023-12-15
late 2,late,closed_won,2023-12-02,EUR,1200,2024-02-10,2025-02-09
of own,own,closed_won,2023-01-01,EUR,1,,
of doubled,merged into own,closed_won,2023-01-01,EUR,1,,
of own too,own into other,closed_won,2023-01-01,EUR,1,,
of other,other,closed_won,2023-01-01,EUR,1,,
""",
    "exchange_rates": """
currency_code,valid_from,rate
USD,2020-01-01,0.9
EUR,2020-01-01,1.1
""",
    "opportunities": """
opportunity_id,account_id,is_closed,is_won,created_at,closed_at
own deal,own,true,true,2022-01-01,2023-01-01
other deal,other,true,true,2022-01-01,2023-01-01
""",
    "engagements": """
engagement_id,account_id,engagement_type,occurred_at
visit,own,demo,2023-01-01
""",
}

Company = Callable[..., BuildResult]


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """A function that builds the little company above, once for each choice of variables: all of it with none, else what is read.

    The project is a copy that excludes an account to which another was merged, and one merged into another.
    """
    folder = tmp_path_factory.mktemp("company")
    for entity, text in FILES.items():
        (folder / f"{entity}.csv").write_text(text.lstrip())
    excluded = {"reference/excluded_accounts.csv": "account_id,reason\nown,own staff\nown into other,own staff\n"}
    project = copy_project(tmp_path_factory.mktemp("excluding") / "project", excluded)
    read = "+fct_orders +fct_mrr_movements +cohort_retention +input_rejects"
    built: dict[str, BuildResult] = {}

    def run(**variables: Any) -> BuildResult:
        key = f"{sorted(variables.items())}"
        if key not in built:
            options = {"select": read if variables else None, "unit_tests": False, "data_tests": False, "project": project}
            built[key] = build(tmp_path_factory.mktemp("settings"), folder, variables, **options)
        return built[key]

    return run


DEFAULTS: dict[str, Any] = {}
OTHERS = {
    "reporting_currency": "EUR",
    "fiscal_year_start_month": 2,
    "week_starts_on": "sunday",
    "renewal_grace_days": 60,
    "as_of": "2024-02-29",
}
STRICT = {"fiscal_year_start_month": 12, "week_starts_on": "Wednesday", "renewal_grace_days": 20}


def _orders(result: BuildResult, column: str) -> dict[str, Any]:
    orders = frame(result.database, "marts.fct_orders")
    return dict(zip(orders["order_id"], orders[column], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (DEFAULTS, {"in dollars": 100, "in euros": 110, "in no currency": 100}),
        (OTHERS, {"in dollars": 90, "in euros": 100, "in no currency": 100}),
    ],
    ids=["USD", "EUR"],
)
def test_reporting_currency(variables: dict, expected: dict[str, int], company: Company) -> None:
    """The rate of the reporting currency itself is never used; a currency without a rate is rejected."""
    result = company(**variables)
    amounts = _orders(result, "net_amount")
    assert {name: amounts[name] for name in expected} == {name: Decimal(n) for name, n in expected.items()}
    assert _orders(result, "currency_code")["in no currency"] == variables.get("reporting_currency", "USD")
    rejects = frame(result.database, "input.input_rejects")
    assert list(zip(rejects["row_id"], rejects["rule"], strict=True)) == [("in francs", "unknown_currency")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "december", "january", "february"),
    [
        (DEFAULTS, (2022, 4), (2024, 1), (2024, 1)),
        (OTHERS, (2023, 4), (2024, 4), (2025, 1)),
        (STRICT, (2023, 1), (2024, 1), (2024, 1)),
    ],
    ids=["January", "February", "December"],
)
def test_fiscal_year_start_month(variables: dict, december: tuple, january: tuple, february: tuple, company: Company) -> None:
    """A fiscal year is named after the year in which it ends; its first quarter starts with it."""
    result = company(**variables)
    years, quarters = _orders(result, "fiscal_year"), _orders(result, "fiscal_quarter")
    found = [(years[name], quarters[name]) for name in ("december", "wednesday", "saturday")]
    assert found == [december, january, february]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "wednesday", "saturday", "sunday"),
    [
        (DEFAULTS, date(2024, 1, 29), date(2024, 1, 29), date(2024, 1, 29)),
        (OTHERS, date(2024, 1, 28), date(2024, 1, 28), date(2024, 2, 4)),
        (STRICT, date(2024, 1, 31), date(2024, 1, 31), date(2024, 1, 31)),
    ],
    ids=["Monday", "Sunday", "Wednesday"],
)
def test_week_starts_on(variables: dict, wednesday: date, saturday: date, sunday: date, company: Company) -> None:
    weeks = _orders(company(**variables), "closed_week")
    assert [weeks[name] for name in ("wednesday", "saturday", "sunday")] == [wednesday, saturday, sunday]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "soon", "late"),
    [(STRICT, False, False), (DEFAULTS, True, False), (OTHERS, True, True)],
    ids=["20 days", "30 days", "60 days"],
)
def test_renewal_grace_days(variables: dict, soon: bool, late: bool, company: Company) -> None:
    """A gap within the grace is no churn: the order renews and the old MRR stays until it starts."""
    result = company(**variables)
    types = _orders(result, "order_type")
    assert types["soon 2"] == ("renewal" if soon else "expansion")
    assert types["late 2"] == ("renewal" if late else "expansion")
    movements = frame(result.database, "(from marts.fct_mrr_movements where month < date '2024-07-01')")
    lost = {
        (account, month, movement)
        for account, month, movement in movements[["account_id", "month", "movement"]].itertuples(index=False)
        if movement != "new"
    }
    expected = set()
    if not soon:
        expected |= {("soon", date(2023, 12, 1), "churn"), ("soon", date(2024, 1, 1), "reactivation")}
    if not late:
        expected |= {("late", date(2023, 12, 1), "churn"), ("late", date(2024, 2, 1), "reactivation")}
    assert lost == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "as_of"), [(DEFAULTS, date(2024, 7, 15)), (OTHERS, date(2024, 2, 29))], ids=["newest", "given"]
)
def test_as_of(variables: dict, as_of: date, company: Company) -> None:
    """The day of the newest event, unless it is given; what is dated later is not there."""
    result = company(**variables)
    assert frame(result.database, "intermediate.int_as_of")["as_of"].tolist() == [as_of]
    assert ("last" in _orders(result, "order_id")) == (as_of > date(2024, 7, 14))
    closed = frame(result.database, "marts.fct_orders")["closed_at"]
    assert closed.max() <= datetime.combine(as_of, datetime.max.time())
    months = frame(result.database, "marts.cohort_retention")
    newest = max(_add_months(row.cohort_month, row.months_since) for row in months.itertuples())
    assert newest == as_of.replace(day=1)


def _add_months(month: date, months: int) -> date:
    years, place = divmod(month.month - 1 + months, 12)
    return date(month.year + years, place + 1, 1)


# As it is written on the command line, where YAML makes a date of it.
def test_as_of_is_read_from_the_command_line(build_input: InputBuild, files: Path) -> None:
    variables = f"{{connectors: [files], files_dir: '{files}', as_of: 2024-02-29, fiscal_year_start_month: '7'}}"
    result = build_input(arguments=("--vars", variables, "--select", "+input_accounts"), parse=True)
    assert len(frame(result.database, "input.input_accounts")) == 8


# --- Excluded accounts --------------------


@pytest.mark.slow
def test_excluded_accounts_and_what_belongs_to_them_are_in_no_mart(company: Company) -> None:
    """An account is excluded with all that was merged into it; what it was merged into stays."""
    orders, after = {"of own", "of doubled", "of own too"}, company()
    given = {row.split(",")[0] for row in FILES["orders"].split("\n")[2:-1]}
    assert given - set(_orders(after, "order_id")) == {"in francs", *orders}
    gone = {"own", "merged into own", "own into other", "own deal", *orders}
    assert _ids_in_marts(after.database) & gone == set()
    assert {"other", "other deal", "of other", "rates"} <= _ids_in_marts(after.database)
    # In the input layer they are still found.
    assert orders <= set(frame(after.database, "input.input_orders")["order_id"])


def _ids_in_marts(database: Path) -> set[str]:
    """Every id of an account, an order or an opportunity in any mart."""
    ids: set[str] = set()
    with duckdb.connect(str(database), read_only=True) as connection:
        columns = connection.execute(
            """
            select table_name, column_name from information_schema.columns
            where table_schema = 'marts'
            and (column_name like '%account_id' or column_name like '%order_id' or column_name like '%opportunity_id')
            """
        ).fetchall()
        assert columns
        for table, column in columns:
            ids |= {value for (value,) in connection.execute(f"select distinct {column} from marts.{table}").fetchall()}
    return ids


# --- Values that cannot be used --------------------

UNUSABLE = [
    ("reporting_currency", "usd"),
    ("reporting_currency", "EURO"),
    ("reporting_currency", ""),
    ("reporting_currency", None),
    ("reporting_currency", "U'S"),
    ("fiscal_year_start_month", 0),
    ("fiscal_year_start_month", 13),
    ("fiscal_year_start_month", "July"),
    ("fiscal_year_start_month", 1.5),
    ("week_starts_on", "mon"),
    ("week_starts_on", 1),
    ("week_starts_on", None),
    ("reporting_cycle", "monthly"),
    ("reporting_cycle", 2),
    ("reporting_cycle", None),
    ("renewal_grace_days", -1),
    ("renewal_grace_days", "a month"),
    ("renewal_grace_days", 1.5),
    ("renewal_grace_days", None),
    ("renewal_overlap_days", -1),
    ("renewal_overlap_days", "a month"),
    ("stop_share", 25),
    ("stop_share", "a quarter"),
    ("hubspot_record_url", "javascript:alert({id})"),
    ("hubspot_record_url", "https://app.hubspot.com/contacts/1"),
    ("published_states_kept", 0),
    ("published_states_kept", "all"),
    ("published_states_kept", True),
    ("publish_untested", "yes"),
    ("publish_over", 1),
    ("publish_tables_beyond", -1),
    ("publish_tables_beyond", "a lot"),
    ("as_of", "yesterday"),
    ("as_of", "30.06.2024"),
    ("as_of", "2024-02-30"),
    ("as_of", "2024-06-30T10:00:00"),
    ("as_of", 20240630),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for entity, text in FILES.items():
        (folder / f"{entity}.csv").write_text(text.lstrip())
    return folder


@pytest.mark.parametrize(("variable", "value"), UNUSABLE, ids=[f"{name}={value}" for name, value in UNUSABLE])
def test_unusable_value_stops_the_run_with_one_sentence(variable: str, value: Any, build_input: InputBuild, files: Path) -> None:
    sentence = one_sentence(build_input(files, {variable: value}, check=False, starts=True))
    assert variable in sentence
    assert str(value).lower() in sentence.lower()


@pytest.mark.parametrize("place", range(5))
def test_unusable_values_are_no_matter_before_the_sentence(place: int, build_input: InputBuild, files: Path) -> None:
    """dbt parses the project with one unusable value of each variable, and says the sentence of the first that it looks at."""
    by_name = {name: [value for each, value in UNUSABLE if each == name] for name, _ in UNUSABLE}
    values = {name: values[place % len(values)] for name, values in by_name.items()}
    assert "fiscal_year_start_month" in one_sentence(build_input(files, values, check=False, parse=True))
