"""What users of HubSpot's landed data stumble over: each in a small portal, as a loader lands it, up to the input layer."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from conftest import ROOT, BuildResult, InputBuild, frame
from icp_refinery.simulate.landed import LOADERS

LANDED = {loader: (ROOT / "tests" / "support" / "landed_hubspot" / f"{loader}.sql").read_text() for loader in LOADERS}


def write(path: Path, *scripts: str, schema: str = "hubspot") -> Path:
    """A DuckDB file with what the scripts make in one schema."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"set TimeZone = 'UTC'; create schema {schema}; use {schema}")
        for script in scripts:
            connection.execute(script)
    return path


@pytest.fixture(scope="module")
def builds(build_input: InputBuild, tmp_path_factory: pytest.TempPathFactory) -> dict[str, BuildResult]:
    """The input layer of each loader's landed data."""

    def built(loader: str) -> BuildResult:
        landed = write(tmp_path_factory.mktemp(loader) / "landed.duckdb", LANDED[loader])
        return build_input(variables={"connectors": ["hubspot"], "hubspot_loader": loader}, landed=landed)

    return {loader: built(loader) for loader in LOADERS}


@pytest.fixture(scope="module")
def older_fivetran(build_input: InputBuild, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """Fivetran's tables before `type_id` and `category` joined the key of `deal_company`."""
    change = """
        create or replace table deal_company as select distinct deal_id, company_id, _fivetran_synced from deal_company;
        create table line_item (
            id bigint, deal_id bigint, property_amount double, property_quantity double, _fivetran_synced timestamptz
        );
        insert into line_item values (7, 11, 200, 1, '2024-07-01');
    """
    landed = write(tmp_path_factory.mktemp("older") / "landed.duckdb", LANDED["fivetran"], change)
    return build_input(variables={"connectors": ["hubspot"]}, landed=landed)


def rows(result: BuildResult, entity: str) -> pd.DataFrame:
    """The accepted rows of an entity by their first column, the record's id."""
    found = frame(result.database, f"input.input_{entity}")
    return found.set_index(found.columns[0])


def test_fivetran_dbt_hubspot_35_a_deal_with_several_companies_is_one_deal(builds: dict[str, BuildResult]) -> None:
    deals = rows(builds["fivetran"], "opportunities")
    assert deals.index.tolist().count("10") == 1
    assert deals.account_id["10"] == "1"


def test_fivetran_dbt_hubspot_source_5_no_order_is_counted_once_per_company(builds: dict[str, BuildResult]) -> None:
    assert Counter(rows(builds["fivetran"], "orders").index) == {"10": 1, "11": 1}


def test_fivetran_dbt_hubspot_134_a_deal_that_was_merged_away_adds_no_revenue(builds: dict[str, BuildResult]) -> None:
    assert sum(rows(builds["fivetran"], "orders").amount) == 300
    assert "12" not in rows(builds["fivetran"], "opportunities").index


def test_fivetran_dbt_hubspot_75_past_stages_have_their_own_labels(builds: dict[str, BuildResult]) -> None:
    stages = frame(builds["fivetran"].database, "input.input_opportunity_stages")
    entered = sorted(zip(stages.entered_at, stages.stage, strict=True))
    assert [stage for _, stage in entered] == ["Cold call", "Talk"]
    assert rows(builds["fivetran"], "opportunities").stage["13"] == "Talk"


def test_fivetran_dbt_hubspot_source_93_stages_of_deleted_pipelines_keep_their_history(builds: dict[str, BuildResult]) -> None:
    stages = frame(builds["fivetran"].database, "input.input_opportunity_stages")
    assert set(stages[stages.opportunity_id == "13"].stage) == {"Cold call", "Talk"}


def test_fivetran_dbt_hubspot_source_106_older_tables_have_no_type_of_association(older_fivetran: BuildResult) -> None:
    assert rows(older_fivetran, "opportunities").account_id["11"] == "1"
    rejects = frame(older_fivetran.database, "input.input_rejects")
    assert set(zip(rejects.entity, rejects.row_id, rejects.rule, rejects.column_name, strict=True)) == {
        ("opportunities", "10", "missing_value", "account_id"),
        ("orders", "10", "missing_value", "account_id"),
    }
    assert rows(older_fivetran, "order_lines").order_id["7"] == "11"


def test_fivetran_a_lost_deal_is_closed_although_the_column_says_won(builds: dict[str, BuildResult]) -> None:
    lost = rows(builds["fivetran"], "opportunities").loc["14"]
    assert (lost.is_closed, lost.is_won) == (True, False)


def test_an_open_deals_close_date_is_a_forecast(builds: dict[str, BuildResult]) -> None:
    assert rows(builds["fivetran"], "opportunities").closed_at["13"] is None


def test_airbyte_30292_the_company_that_is_named_twice_is_the_primary_one(builds: dict[str, BuildResult]) -> None:
    assert rows(builds["airbyte"], "opportunities").account_id["10"] == "1"


def test_airbyte_30292_of_two_that_are_named_twice_none_is_chosen(builds: dict[str, BuildResult]) -> None:
    rejects = frame(builds["airbyte"].database, "input.input_rejects")
    assert ("opportunities", "13", "missing_value") in set(zip(rejects.entity, rejects.row_id, rejects.rule, strict=True))


@pytest.mark.parametrize("number", [14390, 13805, 14639])
def test_airbyte_without_associations_the_primary_company_is_a_property(number: int, builds: dict[str, BuildResult]) -> None:
    assert rows(builds["airbyte"], "opportunities").account_id["11"] == "9000000001"


@pytest.mark.parametrize("number", [20624, 11655])
def test_airbyte_line_items_of_no_deal_add_nothing_and_the_deal_keeps_its_amount(
    number: int, builds: dict[str, BuildResult]
) -> None:
    assert "999" not in rows(builds["airbyte"], "order_lines").index
    assert rows(builds["airbyte"], "orders").amount["11"] == 200


def test_airbyte_56447_a_deal_with_a_hundred_line_items_has_them_all(builds: dict[str, BuildResult]) -> None:
    assert Counter(rows(builds["airbyte"], "order_lines").order_id) == {"14": 100}


def test_airbyte_10140_a_deal_deleted_since_is_out_and_a_merged_company_is_its_survivor(builds: dict[str, BuildResult]) -> None:
    assert "12" not in rows(builds["airbyte"], "opportunities").index
    merged = rows(builds["airbyte"], "accounts").loc["3"]
    assert (merged.merged_into_account_id, merged.account_name) == ("1", None)
    assert rows(builds["airbyte"], "opportunities").account_id["14"] == "3"


def test_airbyte_72410_what_camel_case_columns_lack_is_read_elsewhere(builds: dict[str, BuildResult]) -> None:
    result = builds["airbyte"]
    deal = rows(result, "opportunities").loc["10"]
    assert (deal.stage, deal.is_closed, deal.is_won, str(deal.created_at)) == ("Signed", True, True, "2024-01-01 00:00:00")
    assert str(rows(result, "accounts").created_at["1"]) == "2023-01-01 00:00:00"
    stages = frame(result.database, "input.input_opportunity_stages")
    assert set(zip(stages.opportunity_id, stages.stage, stages.stage_order, strict=True)) == {
        ("10", "Talk", 1),
        ("10", "Signed", 2),
    }


def test_dlt_verified_sources_584_stages_have_labels_and_the_pipeline_tells_a_renewal(builds: dict[str, BuildResult]) -> None:
    deal = rows(builds["dlt"], "opportunities").loc["10"]
    assert (deal.stage, deal.is_won, deal.account_id, deal.opportunity_type) == ("Renewed", True, "1", "renewal")
    [stage] = frame(builds["dlt"].database, "input.input_opportunity_stages").to_dict("records")
    assert (stage["stage"], stage["stage_order"]) == ("Renewed", 4)


def test_dlt_empty_text_is_no_id(builds: dict[str, BuildResult]) -> None:
    assert rows(builds["dlt"], "opportunities").account_id["11"] == "1"


# --- Line items ------------------

TERMS = {
    # id: (amount of a period, frequency, period, term in months, start), (amount, term and billing months, first and last day)
    1: ((100, "monthly", "P12M", None, "2024-03-01"), (1200, 12, None, "2024-03-01", None)),
    2: ((100, "quarterly", "P1Y6M", None, None), (600, 18, None, "2024-02-02", None)),
    3: ((100, "annually", None, 24, None), (200, 24, None, "2024-02-02", None)),
    4: ((100, "weekly", "P52W", None, None), (5200, 12, None, "2024-02-02", None)),
    5: ((100, "monthly", "P0M", None, None), (100, None, 1, "2024-02-02", None)),
    6: ((300, "quarterly", None, None, None), (300, None, 3, "2024-02-02", None)),
    7: ((12, "weekly", None, None, None), (52, None, 1, "2024-02-02", None)),
    8: ((500, None, None, None, None), (500, None, None, None, None)),
    9: ((365, "annually", "P73D", None, "2024-03-01"), (73, None, None, "2024-03-01", "2024-05-12")),
    10: ((1_200_000, "annually", "P13M", None, "2024-03-01"), (1_300_000, 13, None, "2024-03-01", None)),
    14: ((100, "monthly", None, 1.5, "2024-03-01"), (150, None, None, "2024-03-01", "2024-04-15")),
}


# Lines of a deal that says its own term, from 1 May 2024, 24 months long.
TERMS_OF_THE_DEAL = {
    11: ((100, "monthly", None, None, None), (2400, None, None, "2024-05-01", None)),
    12: ((100, "monthly", "P12M", None, "2024-03-01"), (1200, 12, None, "2024-03-01", None)),
    13: ((500, None, None, None, None), (500, None, None, None, None)),
}


def test_amounts_of_a_billing_period_become_amounts_of_the_term(build_input: InputBuild, tmp_path: Path) -> None:
    script = """
        alter table deal add column property_contract_start date;
        alter table deal add column property_contract_months double;
        update deal set property_contract_start = '2024-05-01', property_contract_months = 24 where deal_id = 10;
        create table line_item (
            id bigint, product_id bigint, property_quantity double, property_amount double,
            property_recurringbillingfrequency varchar, property_hs_recurring_billing_period varchar,
            property_hs_term_in_months double,
            property_hs_recurring_billing_start_date date, property_hs_cost_of_goods_sold double, _fivetran_synced timestamptz
        );
        create table line_item_deal (line_item_id bigint, deal_id bigint, _fivetran_synced timestamptz);
    """
    every = TERMS | TERMS_OF_THE_DEAL
    for number, (given, _) in every.items():
        values = ", ".join("null" if value is None else repr(value) for value in given)
        script += f"insert into line_item values ({number}, null, 2, {values}, 10, '2024-07-01');"
        script += f"insert into line_item_deal values ({number}, {11 if number in TERMS else 10}, '2024-07-01');"
    landed = write(tmp_path / "landed.duckdb", LANDED["fivetran"], script)
    fields = {"orders.starts_on": "contract_start", "orders.term_months": "contract_months"}
    result = build_input(variables={"connectors": ["hubspot"], "hubspot_fields": fields}, landed=landed)
    lines = frame(result.database, "input.input_order_lines").set_index("order_line_id")
    columns = ["amount", "term_months", "billing_months", "starts_on", "ends_on"]
    found = {int(key): tuple(str(v) if isinstance(v, date) else v for v in row[columns]) for key, row in lines.iterrows()}
    assert found == {number: expected for number, (_, expected) in every.items()}
    assert (lines.cost["1"], lines.cost["5"], lines.cost["8"]) == (240, 20, 20)
