"""The same input gives the same rows: however, wherever and how often it is built, killed or dated."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from conftest import ROOT, SAMPLE, BuildResult, build, frame, start_build
from published_states import assert_complete, read_states_until
from warm_dbt import CONTEXT, parsed_project, run_dbt
from worlds import write_worlds

AS_OF = "2024-06-30"
FIRST_LATER = datetime.fromisoformat(AS_OF) + timedelta(days=1)
ONLY_ROWS = {"exclude": "resource_type:test", "unit_tests": False, "backtests": True}
ALL_BUT_EXPECTATIONS = ONLY_ROWS | {"exclude": "resource_type:test expectation_results+"}
# Nothing was adopted, and nothing lacks in the demo company.
EMPTY = {
    *("marts.icp_adoptions", "marts.icp_challenger_segments", "marts.icp_missing_inputs", "marts.quality_joined_records"),
    *("learned.checked_adoptions", "learned.rule_problems"),
}
# What people believe of the demo company, which is not said of files.
ASSUMPTIONS = {"learned.checked_assumptions", "learned.learned_assumption_figures", "marts.icp_assumptions"}

Tables = dict[str, list[tuple]]


def tables(database: Path) -> Tables:
    """The sorted rows of every mart, of all that was learned and of the rejects, by name of the table."""
    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute(
            """
            select table_schema || '.' || table_name from information_schema.tables
            where table_schema in ('marts', 'learned') or table_name = 'input_rejects'
            """
        ).fetchall()
        return {name: _rows(connection, name) for (name,) in sorted(names)}


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> list[tuple]:
    rows = connection.execute(f"select columns(*) from {name}").fetchall()
    return sorted(rows, key=repr)


def assert_same(found: Tables, expected: Tables) -> None:
    """Fail with a few of the rows that differ, table by table."""
    assert found.keys() == expected.keys()
    differing = {name: Counter(found[name]) - Counter(rows) for name, rows in expected.items()}
    missing = {name: Counter(rows) - Counter(found[name]) for name, rows in expected.items()}
    report = [
        f"{name}: {differing[name].total()} rows too many, {missing[name].total()} missing\n"
        + "\n".join([f"  + {row}" for row in [*differing[name]][:3]] + [f"  - {row}" for row in [*missing[name]][:3]])
        for name in expected
        if differing[name] or missing[name]
    ]
    assert not report, "\n".join(report)


@pytest.fixture(scope="session")
def demo_tables(demo: BuildResult) -> Tables:
    """The marts of the demo company."""
    found = tables(demo.database)
    assert {name for name, rows in found.items() if not rows} == EMPTY
    assert len(found) >= 10
    return found


# --- Once more, and in another order --------------------


@pytest.mark.slow
def test_a_second_build_from_shuffled_files_by_four_threads_gives_the_same_rows(
    demo: BuildResult, demo_tables: Tables, tmp_path: Path
) -> None:
    """Over the database of the first, which seeds made; but for the raw text of rejects, which shows a missing value as each
    source has it."""
    rng = random.Random(7)
    folder = tmp_path / "shuffled"
    folder.mkdir()
    for source in SAMPLE.glob("*.csv"):
        header, rows = _read(source)
        rng.shuffle(rows)
        _write(folder / source.name, rng.sample(header, len(header)), rows)
    shutil.copy(demo.database, tmp_path / "icp.duckdb")
    text = (ROOT / "profiles.yml").read_text().replace("        TimeZone: UTC\n", "        TimeZone: UTC\n        threads: 5\n")
    (tmp_path / "profiles.yml").write_text(text)
    again = tables(build(tmp_path, folder, profiles=tmp_path, threads=4, **ALL_BUT_EXPECTATIONS).database)
    rejects = "input.input_rejects"
    found, expected = ({**each, rejects: sorted((row[:3] for row in each[rejects]), key=str)} for each in (again, demo_tables))
    assert not any(found.pop(name) for name in ASSUMPTIONS)
    assert_same(found, {name: rows for name, rows in expected.items() if name not in ASSUMPTIONS})


def _checksums(state: Path) -> dict[str, str]:
    """The sha256 of each mart's Parquet file, to the last bit of a double."""
    files = json.loads((state / "manifest.json").read_text())["files"]
    return {file["name"]: file["sha256"] for file in files if file["rows"] is not None}


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames), list(reader)


