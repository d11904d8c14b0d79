"""The command line in a process of its own, which a test may kill. Imports little: a fresh process has to begin with it."""

import os

from icp_refinery.cli import app


def run_icp(arguments: list[str], env: dict[str, str]) -> None:
    """Run `icp` without output."""
    os.environ.update(env)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    app(arguments)
