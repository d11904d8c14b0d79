"""Real `dbt build`s for the tests: each in a folder of its own, never in the project's."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import pickle
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import duckdb
import pandas as pd
import pytest
from filelock import FileLock

from hubspot_desk import Desk, row
from hubspot_portal import HubSpotPortal
from icp_refinery import check
from icp_refinery.hubspot.apply import Outcome
from warm_dbt import parsed_project, run_dbt, start_dbt

# Two workers share two cores.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "GX_ANALYTICS_ENABLED": "false"}

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "seeds" / "sample"
# What takes long: learning from past quarters, and Great Expectations.
LENGTHY = ["learned_backtest+", "learned_score_calibration+", "expectation_results+"]
PARTS = (".dbtignore", "dbt_project.yml", "profiles.yml", "models", "python_models", "macros", "seeds", "tests")


@dataclass(frozen=True)
class BuildResult:
    """What a run of dbt left: its database, its exit code, all that it printed, and its own folder."""

    database: Path
    returncode: int
    stdout: str
    folder: Path


Build = Callable[..., BuildResult]
Made = TypeVar("Made")


def start_build(
    folder: Path,
    files_dir: Path | None = None,
    vars: dict[str, Any] | None = None,
    select: str | None = None,
    exclude: str | None = None,
    unit_tests: bool = True,
    data_tests: bool = True,
    backtests: bool = False,
    threads: int | None = None,
    command: str = "build",
    project: Path = ROOT,
    profiles: Path | None = None,
    env: dict[str, str] | None = None,
    database: Path | None = None,
    artifacts: bool = False,
) -> BaseProcess:
    """Start `dbt <command>` with all that it writes inside `folder`; it prints to the file `output` there.

    With `files_dir` the `files` connector reads that folder, else the demo company is built. `vars` are added
    to dbt's variables, `env` to its environment. `unit_tests=False` leaves dbt's unit tests out, as a user's build does,
    `data_tests=False` the tests of its rows; `backtests=True` learns from
    past quarters and runs the expectations too, which takes as long as all other models; `artifacts=True` writes dbt's JSON.

    dbt is called in `folder`, where every place has a name that is always the same: what was parsed once serves all builds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    variables = dict(vars or {})
    if files_dir is not None:
        _link(folder / "files", files_dir)
        variables = {"connectors": ["files"], "files_dir": "files"} | variables
    if database is not None:
        _link(folder / "icp.duckdb", database)
    arguments = [
        "--no-use-colors",
        command,
        *([] if artifacts else ["--no-write-json"]),
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(profiles or project),
    ]
    arguments += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    arguments += ["--vars", json.dumps(variables)] if variables else []
    arguments += ["--select", *select.split()] if select else []
    left_out = [*(exclude or "").split(), *([] if data_tests else ["resource_type:test"])]
    left_out += [] if backtests or select else LENGTHY
    arguments += ["--exclude", *left_out] if left_out else []
    arguments += ["--threads", str(threads)] if threads else []
    read_by_parser = {"ICP_UNIT_TESTS": json.dumps(unit_tests)}
    places = {"ICP_DATABASE": "icp.duckdb", "ICP_PUBLISHED": "published"}
    parsed = parsed_project(project, variables, read_by_parser)
    return start_dbt(arguments, folder, places | read_by_parser | (env or {}), folder / "output", parsed=parsed)


def build(
    folder: Path, files_dir: Path | None = None, vars: dict[str, Any] | None = None, check: bool = True, **options: Any
) -> BuildResult:
    """Run dbt as `start_build` starts it. Raises AssertionError, with what failed, where dbt fails and `check` is true."""
    process = start_build(folder, files_dir, vars, **options)
    process.join()
    result = BuildResult(
        options.get("database") or folder / "icp.duckdb", process.exitcode, (folder / "output").read_text(), folder
    )
    if check:
        assert result.returncode == 0, what_failed(result.stdout)
    return result


def _link(link: Path, target: Path) -> None:
    """A symbolic link, unless the place is the target itself."""
    if link != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target.resolve())


def what_failed(stdout: str) -> str:
    """dbt's output without what went well or was only begun."""
    routine = re.compile(r" (START|OK|PASS|SKIP) ")
    return "\n".join(line for line in stdout.splitlines() if not routine.search(line))


def frame(database: Path, relation: str) -> pd.DataFrame:
    """A relation (or a query in brackets) as an object frame: DECIMAL stays Decimal, NULL stays None."""
    with duckdb.connect(str(database), read_only=True) as connection:
        cursor = connection.execute(f"select * from {relation}")
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    return pd.DataFrame({name: pd.Series([row[n] for row in rows], dtype=object) for n, name in enumerate(names)})