def _write(path: Path, header: list[str], rows: list[dict[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        writer.writerows(rows)


# --- Killed --------------------


@pytest.mark.slow
def test_a_build_after_killed_ones_gives_the_same_rows(tmp_path: Path) -> None:
    """SIGKILL when so much of the models is made, three times in one database; then a build in it."""
    write_worlds(tmp_path / "company", seed=6, accounts=60)
    options = {"select": "+fct_mrr_movements", "unit_tests": False, "data_tests": False}
    expected = build(tmp_path / "whole", tmp_path / "company", **options)
    models = expected.stdout.count(" OK created sql ")
    killed = tmp_path / "killed"
    for share in (0.02, 0.4, 0.7):
        enough = max(1, round(share * models))
        process = start_build(killed, tmp_path / "company", **options)
        while _made(killed / "output") < enough and process.is_alive():
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL, (killed / "output").read_text()
        assert enough <= _made(killed / "output") < models, (killed / "output").read_text()
    again = build(killed, tmp_path / "company", **options)
    assert_same(tables(again.database), tables(expected.database))


def _made(output: Path) -> int:
    text = output.read_text(errors="replace") if output.exists() else ""
    return text.count(" OK created sql ")


# `make validate` kills ten.
KILLS = int(os.environ.get("ICP_KILLS", 0))  # `make validate` sets it


@pytest.mark.slow
@pytest.mark.skipif(not KILLS, reason="for `make validate`: minutes of builds")
def test_builds_killed_at_any_moment_leave_a_state_that_can_be_read_and_a_database_that_can_be_built(tmp_path: Path) -> None:
    """SIGKILL at a random moment of a whole build, the last one while it publishes; a reader looks at `current` all the time."""
    write_worlds(tmp_path / "company", seed=6, accounts=60)
    options = {"vars": {"publish_untested": True}} | ONLY_ROWS
    build(tmp_path, tmp_path / "company", **options)
    started = time.monotonic()
    second = build(tmp_path, tmp_path / "company", **options)  # as all that follow, it is compared with what was published
    seconds, expected, published = time.monotonic() - started, tables(second.database), tmp_path / "published"
    checksums = _checksums(published / "current")
    done, answer = CONTEXT.Event(), CONTEXT.Queue()
    reader = CONTEXT.Process(target=read_states_until, args=(done, published, answer))
    reader.start()
    rng = random.Random(KILLS)
    for number in range(KILLS):
        process = start_build(tmp_path, tmp_path / "company", **options)
        end = time.monotonic() + rng.uniform(0, 1.1 * seconds)
        while process.is_alive() and (time.monotonic() < end or number == KILLS - 1):
            if number == KILLS - 1 and [*published.glob("states/*.part")]:
                break
            time.sleep(0.005)
        process.kill()
        process.join()
        assert number < KILLS - 1 or process.exitcode == -signal.SIGKILL, (tmp_path / "output").read_text()
    again = build(tmp_path, tmp_path / "company", **options)
    done.set()
    found = answer.get()
    reader.join()
    assert isinstance(found, int), found
    assert found >= 3 * KILLS
    assert_same(tables(again.database), expected)
    states = [*(published / "states").iterdir()]
    assert [assert_complete(state)["connectors"] for state in states] == [["files"]] * len(states)
    assert _checksums(published / "current") == checksums


# --- As it was --------------------

# What the demo company lacks: facts before AS_OF that point at records made after it.
LATER = {
    "accounts": [
        {"account_id": "later survivor", "account_name": "Survivor", "created_at": "2025-01-01T00:00:00"},
        {"account_id": "merged", "merged_into_account_id": "later survivor", "created_at": "2022-01-01T00:00:00"},
        {"account_id": "later double", "merged_into_account_id": "early", "created_at": "2025-01-01T00:00:00"},
        {"account_id": "early", "parent_account_id": "later parent", "domain": "early.example"},
        {"account_id": "later parent", "created_at": "2025-01-01T00:00:00", "domain": "early.example"},
        {"account_id": "later customer", "created_at": "2025-01-01T00:00:00"},
    ],
    "orders": [
        {"order_id": "of merged", "account_id": "merged", "closed_at": "2023-01-01", "amount": "100"},
        {"order_id": "replaces a later one", "account_id": "early", "closed_at": "2023-01-01", "amount": "100"}
        | {"replaces_order_id": "later"},
        {"order_id": "later", "account_id": "early", "closed_at": "2024-07-01", "amount": "100"},
        {"order_id": "last second", "account_id": "early", "closed_at": "2024-06-30T23:59:59.999999", "amount": "1"},
        {"order_id": "next midnight", "account_id": "early", "closed_at": "2024-07-01T00:00:00Z", "amount": "1"},
        {"order_id": "next day in UTC", "account_id": "early", "closed_at": "2024-06-30T20:00:00-05:00", "amount": "1"},
        {"order_id": "same day in UTC", "account_id": "early", "closed_at": "2024-07-01T01:00:00+02:00", "amount": "1"},
        {"order_id": "terminated later", "account_id": "later customer", "closed_at": "2024-01-01", "amount": "12"}
        | {"term_months": "12", "terminated_on": "2024-07-31"},
        {"order_id": "starts later", "account_id": "later customer", "closed_at": "2024-06-01", "amount": "12"}
        | {"starts_on": "2024-08-01", "term_months": "12"},
        {"order_id": "renewed later", "account_id": "later customer", "closed_at": "2024-07-02", "amount": "12"}
        | {"starts_on": "2024-06-01", "term_months": "24", "replaces_order_id": "terminated later"},
    ],
    "opportunities": [
        {"opportunity_id": "won later", "account_id": "merged", "is_closed": "true", "is_won": "true", "amount": "5"}
        | {"created_at": "2024-01-01", "closed_at": "2025-01-01", "stage": "won", "currency_code": "EUR"},
        {"opportunity_id": "no date", "account_id": "early", "is_closed": "true", "is_won": "true", "amount": "5"}
        | {"created_at": "2024-01-01"},
    ],
}


def _moment(text: str) -> datetime | None:
    """A date or timestamp in UTC; None where there is none that can be read."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _is_later(text: str) -> bool:
    """Whether a date lies after AS_OF; one that cannot be meant (9999) is a fault and no date."""
    moment = _moment(text)
    return moment is not None and FIRST_LATER <= moment < datetime(2100, 1, 1)


DATES = {
    "account_attributes": "known_from",
    "contacts": "created_at",
    "opportunities": "created_at",
    "opportunity_stages": "entered_at",
    "orders": "closed_at",
    "engagements": "occurred_at",
    "campaign_members": "added_at",
    "campaign_spend": "spent_on",
    "exchange_rates": "valid_from",
}


def part(source: Path, folder: Path, accounts: int) -> None:
    """Copy CSV files with so many of the accounts only, and what belongs to them."""
    folder.mkdir()
    rows = {path.stem: _read(path) for path in source.glob("*.csv")}
    ids = [row["account_id"] for row in rows["accounts"][1]]
    gone = {"account_id": {*ids} - {*random.Random(7).sample(sorted({*ids}), accounts)}}
    keys = {"contacts": "contact_id", "opportunities": "opportunity_id", "orders": "order_id"}
    for entity in [*keys, *(rows.keys() - keys.keys())]:
        header, all_rows = rows[entity]
        left_out = [row for row in all_rows if any(row.get(name) in removed for name, removed in gone.items())]
        if entity in keys:
            gone[keys[entity]] = {row[keys[entity]] for row in left_out}
        skipped = {id(row) for row in left_out}
        _write(folder / f"{entity}.csv", header, [row for row in all_rows if id(row) not in skipped])


def cut(source: Path, folder: Path) -> None:
    """Copy CSV files as they would have been exported at the end of AS_OF."""
    folder.mkdir()
    rows = {path.stem: _read(path) for path in source.glob("*.csv")}
    for entity, column in DATES.items():
        header, all_rows = rows[entity]
        # The date of an open order is an expectation, not a fact.
        kept = [row for row in all_rows if not _is_later(row[column]) or row.get("order_status") == "open"]
        rows[entity] = header, kept
    for row in rows["opportunities"][1]:
        if row["is_closed"].lower() == "true" and _is_later(row["closed_at"]):
            row.update(is_closed="false", is_won="false", closed_at="", stage="")
    for row in rows["orders"][1]:
        if _is_later(row["terminated_on"]):
            row["terminated_on"] = ""
    kept_orders = {row["order_id"] for row in rows["orders"][1]}
    gone = {row["order_id"] for row in _read(source / "orders.csv")[1]} - kept_orders
    header, lines = rows["order_lines"]
    rows["order_lines"] = header, [line for line in lines if line["order_id"] not in gone]
    # An account whose record came late is there if it has a contact or was dealt with, or an earlier one is merged into it.
    header, accounts = rows["accounts"]
    late = {row["account_id"] for row in accounts if _is_later(row["created_at"])}
    for entity in ("contacts", "orders", "opportunities", "engagements"):
        late -= {row["account_id"] for row in rows[entity][1]}
    targets = {row["account_id"]: row["merged_into_account_id"] for row in accounts}
    for account_id in set(targets) - late:
        while (account_id := targets.get(account_id, "")) in late:
            late.remove(account_id)
    rows["accounts"] = header, [row for row in accounts if row["account_id"] not in late]
    for entity, (header, kept) in rows.items():
        _write(folder / f"{entity}.csv", header, kept)


@pytest.mark.slow
def test_build_as_of_a_day_equals_one_on_data_cut_at_that_day(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    part(SAMPLE, whole, accounts=500)
    for entity, added in LATER.items():
        header, rows = _read(whole / f"{entity}.csv")
        if entity == "orders":
            added = [{"order_status": "closed_won"} | row for row in added]
        _write(whole / f"{entity}.csv", header, [*rows, *added])
    cut(whole, tmp_path / "cut")
    for name in DATES:
        assert len(_read(tmp_path / "cut" / f"{name}.csv")[1]) < len(_read(whole / f"{name}.csv")[1]), name
    options = ALL_BUT_EXPECTATIONS | {"vars": {"as_of": AS_OF}}
    found = tables(build(tmp_path / "1", whole, **options).database)
    expected = tables(build(tmp_path / "2", tmp_path / "cut", **options).database)
    # Rows that are not there yet can neither be rejected nor be judged, nor lose a value.
    for name in ("input.input_rejects", "marts.quality_rejects", "marts.quality_inferences"):
        del found[name], expected[name]
    emerging = {"learned.learned_emerging_attributes", "marts.icp_emerging_attributes"}  # too few accounts for any
    assert {name for name, rows in expected.items() if not rows} <= EMPTY | emerging | ASSUMPTIONS
    assert_same(found, expected)


# --- Elsewhere --------------------


def _dbt(arguments: list[str], cwd: Path) -> str:
    """Run dbt as a user does, without any ICP_ or DBT_ variable; answer what it printed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ICP_", "DBT_"))}
    finished = subprocess.run(
        [str(Path(sys.executable).parent / "dbt"), "--no-use-colors", *arguments],
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert finished.returncode == 0, finished.stdout[-3000:]
    # DuckDB's binding says it at the end of a process whose objects were never freed.
    assert "leaked" not in finished.stdout, finished.stdout[-3000:]
    return finished.stdout


ACCOUNTS = "account_id\na1\na2\n"
ORDERS = "order_id,account_id,order_status,closed_at\no1,a1,closed_won,2024-01-01\n"


@pytest.fixture(scope="session")
def elsewhere(input_layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a project and, beside it, a directory of files from which dbt is called."""
    folder = tmp_path_factory.mktemp("elsewhere")
    project = shutil.copytree(input_layer, folder / "project")
    shutil.copytree(ROOT / "warehouse", project / "warehouse", ignore=shutil.ignore_patterns("*.duckdb*"))
    files = folder / "work" / "files"
    files.mkdir(parents=True)
    (files / "accounts.csv").write_text(ACCOUNTS)
    (files / "orders.csv").write_text(ORDERS)
    project_options = ["--project-dir", "../project", "--profiles-dir", "../project"]
    variables = json.dumps({"connectors": ["files"], "files_dir": "files"})
    _dbt(["run", *project_options, "--vars", variables, "--select", "+input_accounts"], folder / "work")
    return folder


def test_files_dir_is_relative_to_where_dbt_is_called(elsewhere: Path) -> None:
    [database] = elsewhere.rglob("*.duckdb")
    assert sorted(frame(database, "input.input_accounts")["account_id"]) == ["a1", "a2"]


def test_default_database_is_in_the_project(elsewhere: Path) -> None:
    databases = [path.relative_to(elsewhere).as_posix() for path in elsewhere.rglob("*.duckdb")]
    assert databases == ["project/warehouse/icp.duckdb"]


@pytest.mark.slow
def test_docs_have_every_mart_with_its_columns(demo: BuildResult, demo_tables: Tables, tmp_path: Path) -> None:
    shutil.copy(demo.database, tmp_path / "icp.duckdb")
    (tmp_path / "docs").mkdir()
    code, printed = run_dbt(
        ["docs", "generate", "--no-compile", "--target-path", str(tmp_path / "docs"), "--log-path", str(tmp_path / "logs")],
        ROOT,
        {"ICP_DATABASE": str(tmp_path / "icp.duckdb")},
        tmp_path / "output",
        parsed=parsed_project(ROOT, {}),
    )
    assert code == 0, printed
    catalog = json.loads((tmp_path / "docs" / "catalog.json").read_text())
    assert not catalog["errors"]
    columns = {
        f"marts.{node['metadata']['name']}": set(node["columns"])
        for node in catalog["nodes"].values()
        if node["metadata"]["schema"] == "marts"
    }
    marts = {name for name in demo_tables if name.startswith("marts.")}
    assert columns == {name: set(frame(demo.database, name).columns) for name in marts}
    manifest = json.loads((demo.folder / "target" / "manifest.json").read_text())
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["schema"] == "marts":
            described = {name for name, column in node["columns"].items() if column["description"]}
            assert described == columns[f"marts.{node['name']}"], node["name"]
            assert node["description"], node["name"]
    assert (tmp_path / "docs" / "index.html").stat().st_size > 100_000


def test_a_table_is_made_where_a_view_stood_and_a_view_where_a_table_did(one_order: BuildResult, tmp_path: Path) -> None:
    database = tmp_path / "icp.duckdb"
    shutil.copy(one_order.database, database)
    # With a hook, which takes a transaction, and without.
    tables, views = (
        ["intermediate.int_contracts", "intermediate.int_orders__priced"],
        ["input.input_orders", "input.input_products"],
    )
    before = _kinds_and_rows(database, *tables, *views)
    assert [kind for kind, _ in before] == ["BASE TABLE"] * 2 + ["VIEW"] * 2
    with duckdb.connect(str(database)) as connection:
        for name in tables:
            connection.execute(f"drop table {name}; create view {name} as select 1 as x")
        for name in views:
            connection.execute(f"drop view {name}; create table {name} as select 1 as x")
    models = " ".join(name.partition(".")[2] for name in (*views, *tables))
    build(tmp_path, one_order.folder / "files", select=models, command="run")
    assert _kinds_and_rows(database, *tables, *views) == before


def _kinds_and_rows(database: Path, *names: str) -> list[tuple[str, list[tuple]]]:
    with duckdb.connect(str(database), read_only=True) as connection:
        kind = "select table_type from information_schema.tables where table_schema || '.' || table_name = ?"
        return [(connection.execute(kind, [name]).fetchone()[0], _rows(connection, name)) for name in names]
