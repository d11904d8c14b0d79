"""Landed data: the same marts as from files, both tools as one company, and one sentence where something cannot be read."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import Result
from typer.testing import CliRunner

import test_hubspot_landed
from compare_states import differences, relations
from conftest import BuildResult, InputBuild, build, frame, one_sentence
from icp_refinery.cli import app
from icp_refinery.input_folder import read_contract
from icp_refinery.simulate.landed import LAYOUTS, write_landed

# `make connectors` tries all; else each tool and each loader once as far as it is staged, and one layout's marts.
TRIES_ALL = "ICP_CONNECTOR_SEEDS" in os.environ
SEEDS = [int(seed) for seed in os.environ.get("ICP_CONNECTOR_SEEDS", "1").split(",")]
ONCE = ["hubspot-fivetran", "salesforce-airbyte", "salesforce-dlt"]
TRIED = [(layout, mess) for layout in LAYOUTS for mess in (True, False)] if TRIES_ALL else [(layout, True) for layout in ONCE]
ACCOUNTS = int(os.environ.get("ICP_CONNECTOR_ACCOUNTS", "120"))
SETTINGS: dict[str, dict[str, Any]] = {
    "hubspot": {"hubspot_account_attributes": ["funding_stage"]},
    "salesforce": {
        "salesforce_account_attributes": ["Funding_Stage__c", "Tech_Stack__c", "Hiring_Trend__c"],
        "salesforce_fields": {
            "contacts.became_mql_at": "MQL_Date__c",
            "orders.terminated_on": "Terminated_On__c",
            "orders.replaces_order_id": "Renews__c",
        },
    },
}
# All that a dlt user has of an order's term.
TERM_FIELDS = {
    "hubspot": {"orders.starts_on": "contract_start", "orders.term_months": "contract_term_months"},
    "salesforce": {"orders.starts_on": "Term_Start__c", "orders.ends_on": "Term_End__c", "orders.term_months": "Term_Months__c"},
}
LACKING = {"hubspot": {"campaigns", "campaign_members", "campaign_spend"}, "salesforce": set()}
LACKING_BY_DLT = {"hubspot": {"order_lines", "engagements"}, "salesforce": {"opportunity_stages", "exchange_rates"}}


def settings(layout: str) -> dict[str, Any]:
    """The settings of the simulated portal or org."""
    tool, _, loader = layout.partition("-")
    fields = SETTINGS[tool].get(f"{tool}_fields", {}) | (TERM_FIELDS[tool] if loader == "dlt" else {})
    return {"connectors": [tool], f"{tool}_loader": loader} | SETTINGS[tool] | {f"{tool}_fields": fields}


ROWS = {"unit_tests": False, "data_tests": False, "exclude": "published_marts"}


# --- The same company ------------------


def staged(result: BuildResult) -> dict[str, Counter]:
    """The rows of each entity that the input layer accepted, and the rules that it rejected others for."""
    queries = {entity: f"from input.input_{entity}" for entity in read_contract()}
    queries["rejects"] = "select entity, rule, column_name, column_value from input.input_rejects"
    queries["dropped"] = "select entity, column_name, column_value, rule from input.input_dropped_values"
    with duckdb.connect(str(result.database), read_only=True) as connection:
        return {name: Counter(map(repr, connection.execute(query).fetchall())) for name, query in queries.items()}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("layout", "mess"), TRIED)
def test_what_is_staged_is_the_company_that_was_landed(
    layout: str, seed: int, mess: bool, tmp_path: Path, build_input: InputBuild
) -> None:
    write_landed(tmp_path, layout, ACCOUNTS, 42, seed, mess=mess)
    told = staged(build_input(tmp_path / "files"))
    landed = build_input(variables=settings(layout), landed=tmp_path / "landed.duckdb")
    found = staged(landed)
    tool, _, loader = layout.partition("-")
    lacking = LACKING[tool] | (LACKING_BY_DLT[tool] if loader == "dlt" else set())
    assert {name for name in told if not told[name]} == lacking | {"rejects", "dropped"}
    assert {name: (told[name] - found[name], found[name] - told[name]) for name in told if told[name] != found[name]} == {}
    columns = frame(landed.database, "input.input_source_columns")
    missed = columns[columns.column_use == "missing"].source_file
    # dlt makes no column of a field that has no value anywhere.
    assert mess or layout == "salesforce-dlt" or missed.tolist() == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("layout", "mess"), TRIED if TRIES_ALL else [("hubspot-airbyte", True)])
def test_marts_are_those_of_the_files(layout: str, seed: int, mess: bool, tmp_path: Path) -> None:
    write_landed(tmp_path, layout, ACCOUNTS, 42, seed, mess=mess)
    told = build(tmp_path / "told", tmp_path / "files", **ROWS)
    places = {"ICP_LANDED": str(tmp_path / "landed.duckdb")}
    landed = build(tmp_path / "landed", vars=settings(layout), env=places, **ROWS)
    assert differences(told.database, landed.database) == []


@pytest.mark.slow
@pytest.mark.skipif(not TRIES_ALL, reason="`make connectors` builds two companies for it")
@pytest.mark.parametrize("seed", SEEDS)
def test_marts_of_both_tools_are_those_of_the_owner(seed: int, tmp_path: Path) -> None:
    tools = {"hubspot": "hubspot-fivetran", "salesforce": "salesforce-airbyte"}
    for tool, layout in tools.items():
        write_landed(tmp_path / tool, layout, ACCOUNTS, 42, seed, mess=True)
    landed = tmp_path / "salesforce" / "landed.duckdb"
    with duckdb.connect(str(landed)) as connection:
        connection.execute(f"attach '{tmp_path / 'hubspot' / 'landed.duckdb'}' as portal (read_only); create schema hubspot")
        for (name,) in connection.sql("select table_name from duckdb_tables() where database_name = 'portal'").fetchall():
            connection.execute(f"create table hubspot.{name} as from portal.hubspot.{name}")
        connection.execute(
            f"""
            alter table hubspot.company add column property_salesforceaccountid varchar;
            update hubspot.company set property_salesforceaccountid = accounts.account_id
            from read_csv('{tmp_path / "salesforce" / "files" / "accounts.csv"}') as accounts
            where property_name = accounts.account_name;
            -- What HubSpot alone knows of a contact would count.
            update hubspot.contact set property_email = null;
            """
        )
    owned = ["opportunities", "orders", "contacts", "engagements", "products", "exchange_rates"]
    both = settings(tools["hubspot"]) | settings(tools["salesforce"]) | {"connectors": list(tools)}
    both["owner_of"] = dict.fromkeys(owned, "salesforce")
    told = build(tmp_path / "told", tmp_path / "salesforce" / "files", **ROWS)
    found = build(tmp_path / "both", vars=both, env={"ICP_LANDED": str(landed)}, **ROWS)
    # These say what was read and joined.
    said = {"dim_accounts", "sync_hubspot_companies", "icp_missing_inputs"}
    marts = [name for name in relations(told.database) if name not in said and not name.startswith("quality_")]
    assert differences(told.database, found.database, marts) == []
    accounts = [
        frame(result.database, "marts.dim_accounts").drop(columns="merged_account_count").sort_values("account_id")
        for result in (told, found)
    ]
    assert accounts[0].to_dict("records") == accounts[1].to_dict("records")
    joined = frame(found.database, "marts.quality_joined_records").set_index(["entity", "outcome"]).record_count
    assert joined["accounts", "joined"] == ACCOUNTS


# --- Both tools ------------------

SALESFORCE = """
    create table account (id varchar, name varchar, is_deleted boolean, created_date timestamptz, _fivetran_synced timestamptz);
    insert into account values
        ('001AAAAAAAAAAAAAAA', 'Acme Inc', false, '2023-01-01', '2024-07-01'),
        ('001bbbbbbbbbbbbBBB', 'Other', false, '2023-01-01', '2024-07-01');
    create table opportunity (
        id varchar, account_id varchar, name varchar, stage_name varchar, is_closed boolean, is_won boolean, amount double,
        created_date timestamptz, close_date date, is_deleted boolean, _fivetran_synced timestamptz
    );
    insert into opportunity values
        ('006A', '001AAAAAAAAAAAAAAA', 'Deal', 'Won', true, true, 100, '2024-01-01', '2024-02-01', false, '2024-07-01');
    create table contact (
        id varchar, account_id varchar, email varchar, title varchar, created_date timestamptz, is_deleted boolean,
        _fivetran_synced timestamptz
    );
    insert into contact values
        ('003A', '001AAAAAAAAAAAAAAA', 'Ann@Acme.example', null, '2023-02-01', false, '2024-07-01'),
        ('003B', '001bbbbbbbbbbbbBBB', 'bob@acme.example', null, '2023-02-01', false, '2024-07-01');
    create table task (id varchar, completed_date_time timestamptz, activity_date date, _fivetran_synced timestamptz);
