"""dbt's command line in a forked process: the same exit code and output, without seconds of imports and of parsing each time."""

from __future__ import annotations

import atexit
import dataclasses
import hashlib
import json
import multiprocessing
import os
import pickle
import pkgutil
import shutil
import sys
import time
import traceback
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PARSED = ROOT / "target" / "tests"
# What decides how a project is parsed: these files of it, and all variables but those that dbt asks for only when it runs.
PARTS = ["dbt_project.yml", "profiles.yml", ".dbtignore", "models", "python_models", "macros", "seeds"]
PARTS += ["tests/generic", "tests/singular"]
AT_RUN = {
    "files_dir",
    "reporting_currency",
    "reporting_cycle",
    "fiscal_year_start_month",
    "week_starts_on",
    "as_of",
    "check_only",
}
AT_RUN |= {"missing_values", "hubspot_account_attributes", "salesforce_account_attributes", "hubspot_fields", "salesforce_fields"}
AT_RUN |= {"renewal_grace_days", "renewal_overlap_days", "value_horizon_months", "learning_max_rows"}
OF_PUBLISHING = {"publish_untested", "publish_over", "published_states_kept"}

# What dbt needs of the environment: it reads all of it for each line that it prints.
KEPT = {"HOME", "LANG", "PATH", "TMPDIR", "USER", "OMP_NUM_THREADS", "GX_ANALYTICS_ENABLED"}
CONTEXT = multiprocessing.get_context("forkserver")
_DBT = ["dbt.cli.main", "dbt.adapters.duckdb", "dbt.task.build", "dbt.task.docs.generate"]
_OF_MODELS = ["pandas", "pyarrow", "scipy.stats", "sklearn.cluster", "sklearn.ensemble", "sklearn.linear_model"]
_OF_MODELS += ["icp_refinery.publish", "icp_refinery.report", "icp_refinery.warehouse"]
CONTEXT.set_forkserver_preload([*_DBT, *_OF_MODELS, "great_expectations", "warmed"])


def _command(arguments: list[str], cwd: str, env: dict[str, str], output: str, parsed: str | None, keep: str | None) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout.reconfigure(line_buffering=True)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["dbt", *arguments]
    from dbt.cli.main import cli, dbtRunner

    code = 1
    try:
        if keep is not None:
            result = dbtRunner().invoke(arguments)
            if result.success:
                _write(result.result, Path(keep))
                code = 0
        else:
            if "--no-write-json" in arguments:  # what is built as people build it writes JSON
                import icp_refinery.apart

                # What learns is imported here already, and would be imported anew in a process of its own.
                icp_refinery.apart.start = lambda *_: None
                icp_refinery.apart.apart = lambda name, *given, **options: pkgutil.resolve_name(name)(*given, **options)
            cli(arguments, obj={"manifest": _read(parsed, arguments)} if parsed else None)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    # As at the end of any process: the database is closed, so that its file alone holds all of it.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _write(manifest: Any, path: Path) -> None:
    part = path.with_suffix(f".{os.getpid()}")
    # dbt's own way of pickling a manifest leaves out a field, which shifts those after it.
    fields = {each.name: getattr(manifest, each.name) for each in dataclasses.fields(manifest) if not each.name.startswith("_")}
    part.write_bytes(pickle.dumps(fields, protocol=pickle.HIGHEST_PROTOCOL))
    part.replace(path)


def _read(path: str, arguments: list[str]) -> Any:
    """What was parsed, for a project of the same content wherever it lies."""
    from dbt.contracts.graph.manifest import Manifest

    manifest = Manifest(**pickle.loads(Path(path).read_bytes()))
    project = Path(arguments[arguments.index("--project-dir") + 1] if "--project-dir" in arguments else ".").absolute()
    for node in manifest.nodes.values():
        if node.resource_type == "seed":
            node.root_path = str(project)
    return manifest


def _start_server() -> None:
    """Start the process that is forked, with this folder on its path: multiprocessing does not hand on its own."""
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), path]))
    forkserver.ensure_running()
    os.environ.pop("PYTHONPATH")
    if path is not None:
        os.environ["PYTHONPATH"] = path


