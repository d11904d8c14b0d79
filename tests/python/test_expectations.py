"""The suites of expectations: each kind of corruption is caught by name, clean companies raise no alarm."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml

from conftest import ROOT, BuildResult, build, copy_project, frame
from icp_refinery.expectations import SUITES, evaluate, read_suites
from icp_refinery.simulate import SEED, simulate_tables
from warm_dbt import parsed_project, run_dbt

FILES = sorted(Path(str(SUITES)).glob("*.yml"))
SUITE_OF = {item["name"]: file for file in FILES for item in yaml.safe_load(file.read_text())["expectations"]}
CHECKED = ["orders", "opportunities", "engagements"]


@dataclass
class Company:
    """Relations by name, some of which a test corrupts."""

    connection: duckdb.DuckDBPyConnection
    relations: dict[str, str]  # name -> query

    def judge(self, suites: Traversable = SUITES, **places: Path) -> pd.DataFrame:
        """What the suites say, by expectation."""
        relations = {name: self.connection.sql(query) for name, query in self.relations.items()}
        return evaluate(self.connection, relations, suites=suites, **places).set_index("expectation")

    def corrupt(self, relation: str, columns: str = "", where: str = "true") -> None:
        """`columns` as in DuckDB's `* replace (...)`, and the rows that are kept."""
        columns = f"* replace ({columns})" if columns else "*"
        self.relations[relation] = f"select {columns} from ({self.relations[relation]}) where {where}"


@pytest.fixture
def company(demo: BuildResult) -> Iterator[Company]:
    """The demo company, for a test to corrupt."""
    with duckdb.connect(str(demo.database), read_only=True) as connection:
        schemas = "schema_name in ('input', 'intermediate', 'applied', 'marts')"
        relations = connection.execute(f"""
            select schema_name, table_name from duckdb_tables() where {schemas}
            union all select schema_name, view_name from duckdb_views() where {schemas}
        """).fetchall()
        yield Company(connection, {name: f'select * from {schema}."{name}"' for schema, name in relations})


def only(folder: Path, *names: str) -> Path:
    """A folder with the suites of these expectations alone."""
    folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(SUITE_OF[name], folder)
    return folder


def late(expression: str, column: str, since: str, at: str = "closed_at") -> str:
    return f"case when {at} >= timestamp '{since}' then {expression} else {column} end as {column}"


HALF_OF_FINANCE = "industry = 'Financial Services' and md5(account_id) < '8'"
LATE_LINE = "order_id in (select order_id from input.input_orders where closed_at >= timestamp '2025-04-01')"