"""
WITH_SALESFORCE = """
    alter table company add column property_salesforceaccountid varchar;
    update company set property_salesforceaccountid = case id when 1 then '001AAAAAAAAAAAA' else '001XXXXXXXXXXXXXXX' end;
    create table contact (
        id bigint, property_email varchar, property_jobtitle varchar, property_associatedcompanyid double,
        property_createdate timestamptz, _fivetran_synced timestamptz
    );
    insert into contact values
        (71, 'ann@acme.example ', 'Head of Data', 1, '2023-03-01', '2024-07-01'),
        (72, 'bob@acme.example', 'Analyst', 1, '2023-03-01', '2024-07-01'), (73, null, null, 1, '2023-03-01', '2024-07-01');
    create table engagement_meeting (
        engagement_id bigint, property_hs_meeting_title varchar, property_hs_timestamp timestamptz, _fivetran_synced timestamptz
    );
    insert into engagement_meeting values
        (81, 'Demo', '2024-03-01', '2024-07-01'), (82, 'Planned', '2024-09-01', '2024-07-01');
    create table engagement_contact (engagement_id bigint, contact_id bigint, _fivetran_synced timestamptz);
    insert into engagement_contact values (81, 71, '2024-07-01');
"""
BOTH = {"connectors": ["hubspot", "salesforce"], "owner_of": {"opportunities": "salesforce", "orders": "salesforce"}}
JOINED = ["--select", "+path:models/input", "+path:models/marts/quality/quality_joined_records.sql"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file with a schema of each tool."""
    landed = tmp_path_factory.mktemp("both") / "landed.duckdb"
    test_hubspot_landed.write(landed, test_hubspot_landed.LANDED["fivetran"], WITH_SALESFORCE)
    return test_hubspot_landed.write(landed, SALESFORCE, schema="salesforce")