def start_dbt(
    arguments: list[str], cwd: Path, env: dict[str, str], output: Path, parsed: Path | None = None, keep: Path | None = None
) -> BaseProcess:
    """Start `dbt <arguments>` in `cwd`, with `env` on top of the environment; it prints to the file `output`.

    What a `parse` finds is kept in the file `keep`; with that file as `parsed`, another command has no need to parse.
    """
    _start_server()
    # The last digits of sums depend on what OpenBLAS is told.
    environment = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("OPENBLAS_")}
    environment["DBT_LOG_LEVEL_FILE"] = "none"
    output.unlink(missing_ok=True)
    if {"--threads", "deps", "docs", "ls", "parse"}.isdisjoint(arguments):
        # dbt's own work is Python: two threads of it take half as much time again, and no less to the end.
        arguments = [*arguments, "--threads", "1"]
    given = (arguments, str(cwd), environment | env, str(output), parsed and str(parsed), keep and str(keep))
    process = CONTEXT.Process(target=_command, args=given)
    process.start()
    return process


def run_dbt(arguments: list[str], cwd: Path, env: dict[str, str], output: Path, **options: Any) -> tuple[int, str]:
    """Run `dbt <arguments>` as `start_dbt` does; answer its exit code and all that it printed."""
    process = start_dbt(arguments, cwd, env, output, **options)
    process.join()
    return process.exitcode, output.read_text(encoding="utf-8", errors="replace")


def parsed_project(project: Path, variables: dict[str, Any], env: dict[str, str] | None = None) -> Path | None:
    """A file with what dbt has parsed of a project, made once for all that have the same files; None where it cannot be parsed.

    Variables decide nothing of a project without an input layer; of `icp_inputs` only the names do. The file serves builds
    with the same `env` on top of the environment, in databases called `icp` where `env` does not call them otherwise. Seeds are
    read when they are built. `published_marts` is told of currency and cycle when it is parsed: no test publishes with others.
    """
    is_whole = (project / "python_models").exists()
    ignored = AT_RUN if is_whole else AT_RUN | OF_PUBLISHING
    ignored = ignored if (project / "models" / "input").exists() else variables.keys()
    deciding = {name: value for name, value in variables.items() if name not in ignored}
    if isinstance(deciding.get("icp_inputs"), dict):
        deciding["icp_inputs"] = dict.fromkeys(sorted(deciding["icp_inputs"]), "")
    digest = hashlib.sha256(json.dumps([deciding, env], sort_keys=True).encode())
    for path in sorted(path for part in PARTS for path in [project / part, *(project / part).rglob("*.*")] if path.is_file()):
        digest.update(str(path.relative_to(project)).encode() + (b"" if path.suffix == ".csv" else path.read_bytes()))
    parsed = PARSED / f"{digest.hexdigest()[:16]}.pickle"
    if parsed.exists():
        parsed.touch()
        return parsed
    partial = PARSED / f"{'_'.join(['partial', *deciding, *(env or {}).values()])}.msgpack"
    folder = PARSED / f"{parsed.stem}.{os.getpid()}"
    folder.mkdir(parents=True)
    if is_whole and partial.exists():
        shutil.copy(partial, folder / "partial_parse.msgpack")
    arguments = ["parse", "--no-write-json", "--project-dir", str(project), "--profiles-dir", str(project)]
    arguments += ["--target-path", str(folder), "--log-path", str(folder)]
    arguments += ["--vars", json.dumps(deciding | ({"files_dir": "files"} if "files_dir" in variables else {}))]
    places = {"ICP_DATABASE": "icp.duckdb", "ICP_PUBLISHED": "published"}
    run_dbt(arguments, folder, places | (env or {}), folder / "output", keep=parsed)
    if is_whole and parsed.exists() and (project == ROOT or not partial.exists()):
        (folder / "partial_parse.msgpack").replace(partial)
    shutil.rmtree(folder)
    for old in [*PARSED.glob("*.pickle"), *PARSED.glob("templates/*")]:
        if old.stat().st_mtime < time.time() - 86400:
            old.unlink(missing_ok=True)
    return parsed if parsed.exists() else None