# What goes wrong: the expectation that catches it, the relation, columns that are replaced and rows that are kept.
CORRUPTIONS = {
    "lines in cents for three months": (
        "order_lines_keep_their_amounts",
        "input_order_lines",
        f"cast(case when {LATE_LINE} then amount * 100 else amount end as decimal(18, 4)) as amount",
        "true",
    ),
    "opportunities in thousands for three months": (
        "opportunities_keep_their_amounts",
        "input_opportunities",
        late("amount / 1000", "amount", "2025-04-01"),
        "true",
    ),
    "a stuck date": (
        "orders_close_at_their_own_moments",
        "input_orders",
        late("timestamp '2025-05-31'", "closed_at", "2025-03-01"),
        "true",
    ),
    "a stuck date of opportunities": (
        "opportunities_close_at_their_own_moments",
        "input_opportunities",
        late("timestamp '2025-05-31'", "closed_at", "2025-02-01"),
        "true",
    ),
    "half of an industry is missing": (
        "accounts_of_orders_and_opportunities_are_known",
        "input_orders__checked",
        f"""case when account_id in (select account_id from input.input_accounts where {HALF_OF_FINANCE})
            then 'unknown_account' else reject_rule end as reject_rule""",
        "true",
    ),
    "a mapping that rejects orders since the spring": (
        "orders_keep_being_accepted",
        "input_orders__checked",
        late("'not_allowed_value'", "reject_rule", "2025-04-15"),
        "true",
    ),
    "numbers of employees and revenue swapped": (
        "accounts_earn_more_than_they_have_employees",
        "input_accounts",
        "annual_revenue as employee_count, employee_count as annual_revenue",
        "true",
    ),
    "revenue in the place of employees": (
        "accounts_have_plausible_sizes",
        "input_accounts",
        "coalesce(annual_revenue, employee_count) as employee_count",
        "true",
    ),
    "currency dropped": (
        "orders_keep_their_currency",
        "input_orders",
        late("null", "currency_code", "2025-03-01"),
        "true",
    ),
    "account ids given out anew": (
        "orders_belong_to_the_account_of_their_opportunity",
        "int_opportunities",
        "lag(account_id, 7, 'A0000001') over (order by opportunity_id) as account_id",
        "true",
    ),
    "a stage mapped to won": (
        "opportunities_keep_their_win_rate",
        "input_opportunities",
        late("true", "is_won", "2025-02-01"),
        "true",
    ),
    "terms in days since the spring": (
        "orders_keep_their_terms",
        "input_orders",
        late("term_months * 30", "term_months", "2025-03-01"),
        "true",
    ),
    "terms in days always": ("orders_have_plausible_terms", "input_orders", "term_months * 30 as term_months", "true"),
    "terms lost": (
        "orders_keep_their_terms_filled",
        "input_orders",
        late("null", "term_months", "2025-03-01") + ", " + late("null", "ends_on", "2025-03-01"),
        "true",
    ),
    "no webinars since May": (
        "engagements_keep_their_types",
        "input_engagements",
        "",
        "not (engagement_type = 'webinar' and occurred_at >= timestamp '2025-05-01')",
    ),
    "the load of engagements has stopped": (
        "engagements_keep_coming",
        "input_engagements",
        "",
        "occurred_at < timestamp '2025-05-01'",
    ),
    "other country codes": (
        "accounts_keep_their_countries",
        "input_accounts",
        late("country || 'X'", "country", "2025-01-01", "created_at"),
        "true",
    ),
    "industries lost": (
        "accounts_keep_their_industry_filled",
        "input_accounts",
        late("null", "industry", "2025-01-01", "created_at"),
        "true",
    ),
    "negative costs": ("order_lines_have_no_negative_costs", "input_order_lines", "-cost as cost", "true"),
    "amounts and costs swapped since the spring": (
        "order_lines_keep_their_margins",
        "input_order_lines",
        f"case when {LATE_LINE} then cost else amount end as amount, case when {LATE_LINE} then amount else cost end as cost",
        "true",
    ),
    "amounts and costs swapped always": (
        "order_lines_bring_more_than_they_cost",
        "input_order_lines",
        "cost as amount, amount as cost",
        "true",
    ),
    "signs turned": (
        "order_lines_keep_their_signs",
        "input_order_lines",
        f"case when {LATE_LINE} then -amount else amount end as amount",
        "true",
    ),
    "another time zone": (
        "orders_keep_their_hours",
        "input_orders",
        late("closed_at - interval 9 hours", "closed_at", "2025-03-01"),
        "true",
    ),
    "titles lost": (
        "contacts_keep_their_titles",
        "input_contacts",
        late("null", "job_title", "2025-03-01", "created_at"),
        "true",
    ),
    "spend in micros": (
        "spend_keeps_its_amounts",
        "input_campaign_spend",
        "case when spent_on >= date '2025-04-01' then amount * 1000000 else amount end as amount",
        "true",
    ),
    "a rate per hundred units": (
        "exchange_rates_do_not_jump",
        "input_exchange_rates",
        "case when currency_code = 'EUR' and valid_from >= timestamp '2025-01-01' then rate * 100 else rate end as rate",
        "true",
    ),
    "stages renamed": (
        "stages_keep_their_names",
        "input_opportunity_stages",
        late("'2. ' || stage", "stage", "2025-05-01", "entered_at"),
        "true",
    ),
    "a year's MRR for a month's": (
        "orders_keep_their_mrr",
        "int_orders__priced",
        late("monthly_recurring_revenue * 12", "monthly_recurring_revenue", "2025-04-01"),
        "true",
    ),
    "renewals not recognised": (
        "orders_keep_their_order_types",
        "int_orders__priced",
        late("'new_business'", "order_type", "2025-03-01"),
        "true",
    ),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_caught_by_name(company: Company, tmp_path: Path, name: str):
    expectation, relation, columns, where = CORRUPTIONS[name]
    suites = only(tmp_path / "suites", expectation)
    assert company.judge(suites)["is_passed"][expectation]
    company.corrupt(relation, columns, where)
    found = company.judge(suites).loc[expectation]
    assert not found["is_passed"], found["observed"]
    assert found["failing_count"] > 0
    assert json.loads(found["failing_keys"])


def test_a_month_under_new_ids_is_caught(company: Company, tmp_path: Path):
    month = "select order_id from input.input_orders where closed_at between '2025-03-01' and '2025-03-31'"
    for relation, ids in {"input_orders": ["order_id"], "input_order_lines": ["order_id", "order_line_id"]}.items():
        new = ", ".join(f"{id} || 'x' as {id}" for id in ids)
        rows = f"select * replace ({new}) from input.{relation} where order_id in ({month})"
        company.relations[relation] += f" union all {rows}"
    found = company.judge(only(tmp_path / "suites", "orders_are_not_copied")).loc["orders_are_not_copied"]
    assert not found["is_passed"]
    assert json.loads(found["failing_keys"])[0] == "2025-03"


def test_the_clean_demo_company_raises_no_alarm(demo: BuildResult):
    found = frame(demo.database, "marts.quality_expectations")
    assert set(found["expectation"]) == set(SUITE_OF)
    assert found.loc[found["is_passed"].eq(False), ["expectation", "observed", "expected"]].empty
    unjudged = found.loc[found["is_passed"].isna(), "expectation"]
    assert all(name.startswith("published_") for name in unjudged), list(unjudged)


def simulated(connection: duckdb.DuckDBPyConnection, seed: int) -> Company:
    """The input layer of a simulated company."""
    relations = {}
    for entity, rows in simulate_tables(seed=seed).items():
        connection.register(f"raw_{entity}", rows)
        relations[f"input_{entity}"] = f"select * from raw_{entity}"
    for entity in CHECKED:
        relations[f"input_{entity}__checked"] = f"select *, cast(null as varchar) as reject_rule from raw_{entity}"
    relations["input_rejects"] = "select '' as entity, '' as rule where false"
    relations["int_as_of"] = """
        select date_trunc('day', max(moment)) + interval 1 day as ends_at
        from (
            select closed_at as moment from raw_orders where order_status = 'closed_won'
            union all select occurred_at from raw_engagements
        )
    """
    return Company(connection, relations)


def input_suites(folder: Path) -> Path:
    """The suites that read nothing but the input."""
    of_input = [name for name, file in SUITE_OF.items() if not any(mart in file.read_text() for mart in ("fct_", "dim_"))]
    return only(folder, *of_input)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [SEED + 1, SEED + 2, SEED + 3])
