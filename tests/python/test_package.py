"""The project as a package of another dbt project (`tests/package`), and the connector `relations` that reads its models."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from conftest import ROOT, BuildResult, InputBuild, build, frame, once, one_sentence
from icp_refinery.adopt import read_learned
from icp_refinery.check import CheckError
from icp_refinery.check_landed import check_relations
from icp_refinery.simulate import write_world
from warm_dbt import run_dbt

pytestmark = pytest.mark.slow

# What is not the same in both: what people of the host believe, whose account of its own is one more row, and rows of exports.
OF_THE_HOST = {"icp_assumptions", "quality_rejects", "quality_expectations"}
BAD_ROWS = {
    "orders": {"order_id": "BAD", "order_status": "closed_won", "closed_at": "soon"},
    "accounts": {"account_id": "ODD", "account_name": "Odd size", "employee_count": "about 50"},
}


class Host(NamedTuple):
    """A build of the host's project and one of the same exports through the connector `files`."""

    folder: Path
    code: int
    output: str
    files: BuildResult

    @property
    def database(self) -> Path:
        return self.folder / "acme.duckdb"

    def rows(self, query: str) -> list[tuple]:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company of 120 accounts as CSV files, with an order that is rejected and an account that loses a value."""

    def make(folder: Path) -> Path:
        write_world(folder, 120, 30, 7, form="csv")
        for path in folder.glob("*.csv"):
            if path.stem not in READ:
                path.unlink()
        for entity, values in BAD_ROWS.items():
            path = folder / f"{entity}.csv"
            with path.open(encoding="utf-8", newline="") as file:
                names = csv.DictReader(file).fieldnames
            with path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, names, lineterminator="\n").writerow({"account_id": "ODD"} | values)
        return folder

    return once(tmp_path_factory, "exports_of_acme", make)


READ = {"accounts", "account_attributes", "contacts", "opportunities", "opportunity_stages", "orders", "order_lines", "products"}
READ |= {"engagements", "exchange_rates"}


@pytest.fixture(scope="session")
def host(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Host:
    """The host's project, installed and built as its people would."""

    def make(folder: Path) -> Host:
        project = folder / "acme"
        shutil.copytree(ROOT / "tests" / "package", project, ignore=shutil.ignore_patterns("dbt_packages", "target", "logs"))
        packages = project / "packages.yml"
        packages.write_text(packages.read_text().replace("../..", str(ROOT)))
        with duckdb.connect(str(project / "acme.duckdb")) as connection:
            connection.execute("create schema raw")
            for table, entity in (("rates", "exchange_rates"), ("traits", "account_attributes")):
                connection.execute(f"create table raw.{table} as from read_csv('{exports}/{entity}.csv', all_varchar = true)")
        env = {"CRM_EXPORTS": str(exports)}
        code, output = run_dbt(["--no-use-colors", "deps"], project, env, folder / "deps")
        assert code == 0, output
        code, output = run_dbt(["--no-use-colors", "build"], project, env, folder / "output")
        files = build(folder / "files", exports, unit_tests=False, data_tests=False)
        return Host(project, code, output, files)

    return once(tmp_path_factory, "acme", make)


def test_a_host_builds_the_package_with_every_test(host: Host) -> None:
    assert host.code == 0, host.output


def test_marts_from_relations_are_those_from_the_same_files(host: Host) -> None:
    query = "select table_name from information_schema.tables where table_schema = ?"
    with duckdb.connect(str(host.files.database), read_only=True) as connection:
        marts = {name for (name,) in connection.execute(query, ["marts"]).fetchall()} - OF_THE_HOST
    assert len(marts) > 20
    for mart in sorted(marts):
        mine, theirs = frame(host.database, f"dev__icp_marts.{mart}"), frame(host.files.database, f"marts.{mart}")
        assert list(mine) == list(theirs), mart
        assert sorted(map(repr, mine.values.tolist())) == sorted(map(repr, theirs.values.tolist())), mart


def test_rejects_dropped_values_and_columns_are_listed_as_for_files(host: Host) -> None:
    rejected = host.rows("select entity, row_id, rule, column_name, column_value from dev__icp_input.input_rejects")
    assert rejected == [("orders", "BAD", "unreadable_value", "closed_at", "soon")]
    dropped = host.rows("select entity, row_id, column_name, column_value from dev__icp_input.input_dropped_values")
    assert dropped == [("accounts", "ODD", "employee_count", "about 50")]
    columns = """
        select source_file, column_name, column_use from dev__icp_input.input_source_columns
        where entity = 'accounts' and column_name in ('account_id', 'region', 'Sales Desk')
    """
    assert set(host.rows(columns)) == {
        ("stg_crm__accounts", "account_id", "used"),
        ("stg_crm__accounts", "region", "used"),
        ("stg_crm__accounts", "Sales Desk", "ignored"),
    }


