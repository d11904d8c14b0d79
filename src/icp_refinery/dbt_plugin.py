"""What the profile adds to dbt-duckdb: private files, threads that wait less for each other, and a sentence where another program
holds the database.

`profiles.yml` names this module (`plugins`).
"""

import re
import sys
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError

from icp_refinery import permissions


class Plugin(BasePlugin):
    """Loaded by dbt-duckdb before it opens the database."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """From now on, what this process writes is its owner's only; published files are as the user's umask says."""
        permissions.keep_private()
        # Learning makes many short calls of NumPy, and after each waits as long as another thread may keep on rendering SQL.
        sys.setswitchinterval(0.0001)
        log = Path(get_flags().LOG_PATH or ".") / "dbt.log"
        if log.is_file():
            permissions.make_private(log)

    def update_connection_config(self, creds: Any, config: dict[str, Any]) -> None:
        """Opens the database a first time, for the sentence where that fails. Raises DbtRuntimeError."""
        path = Path(creds.path)
        if not path.is_file():
            return
        permissions.make_private(path)
        try:
            duckdb.connect(str(path), config=dict(config)).close()
        except duckdb.IOException as problem:
            if "Could not set lock" not in str(problem):
                raise
            raise DbtRuntimeError(in_use(path, str(problem))) from None


def in_use(path: Path, problem: str) -> str:
    """The sentence for DuckDB's words about a lock."""
    held = re.search(r"held in (.+?) \(PID (\d+)\)", problem)
    holder = f"Process {held[2]} ({held[1]})" if held else "Another process"
    return f"{holder} holds the database {path}: wait for its end, or close it. BI tools read the published marts, not this file."