def test_other_companies_raise_no_alarm(tmp_path: Path, seed: int):
    with duckdb.connect() as connection:
        found = simulated(connection, seed).judge(input_suites(tmp_path / "suites"))
    assert found.loc[found["is_passed"].eq(False), ["observed", "expected"]].to_dict("index") == {}
    assert found["is_passed"].eq(True).mean() > 0.9


def test_where_everything_is_rejected_nothing_can_be_judged_but_the_rejects(tmp_path: Path):
    with duckdb.connect() as connection:
        company = simulated(connection, SEED)
        everything = {name: query for name, query in company.relations.items() if name.startswith("input_")}
        for relation in everything:
            company.corrupt(relation, where="false")
        company.relations["input_rejects"] = "select 'orders' as entity, 'unreadable_value' as rule from range(500)"
        company.relations["int_as_of"] = "select cast(null as timestamp) as ends_at"
        found = company.judge(input_suites(tmp_path / "suites"))
    assert list(found.index[found["is_passed"].notna()]) == ["rows_are_accepted"]
    assert not found["is_passed"]["rows_are_accepted"]


@pytest.mark.parametrize("orders", [0, 1, 8])
def test_a_tiny_company_raises_no_alarm(company: Company, orders: int):
    for relation in company.relations:
        names = [name for name, *_ in company.connection.execute(f"describe {company.relations[relation]}").fetchall()]
        key = "order_id" if "order_id" in names else "account_id"
        some = f"select {key} from input.input_{key[:-3]}s order by 1 limit {orders * (1 if key == 'order_id' else 3)}"
        if relation != "int_as_of":
            company.corrupt(relation, where=f"{key} in ({some})" if key in names else "false")
    found = company.judge()
    assert found.index[found["is_passed"].eq(False)].empty
    assert found["is_passed"].isna().mean() > 0.9