def copy_project(folder: Path, seeds: dict[str, str] | None = None) -> Path:
    """Copy the dbt project to `folder`, with other seeds: text by path under `seeds/`."""
    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", "python"))
        else:
            shutil.copy(source, folder / part)
    for path, text in (seeds or {}).items():
        (folder / "seeds" / path).write_text(text, encoding="utf-8")
    return folder


def pytest_configure() -> None:
    """Have memory hold the tests' folders where it is ample: on a disk they wait for each commit and each line of a journal."""
    memory, information = Path("/dev/shm"), Path("/proc/meminfo")
    if memory.is_dir() and os.access(memory, os.W_OK) and information.exists():
        [available] = re.findall(r"^MemAvailable: +(\d+) kB", information.read_text(), re.MULTILINE) or ["0"]
        if min(shutil.disk_usage(memory).free, int(available) * 1024) > 12 * 2**30:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs dbt as slow, and order the files so that two workers seldom wait for one another.

    One worker begins with a file that builds the demo company, the other with what builds others; what is fast comes last.
    """
    whole = {"demo", "one_order", "renamed_demo", "adventureworks", "bad_rows", "parquet_rows"}
    whole |= {"build_input", "start_only", "elsewhere"}
    needs: dict[Path, set[str]] = defaultdict(set)
    for item in items:
        given = item.callspec.params.values() if hasattr(item, "callspec") else ()
        used = whole & {*item.fixturenames, *(value for value in given if isinstance(value, str))}
        if used:
            item.add_marker("slow")
        needs[item.path] |= used | {mark.name for mark in item.iter_markers("slow")}
    first = next((path for path, used in needs.items() if "demo" in used), None)
    items.sort(key=lambda item: (item.path != first, "slow" not in needs[item.path], "demo" in needs[item.path]))


def seeds(few: int, all_of_them: int) -> range:
    """The worlds that a statistical test looks at: `make validate` looks at all."""
    return range(all_of_them if "ICP_ALL_WORLDS" in os.environ else few)


def load(path: Path) -> Any:
    """Import a Python file that is on no path, such as a script under `examples/`."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """What `make` returns, given a folder of its own: made by whichever of pytest's workers comes first, for all."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(folder.with_suffix(".lock")):
        made = folder.with_suffix(".pickle")
        if not made.exists():
            folder.mkdir(exist_ok=True)
            made.write_bytes(pickle.dumps(make(folder)))
        return pickle.loads(made.read_bytes())


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The demo company, built by the `sample` connector with every test, in a clone of the project in a path with spaces."""

    def make(folder: Path) -> BuildResult:
        clone = folder / "a clone (of mine)"
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).exists():
                (clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, clone / name)
        return build(folder, project=clone, backtests=True, artifacts=True)

    return once(tmp_path_factory, "demo", make)


@pytest.fixture(scope="session")
def one_order(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A company of 25 accounts that has won one order."""

    def make(folder: Path) -> BuildResult:
        files = folder / "files"
        files.mkdir()
        (files / "accounts.csv").write_text("account_id,industry\n" + "".join(f"A{i},{'xy'[i % 2]}\n" for i in range(1, 26)))
        (files / "orders.csv").write_text("order_id,account_id,order_status,closed_at,amount\n1,A1,closed_won,2024-01-05,100\n")
        return build(folder, files, unit_tests=False, backtests=True)

    return once(tmp_path_factory, "one_order", make)


# Other names for the industries: what is found must not hang on them.
RENAMED = {
    "Financial Services": "Media",
    "Media": "Healthcare",
    "Healthcare": "Government",
    "Government": "Energy",
    "Energy": "Financial Services",
}