def test_nothing_of_the_demo_company_is_built_in_a_host(host: Host) -> None:
    schemas = {name for (name,) in host.rows("select distinct table_schema from information_schema.tables")}
    assert not {name for name in schemas if "sample" in name}
    assert "marts" not in schemas


def test_the_quality_gate_judges_and_the_state_is_published_beside_the_host(host: Host) -> None:
    [(judged, all_of_them)] = host.rows("select count(is_passed), count(*) from dev__icp_marts.quality_expectations")
    assert 0 < judged <= all_of_them
    assert all_of_them > 40
    assert (host.folder / "published" / "current" / "report.html").exists()
    with duckdb.connect(str(host.folder / "published" / "current" / "icp.duckdb"), read_only=True) as published:
        assert published.execute("select count(*) from marts.fct_orders").fetchone() != (0,)


def test_what_people_of_the_host_wrote_stands_for_the_seeds(host: Host) -> None:
    assert host.rows("select distinct profile, believed_by from dev__icp_marts.icp_assumptions") == [("Desk", "Sales")]
    assert host.rows("select count(*) from dev__icp_marts.dim_accounts where account_id = 'TEST'") == [(0,)]
    assert host.rows("select count(*) from dev__icp_input.input_accounts where account_id = 'TEST'") == [(1,)]
    assert host.rows("select source from dev__icp_learned.rule_problems") == [("left_out",)]


def test_what_a_host_learned_can_be_adopted(host: Host) -> None:
    assert read_learned(host.database).learned_from == "relations"


# What icp_inputs says, and words of the sentence that stops the run.
UNUSABLE = {
    "an unknown entity": ({"accounts": "raw.accounts", "deals": "raw.orders"}, ("deals", "order_lines", "assumptions")),
    "no accounts": ({"orders": "raw.orders"}, ("accounts is missing",)),
    "neither orders nor opportunities": ({"accounts": "raw.accounts"}, ("orders and opportunities",)),
    "no name": ({"accounts": "a.b.c.d", "orders": "raw.orders"}, ("a.b.c.d", "accounts", "database.schema.table")),
    "no mapping": ("raw.accounts", ("icp_inputs", "entity")),
}
# The same, where it is known only when the relation is there.
UNREADABLE = {
    "no such relation": ({"accounts": "raw.nothing", "orders": "raw.orders"}, ("raw.nothing", "accounts", "not there")),
    "lacks a column": ({"accounts": "raw.accounts", "orders": "raw.accounts"}, ("order_id, order_status, closed_at", "it has")),
    "a column twice": ({"accounts": "raw.twice", "orders": "raw.orders"}, ("raw.twice", "account_id twice")),
    "no rows": ({"accounts": "raw.empty", "orders": "raw.orders"}, ("accounts", "has no rows")),
}


def warehouse(folder: Path) -> Path:
    with duckdb.connect(str(folder / "icp.duckdb")) as connection:
        connection.execute("create schema raw")
        connection.execute("create table raw.accounts as select 'A1' as account_id")
        connection.execute("create table raw.empty as from raw.accounts limit 0")
        connection.execute("""create table raw.twice as select 'A1' as account_id, 'A2' as "Account ID" """)
        connection.execute(
            "create table raw.orders as select 1 as order_id, 'A1' as account_id,"
            " 'closed_won' as order_status, date '2024-01-05' as closed_at"
        )
    return folder


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_inputs_stop_the_run_with_one_sentence(kind: str, build_input: InputBuild, tmp_path: Path) -> None:
    inputs, words = UNUSABLE[kind]
    variables = {"connectors": ["relations"], "icp_inputs": inputs}
    sentence = one_sentence(build_input(variables=variables, check=False, parse=True, folder=warehouse(tmp_path)))
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_relation_stops_its_model_with_one_sentence(kind: str, build_input: InputBuild, tmp_path: Path) -> None:
    inputs, words = UNREADABLE[kind]
    variables = {"connectors": ["relations"], "icp_inputs": inputs}
    result = build_input(variables=variables, check=False, folder=warehouse(tmp_path))
    assert result.returncode != 0
    assert any(all(word in line for word in words) for line in result.stdout.splitlines()), result.stdout


@pytest.mark.usefixtures("warm_check")
def test_check_says_what_relations_hold_and_leaves_their_database_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = {"icp_inputs": {"accounts": "raw.accounts", "orders": "raw.orders"}}
    monkeypatch.setenv("ICP_DATABASE", str(tmp_path / "icp.duckdb"))
    with pytest.raises(CheckError, match=r"icp\.duckdb \(ICP_DATABASE\) is not there"):
        check_relations(inputs)
    database = warehouse(tmp_path) / "icp.duckdb"
    before = database.read_bytes()
    report = check_relations(inputs)
    assert report.entities == [("accounts", "raw.accounts", 1, 0), ("orders", "raw.orders", 1, 0)]
    assert report.folder.files["orders"].used == ["account_id", "closed_at", "order_id", "order_status"]
    assert report.failures == []
    assert database.read_bytes() == before