# What a mart that was published is set beside.
BUILT_FROM = {"dim_accounts": "int_accounts", "fct_orders": "int_orders__priced"}

PUBLISHED = {
    "other country codes": ("published_countries_are_kept", "dim_accounts", "country || 'X' as country", "true"),
    "half of an industry is missing": ("published_accounts_are_still_there", "dim_accounts", "", f"not ({HALF_OF_FINANCE})"),
    "all amounts in cents": ("published_amounts_are_kept", "fct_orders", "net_amount * 100 as net_amount", "true"),
    "ids given out anew": (
        "published_owners_are_kept",
        "fct_orders",
        "lag(account_id, 7, 'A0000001') over (order by order_id) as account_id",
        "true",
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_history_that_is_wrong_as_a_whole_differs_from_what_was_published(company: Company, tmp_path: Path, name: str):
    expectation, relation, columns, where = PUBLISHED[name]
    suites, published = only(tmp_path / "suites", expectation), tmp_path / "current"
    assert pd.isna(company.judge(suites, published=published)["is_passed"][expectation])
    published.mkdir()
    company.connection.sql(company.relations[relation]).write_parquet(str(published / f"{relation}.parquet"))
    assert company.judge(suites, published=published)["is_passed"][expectation]
    company.corrupt(BUILT_FROM[relation], columns, where)
    found = company.judge(suites, published=published).loc[expectation]
    assert not found["is_passed"], found["observed"]
    assert found["severity"] == "warning"


def test_an_accepted_change_is_no_alarm(company: Company, tmp_path: Path):
    expectation, relation, columns, where = CORRUPTIONS["lines in cents for three months"]
    suites = only(tmp_path / "suites", expectation)
    company.corrupt(relation, columns, where)
    assert not company.judge(suites)["is_passed"][expectation]
    [file] = suites.glob("*.yml")
    suite = yaml.safe_load(file.read_text())
    next(item for item in suite["expectations"] if item["name"] == expectation)["accepted"] = {"2025-04": "billed in cents"}
    file.write_text(yaml.safe_dump(suite))
    assert company.judge(suites)["is_passed"][expectation]


def test_a_year_that_grows_twofold_in_steps_is_no_alarm_and_a_halved_month_is(tmp_path: Path):
    suites = only(tmp_path / "suites", "orders_keep_coming")
    counts = [60 + 4 * month + 40 * (month % 12 == 8) for month in range(48)]

    def found(counts: list[int]) -> pd.Series:
        months = pd.date_range("2021-01-01", periods=48, freq="MS")
        orders = pd.DataFrame({"closed_at": months.repeat(counts), "order_status": "closed_won"})
        orders = orders.assign(order_id=orders.index.astype(str), currency_code="USD", opportunity_id=None, ends_on=None)
        orders = orders.assign(term_months=12.0)
        with duckdb.connect() as connection:
            connection.register("orders_frame", orders)
            as_of = "select timestamp '2025-01-01' as ends_at"
            company = Company(connection, {"input_orders": "select * from orders_frame", "int_as_of": as_of})
            return company.judge(suites).loc["orders_keep_coming"]

    assert found(counts)["is_passed"]
    halved = [count // 3 if month == 44 else count for month, count in enumerate(counts)]
    assert not found(halved)["is_passed"]
    assert "2024-09" in found(halved)["observed"]


def test_hostile_names_stay_text(company: Company, tmp_path: Path):
    hostile = "<script>alert(1)</script>'; drop table x --"
    escaped = hostile.replace("'", "''")
    renamed = f"case when engagement_type = 'webinar' then '{escaped}' else engagement_type end as engagement_type"
    company.corrupt("input_engagements", renamed, CORRUPTIONS["no webinars since May"][3])
    company.corrupt("input_orders", f"'{escaped}' || order_id as order_id, term_months * 30 as term_months")
    suites = only(tmp_path / "suites", "engagements_keep_their_types", "orders_have_plausible_terms")
    found = company.judge(suites, docs=tmp_path / "docs")
    assert hostile in found["failing_keys"]["engagements_keep_their_types"]
    assert hostile in json.loads(found["failing_keys"]["orders_have_plausible_terms"])[0]
    pages = [page.read_text(encoding="utf-8") for page in (tmp_path / "docs").rglob("*.html")]
    assert any("&lt;script&gt;alert" in page for page in pages)
    assert not any("<script>alert" in page for page in pages)
    assert any("orders_have_plausible_terms" in page for page in pages)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"severity": "urgent"}, "the severity of a is not critical or warning"),
        ({"because": None}, "a has no `because`"),
        ({"share": None, "volume": None, "level": None}, "needs a name and one of"),
        ({"share": "x", "type": "y"}, "needs a name and one of"),
    ],
)
def test_a_suite_that_lacks_something_is_named(tmp_path: Path, change: dict, problem: str):
    item = {"name": "a", "share": "x", "change": 0.1, "severity": "critical", "says": "s", "because": "b"} | change
    item = {key: value for key, value in item.items() if value is not None}
    suite = {"suite": "s", "relation": "r", "from": "select 1", "at": "x", "expectations": [item]}
    (tmp_path / "s.yml").write_text(yaml.safe_dump(suite))
    with pytest.raises(ValueError, match=problem):
        read_suites(tmp_path)