@pytest.mark.slow
def test_both_tools_are_one_company(both: Path, tmp_path: Path) -> None:
    result = build(
        tmp_path,
        vars=BOTH,
        env={"ICP_LANDED": str(both)},
        select=" ".join(JOINED[1:]),
        unit_tests=False,
    )
    accounts = frame(result.database, "input.input_accounts").set_index("account_id")
    # HubSpot may have the id of 15 characters; an id that Salesforce does not have joins nothing.
    assert accounts.merged_into_account_id.to_dict() == {
        "1": "001AAAAAAAAAAAAAAA",
        "2": None,
        "001AAAAAAAAAAAAAAA": None,
        "001bbbbbbbbbbbbBBB": None,
    }
    assert set(frame(result.database, "input.input_opportunities").opportunity_id) == {"006A"}
    assert set(frame(result.database, "input.input_orders").order_id) == {"006A"}
    contacts = frame(result.database, "input.input_contacts").set_index("contact_id")
    assert set(contacts.index) == {"003A", "003B", "72", "73"}
    assert (contacts.job_title["003A"], str(contacts.created_at["003A"])) == ("Head of Data", "2023-02-01 00:00:00")
    [engagement] = frame(result.database, "input.input_engagements").to_dict("records")
    assert engagement["contact_id"] == "003A"
    external = frame(result.database, "input.input_account_external_ids")
    assert Counter(zip(external.account_id, external.system, external.external_id, strict=True)) == {
        ("1", "hubspot", "1"): 1,
        ("2", "hubspot", "2"): 1,
        ("2", "salesforce", "001XXXXXXXXXXXXXXX"): 1,
        ("001AAAAAAAAAAAAAAA", "salesforce", "001AAAAAAAAAAAAAAA"): 1,
        ("001bbbbbbbbbbbbBBB", "salesforce", "001bbbbbbbbbbbbBBB"): 1,
    }
    said = frame(result.database, "marts.quality_joined_records")
    assert set(zip(said.entity, said.connector, said.outcome, said.record_count, strict=True)) == {
        ("accounts", "hubspot", "joined", 1),
        ("accounts", "hubspot", "unknown_salesforce_account", 1),
        ("contacts", "hubspot", "joined", 1),
        ("contacts", "hubspot", "unknown_email", 1),
        ("contacts", "hubspot", "no_email", 1),
        ("opportunities", "salesforce", "counted", 1),
        ("opportunities", "hubspot", "owned_by_another", 4),
        ("orders", "salesforce", "counted", 1),
        ("orders", "hubspot", "owned_by_another", 2),
    }


