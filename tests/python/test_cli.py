"""`icp` runs nothing that lies in the current folder, says its version, and suggests the nearest command."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from icp_refinery.cli import app

ICP = str(Path(sys.executable).parent / "icp")


def test_the_version_is_said() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"icp-refinery {version('icp-refinery')}\n"


@pytest.mark.parametrize(("typed", "meant"), [(["chek"], "check"), (["adpot"], "adopt"), (["hubspot", "aply"], "apply")])
def test_an_unknown_command_suggests_the_nearest(typed: list[str], meant: str) -> None:
    result = CliRunner().invoke(app, typed)
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.output


@pytest.mark.slow
def test_nothing_in_the_current_folder_is_executed(tmp_path: Path) -> None:
    for module in ("click", "typer", "duckdb", "yaml", "pandas", "rich", "dbt", "httpx", "sitecustomize", "icp_refinery"):
        (tmp_path / f"{module}.py").write_text("open('executed', 'w').close()\n")
    (tmp_path / "accounts.csv").write_text("account_id\na1\n")
    (tmp_path / "orders.csv").write_text("order_id,account_id,order_status,closed_at,amount\no1,a1,closed_won,2024-01-01,5\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    for arguments in (["--version"], ["adopt", "--check"], ["hubspot", "nurture"], ["check", "."]):
        said = subprocess.run([ICP, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert "Traceback" not in said.stderr, said.stderr
        assert not (tmp_path / "executed").exists(), arguments
    assert "rows" in said.stdout


def test_the_slowest_nodes_of_the_last_build_are_said(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["profile", "--target", str(tmp_path)]).exit_code == 1
    nodes = {"model.p.a": 1.5, "model.p.b": 20.0, "test.p.c.1f": 3.0}
    results = [{"unique_id": name, "execution_time": seconds} for name, seconds in nodes.items()]
    (tmp_path / "run_results.json").write_text(json.dumps({"elapsed_time": 23.0, "results": results}))
    said = CliRunner().invoke(app, ["profile", "--target", str(tmp_path), "--top", "2"]).output.splitlines()
    assert said[0].startswith("23.0 s")
    assert [line.split() for line in said[1:3]] == [["21.50", "2", "×", "model"], ["3.00", "1", "×", "test"]]
    assert [line.split() for line in said[4:]] == [["20.00", "b"], ["3.00", "c"]]
