"""dbt's command line in a forked process: the same exit code and output, without five seconds of imports each time."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
import traceback
from multiprocessing.process import BaseProcess
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
_DBT = ["dbt.cli.main", "dbt.adapters.duckdb", "dbt.task.build", "dbt.task.parse"]
_OF_MODELS = ["pandas", "pyarrow", "scipy.stats", "sklearn.cluster", "sklearn.ensemble", "sklearn.linear_model"]
_OF_MODELS += ["statsmodels.stats.multitest", "icp_refinery.publish"]
CONTEXT.set_forkserver_preload([*_DBT, *_OF_MODELS])


def _command(arguments: list[str], cwd: str, env: dict[str, str], output: str) -> None:
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout.reconfigure(line_buffering=True)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["dbt", *arguments]
    from dbt.cli.main import cli

    code = 1
    try:
        cli(arguments)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    # As at the end of any process: the database is closed, so that its file alone holds all of it.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def start_dbt(arguments: list[str], cwd: Path, env: dict[str, str], output: Path) -> BaseProcess:
    """Start `dbt <arguments>` in `cwd`, with `env` on top of the environment; it prints to the file `output`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "ICP_"))}
    output.unlink(missing_ok=True)
    process = CONTEXT.Process(target=_command, args=(arguments, str(cwd), environment | env, str(output)))
    process.start()
    return process


def run_dbt(arguments: list[str], cwd: Path, env: dict[str, str], output: Path) -> tuple[int, str]:
    """Run `dbt <arguments>` as `start_dbt` does; answer its exit code and all that it printed."""
    process = start_dbt(arguments, cwd, env, output)
    process.join()
    return process.exitcode, output.read_text(encoding="utf-8", errors="replace")