def test_great_expectations_is_imported_by_nothing_else():
    modules = "icp_refinery.cli, icp_refinery.report, icp_refinery.publish, icp_refinery.warehouse, icp_refinery.expectations"
    found = f"import sys, {modules}; print([name for name in sys.modules if name.startswith('great_expectations')])"
    assert subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_no_connection_is_opened(demo: BuildResult, tmp_path: Path):
    script = f"""
import socket, sys
def refuse(*arguments):
    print("connected", arguments); sys.stdout.flush()
    raise OSError("no network")
socket.socket.connect = socket.getaddrinfo = refuse
import duckdb
from pathlib import Path
from icp_refinery.expectations import evaluate
with duckdb.connect({str(demo.database)!r}, read_only=True) as connection:
    names = {{"int_as_of": "intermediate", "input_contacts": "input"}}
    relations = {{name: connection.sql(f"select * from {{schema}}.{{name}}") for name, schema in names.items()}}
    print(len(evaluate(connection, relations, docs=Path({str(tmp_path / "docs")!r}), suites=Path({str(tmp_path / "suites")!r}))))
"""
    only(tmp_path / "suites", "contacts_keep_their_titles")
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert finished.stdout == "3\n"
    assert (tmp_path / "docs" / "index.html").exists()


def test_what_follows_a_failed_critical_expectation_is_skipped(demo: BuildResult, tmp_path: Path):
    database = tmp_path / "icp.duckdb"
    shutil.copy(demo.database, database)
    with duckdb.connect(str(database)) as connection:
        month = "select order_id from input.input_orders__checked where closed_at >= '2025-04-01'"
        connection.execute(f"update input.input_order_lines__checked set amount = amount * 100 where order_id in ({month})")
    project = copy_project(tmp_path / "project")
    (project / "models" / "marts" / "after_quality.sql").write_text(
        "{{ config(contract={'enforced': false}) }} select count(*) as n from {{ ref('quality_expectations') }}"
    )
    found = build(
        tmp_path / "build",
        project=project,
        database=database,
        select="expectation_results quality_expectations after_quality no_critical_expectation_fails",
        unit_tests=False,
        check=False,
    )
    assert found.returncode == 1
    assert "FAIL" in next(
        line for line in found.stdout.splitlines() if "no_critical_expectation_fails" in line and "FAIL" in line
    )
    assert "nothing is published, and what was published stays" in found.stdout
    assert "order_lines_keep_their_amounts: expected that the typical amount of a line is what it was; 2025-" in found.stdout
    assert any("after_quality" in line and "SKIP" in line for line in found.stdout.splitlines()), found.stdout
    failed = frame(database, "marts.quality_expectations").query("is_passed == False")
    assert list(failed["expectation"]) == ["order_lines_keep_their_amounts"]
    assert (tmp_path / "build" / "target" / "quality" / "index.html").exists()


