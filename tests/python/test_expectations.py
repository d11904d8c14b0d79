"""The suites of expectations: each kind of corruption is caught by name, clean companies raise no alarm."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml

from conftest import ROOT, BuildResult, frame
from icp_refinery.expectations import evaluate
from icp_refinery.simulate import SEED, simulate_tables

SUITES = ROOT / "tests" / "expectations"
SUITE_OF = {item["name"]: file for file in SUITES.glob("*.yml") for item in yaml.safe_load(file.read_text())["expectations"]}
CHECKED = ["orders", "opportunities", "engagements"]


@dataclass
class Company:
    """Relations by name, some of which a test corrupts."""

    connection: duckdb.DuckDBPyConnection
    relations: dict[str, str]  # name -> query

    def judge(self, suites: Path = SUITES, **places: Path) -> pd.DataFrame:
        """What the suites say, by expectation."""
        relations = {name: self.connection.sql(query) for name, query in self.relations.items()}
        return evaluate(self.connection, relations, suites, **places).set_index("expectation")

    def corrupt(self, relation: str, columns: str = "", where: str = "true") -> None:
        """`columns` as in DuckDB's `* replace (...)`, and the rows that are kept."""
        columns = f"* replace ({columns})" if columns else "*"
        self.relations[relation] = f"select {columns} from ({self.relations[relation]}) where {where}"


@pytest.fixture
def company(demo: BuildResult) -> Iterator[Company]:
    """The demo company, for a test to corrupt."""
    with duckdb.connect(str(demo.database), read_only=True) as connection:
        schemas = "schema_name in ('input', 'intermediate', 'marts')"
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
        "fct_opportunities",
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
        "fct_orders",
        late("monthly_recurring_revenue * 12", "monthly_recurring_revenue", "2025-04-01"),
        "true",
    ),
    "renewals not recognised": (
        "orders_keep_their_order_types",
        "fct_orders",
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


@pytest.mark.parametrize("seed", [SEED + 1, SEED + 2, SEED + 3])
def test_other_companies_raise_no_alarm(tmp_path: Path, seed: int):
    with duckdb.connect() as connection:
        found = simulated(connection, seed).judge(input_suites(tmp_path / "suites"))
    assert found.loc[found["is_passed"].eq(False), ["observed", "expected"]].to_dict("index") == {}
    assert found["is_passed"].eq(True).mean() > 0.9