# --- What cannot be read ------------------

HUBSPOT = {"connectors": ["hubspot"]}
SCRIPTS = {
    "hubspot": test_hubspot_landed.LANDED["fivetran"],
    "airbyte": test_hubspot_landed.LANDED["airbyte"],
    "no stages": test_hubspot_landed.LANDED["fivetran"] + "drop table deal_pipeline_stage;",
    "no close date": test_hubspot_landed.LANDED["fivetran"] + "alter table deal drop property_closedate;",
    "ids of NULL": test_hubspot_landed.LANDED["airbyte"] + "update deals set id = null;",
    "dlt without a date": test_hubspot_landed.LANDED["dlt"] + "alter table deals drop closedate;",
    "empty": "",
}
# What is landed (a script's name, a place, or none), the variables, and words of the sentence.
PROBLEMS: dict[str, tuple[str | None, dict[str, Any], tuple[str, ...]]] = {
    "nothing landed": (None, HUBSPOT, ("ICP_LANDED", "hubspot")),
    "a wrong path": ("nowhere.duckdb", HUBSPOT, ("ICP_LANDED", "nowhere.duckdb", "does not exist")),
    "a file that is no database": (__file__, HUBSPOT, ("ICP_LANDED", "not a DuckDB database")),
    "another schema": ("hubspot", HUBSPOT | {"hubspot_schema": "crm"}, ("schema crm", "hubspot_schema", "the schemas hubspot")),
    "an empty schema": ("empty", HUBSPOT, ("no tables in the schema hubspot", "empty")),
    "an unknown loader": (
        "hubspot",
        HUBSPOT | {"hubspot_loader": "stitch"},
        ("hubspot_loader", "fivetran, airbyte, dlt", "stitch"),
    ),
    "the wrong loader": ("airbyte", HUBSPOT, ("landed by airbyte", "hubspot_loader: airbyte")),
    "another tool": ("hubspot", {"connectors": ["salesforce"], "salesforce_schema": "hubspot"}, ("looks like hubspot",)),
    "ids of NULL throughout": ("ids of NULL", HUBSPOT | {"hubspot_loader": "airbyte"}, ("`id`", "hubspot.deals", "NULL")),
    "a table that is required": ("no stages", HUBSPOT, ("deal_pipeline_stage", "Schema tab")),
    "a column that is required": ("no close date", HUBSPOT, ("hubspot.deal", "closedate", "Schema tab")),
    "a property of dlt": ("dlt without a date", HUBSPOT | {"hubspot_loader": "dlt"}, ("closedate", "`properties` argument")),
    "no owner": ("hubspot", {"connectors": ["hubspot", "salesforce"]}, ("owner_of", "same deals")),
    "an owner that is off": ("hubspot", HUBSPOT | {"owner_of": {"orders": "salesforce"}}, ("owner_of", "salesforce")),
    "a field of nothing": ("hubspot", HUBSPOT | {"hubspot_fields": {"orders.colour": "x"}}, ("hubspot_fields", "orders.colour")),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_cannot_be_read_is_one_sentence(name: str, build_input: InputBuild, tmp_path: Path) -> None:
    place, variables, words = PROBLEMS[name]
    landed = test_hubspot_landed.write(tmp_path / "landed.duckdb", SCRIPTS[place]) if place in SCRIPTS else place
    sentence = one_sentence(build_input(variables=variables, landed=landed, check=False, starts=True))
    assert [word for word in words if word not in sentence] == [], sentence
    assert len(sentence) < 300


def test_a_locked_file_is_one_sentence(build_input: InputBuild, tmp_path: Path) -> None:
    landed = test_hubspot_landed.write(tmp_path / "landed.duckdb", SCRIPTS["hubspot"])
    with duckdb.connect(str(landed)):
        sentence = one_sentence(build_input(variables=HUBSPOT, landed=landed, check=False, starts=True))
    assert f"Process {os.getpid()}" in sentence
    assert "ICP_LANDED" in sentence


def test_nothing_is_written_to_landed_data(build_input: InputBuild, tmp_path: Path) -> None:
    landed = test_hubspot_landed.write(tmp_path / "landed.duckdb", SCRIPTS["hubspot"])
    before = landed.read_bytes()
    # Somebody else reads it meanwhile, which a writer would not suffer.
    with duckdb.connect(str(landed), read_only=True):
        build_input(variables=HUBSPOT, landed=landed)
    assert landed.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"landed.duckdb"}