def test_a_build_as_of_an_earlier_day_misses_nothing_that_was_published(company: Company, tmp_path: Path):
    names = [name for name in SUITE_OF if name.startswith("published_")]
    suites, published = only(tmp_path / "suites", *names), tmp_path / "current"
    published.mkdir()
    earlier = {"dim_accounts": "created_at", "fct_orders": "closed_at"}
    for relation, at in earlier.items():
        company.connection.sql(company.relations[relation]).write_parquet(str(published / f"{relation}.parquet"))
        company.corrupt(BUILT_FROM[relation], where=f"{at} < timestamp '2024-07-01'")
    company.relations["int_as_of"] = "select timestamp '2024-07-01' as ends_at"
    assert company.judge(suites, published=published)["is_passed"].eq(True).all()


@pytest.mark.slow
def test_the_folders_are_found_from_anywhere_and_after_a_move(one_order: BuildResult, tmp_path: Path):
    project = copy_project(tmp_path / "here")
    (project / "warehouse").mkdir()
    shutil.copy(one_order.database, project / "warehouse" / "icp.duckdb")
    moved = tmp_path / "moved"
    variables = {"connectors": ["files"], "files_dir": str(one_order.folder / "files")}

    def built(cwd: Path, *places: str) -> None:
        command = ["--no-use-colors", "run", "--no-write-json", "--select", "expectation_results", *places]
        command += ["--vars", json.dumps(variables)]
        env = {"ICP_UNIT_TESTS": "false"}  # as most builds have it: parsed once for all of them
        code, printed = run_dbt(command, cwd, env, tmp_path / "output", parsed=parsed_project(ROOT, variables, env))
        assert code == 0, printed

    built(tmp_path, "--project-dir", "here", "--profiles-dir", "here")
    assert (project / "target" / "quality" / "index.html").exists()
    project.rename(moved)
    shutil.rmtree(moved / "target" / "quality")
    built(moved, "--profiles-dir", ".")
    assert (moved / "target" / "quality" / "index.html").exists()
    assert not project.exists()
    assert not (tmp_path / "target").exists()
