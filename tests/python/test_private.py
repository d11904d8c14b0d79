"""The warehouse and its logs are their owner's only, and who holds the database is said in a sentence."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from conftest import BuildResult, InputBuild
from icp_refinery.dbt_plugin import TAKEN
from warm_dbt import run_dbt

ORDERS = "order_id,account_id,order_status,closed_at,amount\no1,a1,closed_won,2024-01-01,5\n"
WITHOUT_TESTS = ("--exclude", "resource_type:test", "resource_type:unit_test")
HOLD = "import duckdb, sys; held = duckdb.connect(sys.argv[1], read_only=True); print('held', flush=True); sys.stdin.read()"


def test_a_held_database_is_one_sentence_that_names_the_process(build_input: InputBuild, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (tmp_path / "build").mkdir()
    (files / "accounts.csv").write_text("account_id\na1\n")
    (files / "orders.csv").write_text(ORDERS)
    before = os.umask(0o022)
    try:
        built = build_input(files, folder=tmp_path / "build", arguments=(*WITHOUT_TESTS, "--log-level-file", "debug"))
    finally:
        os.umask(before)
    private = [built.database, tmp_path / "build" / "logs" / "dbt.log"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in private] == [0o600, 0o600]
    built.database.chmod(0o644)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(built.database)], **pipes) as holder:
        assert holder.stdout.readline() == b"held\n"
        refused = build_input(files, folder=tmp_path / "build", check=False, arguments=WITHOUT_TESTS)
        holder.stdin.close()
    assert refused.returncode != 0
    assert "Traceback" not in refused.stdout
    [sentence] = [line for line in refused.stdout.splitlines() if "holds the database" in line]
    assert f"Process {holder.pid} (" in sentence
    assert stat.S_IMODE(built.database.stat().st_mode) == 0o600


STARTED = """
import os, sys
from types import SimpleNamespace
from icp_refinery import dbt_plugin
os.umask(0o022)
dbt_plugin.get_flags = lambda: SimpleNamespace(WHICH=sys.argv[1], SELECT=sys.argv[2:], SELECTOR=None, LOG_PATH=None)
dbt_plugin.apart.start = lambda *modules: print(*modules, oct(os.umask(0)))
dbt_plugin.Plugin("icp", {})
"""


@pytest.mark.parametrize(
    ("asked", "started"), [("build", "icp_refinery.learning.tables 0o77\n"), ("build orders", ""), ("run", "")]
)
def test_what_a_whole_build_starts_early_keeps_private_too(asked: str, started: str) -> None:
    done = subprocess.run([sys.executable, "-c", STARTED, *asked.split()], capture_output=True, text=True, check=True)
    assert done.stdout == started


@pytest.mark.parametrize("name", ["main.duckdb", "Marts.duckdb", "what?.duckdb", "my#db.duckdb"])
def test_a_database_with_a_name_that_cannot_be_is_one_sentence(name: str, start_only: Path, tmp_path: Path) -> None:
    arguments = ["--no-use-colors", "build", "--vars", "{connectors: [files], files_dir: nowhere}"]
    arguments += ["--target-path", str(tmp_path / "target"), "--log-path", str(tmp_path / "logs")]
    code, output = run_dbt(arguments, start_only, {"ICP_DATABASE": str(tmp_path / name)}, tmp_path / "output")
    assert code != 0
    assert "Traceback" not in output
    [sentence] = {line.strip() for line in output.splitlines() if "ICP_DATABASE" in line}
    assert name in sentence


def test_no_schema_has_the_name_of_a_database(demo: BuildResult) -> None:
    with duckdb.connect(str(demo.database), read_only=True) as connection:
        schemas = connection.execute("select distinct lower(table_schema) from information_schema.tables").fetchall()
    assert {name for (name,) in schemas} - TAKEN == set()