def test_a_build_that_reads_no_landed_data_does_not_mind_what_is_landed(build_input: InputBuild, tmp_path: Path) -> None:
    (tmp_path / "accounts.csv").write_text("account_id\na1\n")
    (tmp_path / "orders.csv").write_text("order_id,account_id,order_status,closed_at\no1,a1,closed_won,2024-01-01\n")
    assert build_input(tmp_path, landed="nowhere.duckdb").returncode == 0


# --- Before any build ------------------


def icp(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.usefixtures("warm_check")
@pytest.mark.slow
def test_check_says_what_is_landed_and_what_to_switch_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    landed = test_hubspot_landed.write(tmp_path / "landed.duckdb", SCRIPTS["airbyte"])
    monkeypatch.setenv("ICP_LANDED", str(landed))
    said = icp("check", "hubspot", "--vars", "{hubspot_loader: airbyte}").stdout
    assert [line for line in said.splitlines() if "hubspot.deals " in line and " 5 " in line and "2024-07-01 00:00" in line]
    for sentence in (
        "Won in Sales: Signed",
        "deals with an account: 3 of 4 (75%)",
        "deals with an amount: 4 of 4 (100%)",
        "with lines: 1 of 4 (25%)",
        "orders with a term, of their own or of a line: 0 of 4 (0%)",
        "1 deals have exactly 100 line items",
        "opportunities.account_id",
        "switch the stream on",
        "  - contacts: contacts, their titles",
        "  - hubspot.deals: ",
        "select the fields in the stream's schema",
    ):
        assert sentence in said, sentence


@pytest.mark.usefixtures("warm_check")
def test_check_of_a_connector_that_cannot_be_read_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICP_LANDED", "nowhere.duckdb")
    result = icp("check", "hubspot")
    assert result.exit_code == 1
    assert result.stderr.strip().splitlines()[-1] == "ICP_LANDED names nowhere.duckdb, which does not exist."