@pytest.fixture(scope="session")
def renamed_demo(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The demo company, its industries under the names of others (`RENAMED`)."""
    folder = tmp_path_factory.mktemp("renamed")
    for file in SAMPLE.glob("*.csv"):
        rows = list(csv.DictReader(file.open(encoding="utf-8", newline="")))
        if file.name == "accounts.csv":
            for row in rows:
                row["industry"] = RENAMED.get(row["industry"], row["industry"])
        with (folder / file.name).open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return build(tmp_path_factory.mktemp("renamed_demo"), folder, unit_tests=False, data_tests=False)


@pytest.fixture(scope="session")
def adventureworks_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AdventureWorks as a folder of the contract's Parquet files."""

    def prepare(folder: Path) -> Path:
        load(ROOT / "examples" / "adventureworks" / "prepare.py").prepare(folder)
        return folder

    return once(tmp_path_factory, "adventureworks_files", prepare)


@pytest.fixture(scope="session")
def adventureworks(adventureworks_files: Path, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """AdventureWorks, built by the `files` connector."""
    return once(
        tmp_path_factory,
        "adventureworks",
        lambda folder: build(folder, adventureworks_files, unit_tests=False, backtests=True),
    )


@pytest.fixture(scope="session")
def input_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with nothing after the input layer, which dbt parses in a moment."""
    project = copy_project(tmp_path_factory.mktemp("input_layer") / "project")
    later = [path for path in (project / "models").iterdir() if not path.name.startswith(("input", "staging"))]
    for path in [
        *later,
        project / "models" / "staging" / "sample",
        project / "models" / "staging" / "people",
        project / "tests" / "singular",
        project / "python_models",
        project / "seeds",
    ]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return project


@pytest.fixture(scope="session")
def start_only(input_layer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with one model of nothing: what a run looks at before it builds, and no more to parse."""
    project = tmp_path_factory.mktemp("start_only") / "project"
    shutil.copytree(input_layer, project, ignore=shutil.ignore_patterns("target", "logs", "models"))
    (project / "models").mkdir()
    (project / "models" / "nothing.sql").write_text("select 1 as nothing")
    return project


InputBuild = Callable[..., BuildResult]


@pytest.fixture(scope="session")
def build_input(input_layer: Path, start_only: Path, tmp_path_factory: pytest.TempPathFactory) -> InputBuild:
    """A function that builds the input layer of a folder in a database of its own."""

    def run(
        files_dir: Path | str | None = None,
        variables: dict[str, Any] | None = None,
        check: bool = True,
        arguments: tuple[str, ...] = (),
        folder: Path | None = None,
        parse: bool = False,
        landed: Path | str | None = None,
        starts: bool = False,
    ) -> BuildResult:
        """`parse=True` has dbt parse with the very variables, where these are the matter; `starts=True` has it build nothing."""
        project = start_only if starts else input_layer
        folder = folder or tmp_path_factory.mktemp("input")
        if files_dir is not None:
            variables = {"connectors": ["files"], "files_dir": str(files_dir)} | (variables or {})
        command = ["--no-use-colors", "build", "--no-write-json", "--vars", json.dumps(variables or {}), *arguments]
        command += ["--exclude-resource-type", "test", "unit_test"]
        command += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
        database = folder / "icp.duckdb"
        parsed = None if parse else parsed_project(project, variables or {})
        places = {"ICP_DATABASE": str(database)} | ({"ICP_LANDED": str(landed)} if landed else {})
        code, output = run_dbt(command, project, places, folder / "output", parsed=parsed)
        assert code == 0 or not check, output
        return BuildResult(database, code, output, folder)

    return run


@pytest.fixture(scope="module")
def warm_check() -> Iterator[None]:
    """`icp check` runs dbt without its start, which takes most of the time; test_cli.py has it as people start it."""

    def run(command: list[str], env: dict[str, str], cwd: Path, **_: Any) -> subprocess.CompletedProcess[str]:
        arguments = ["--no-write-json", *command[command.index("dbt.cli.main") + 1 :]]
        variables = json.loads(arguments[arguments.index("--vars") + 1])
        places = {name: place for name, place in env.items() if name.startswith("ICP_")}
        parsed = parsed_project(ROOT, variables, {"ICP_DATABASE": places["ICP_DATABASE"]})
        code, printed = run_dbt(arguments, cwd, places, cwd / "output", parsed=parsed)
        return subprocess.CompletedProcess(command, code, printed, "")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "subprocess", SimpleNamespace(run=run))
        yield


def one_sentence(result: BuildResult) -> str:
    """The one sentence with which dbt stopped, after checks that it is one, and that nothing was built."""
    output = result.stdout
    assert result.returncode != 0, output
    assert "Traceback" not in output, output
    assert "created sql" not in output, output
    [_, error] = output.split("Encountered an error:\n")
    message = [line.strip() for line in error.splitlines()[1:] if line.strip()]
    message = [line for line in message if not line.startswith(("> in macro", "> called by"))]
    assert len(message) == 1, output
    assert "\0" not in message[0], output
    return message[0]


@pytest.fixture
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of a portal is the user's: here a test's own, as the stand-ins share a portal's number."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def desk(tmp_path: Path, own_locks: None) -> Iterator[Desk]:
    with HubSpotPortal() as hubspot:
        yield Desk(hubspot, tmp_path)


@pytest.fixture
def synced(desk: Desk) -> Desk:
    """Three companies with our values, and one that is not ours."""
    for record in ("101", "102", "103", "900"):
        desk.hubspot.add_company(record, name=f"Company {record}", domain="same.example")
    desk.publish({record: row(reasons=f"reason {record}") for record in ("101", "102", "103")})
    assert desk.sync() == Outcome(written=3)
    desk.hubspot.calls.clear()
    desk.hubspot.commits.clear()
    return desk
