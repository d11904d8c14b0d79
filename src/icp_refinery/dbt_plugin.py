"""What the profile adds to dbt-duckdb: private files, landed data, what only the file system knows of an input file, and a
sentence where the database cannot be used.

`profiles.yml` names this module (`plugins`).
"""

import atexit
import gc
import re
import stat
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError

from icp_refinery import apart, permissions
from icp_refinery.landed import attach_landed
from icp_refinery.learned import code_at_first
from icp_refinery.project import NOT_IN_PATHS

# A database of the name of one of its schemas, or of one of DuckDB's own: DuckDB could not tell which is meant.
SCHEMAS = {
    "adopted",
    "applied",
    "input",
    "intermediate",
    "learned",
    "marts",
    "published",
    "raw_files",
    "raw_hubspot",
    "raw_salesforce",
    "reference",
    "sample",
    "staging",
}
TAKEN = SCHEMAS | {"information_schema", "landed", "main", "pg_catalog", "system", "temp"}


class Plugin(BasePlugin):
    """Loaded by dbt-duckdb before it opens the database."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """From now on, what this process writes is its owner's only; published files are as the user's umask says.

        What dbt has parsed lives to the end of the process: Python need not search it for garbage hundreds of times. What learns
        is imported in a process apart while the first models of a whole build run.
        """
        gc.freeze()
        atexit.register(gc.unfreeze)
        gc.set_threshold(20_000, 20, 20)
        permissions.keep_private()
        flags = get_flags()
        log = Path(flags.LOG_PATH or ".") / "dbt.log"
        if log.is_file():
            permissions.make_private(log)
        if flags.WHICH == "build" and not flags.SELECT and not flags.SELECTOR:
            code_at_first()  # that of what is imported now
            apart.start("icp_refinery.learning.tables")

    def update_connection_config(self, creds: Any, config: dict[str, Any]) -> None:
        """Opens the database a first time, for the sentence where that fails. Raises DbtRuntimeError."""
        path = Path(creds.path)
        if creds.database.lower() in TAKEN:
            raise DbtRuntimeError(
                f"The database cannot be named {path.name}, like a schema in it: name another file (ICP_DATABASE)."
            )
        if any(mark in str(path) for mark in NOT_IN_PATHS):
            raise DbtRuntimeError(
                f"The database {path} has a ? or a \\ in its path, which DuckDB does not open: name another (ICP_DATABASE)."
            )
        if not path.is_file():
            return
        permissions.make_private(path)
        try:
            duckdb.connect(str(path), config=dict(config)).close()
        except duckdb.IOException as problem:
            if "Could not set lock" not in str(problem):
                raise
            raise DbtRuntimeError(in_use(path, str(problem))) from None

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Adds functions for the macros; attaches what `ICP_LANDED` names. Raises DbtRuntimeError."""
        [(name,)] = conn.execute("select current_database()").fetchall()
        if self.creds is not None and name != self.creds.database:
            raise DbtRuntimeError(
                f"The database cannot be named {Path(self.creds.path).name}: name a file without signs (ICP_DATABASE)."
            )
        conn.create_function("icp_refinery_version", icp_refinery_version)
        conn.create_function("file_stamp", file_stamp, side_effects=True)
        conn.create_function("special_files", special_files, side_effects=True)
        attach_landed(conn, self.creds.path)


def icp_refinery_version() -> str:
    """The installed version, which a project that has this one as a package compares with the package's."""
    return version("icp-refinery")


def file_stamp(path: str) -> str:
    """What changes when a file is replaced or written to; empty where there is none."""
    try:
        found = Path(path).expanduser().stat()
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"


def special_files(folder: str) -> list[str]:
    """The names in a folder that are neither files nor folders: a pipe is never at its end, a device has none."""
    try:
        entries = sorted(Path(folder).expanduser().iterdir())
    except OSError:
        return []
    return [entry.name for entry in entries if _is_special(entry)]


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def in_use(path: Path, problem: str) -> str:
    """The sentence for DuckDB's words about a lock."""
    held = re.search(r"held in (.+?) \(PID (\d+)\)", problem)
    holder = f"Process {held[2]} ({held[1]})" if held else "Another process"
    return f"{holder} holds the database {path}: wait for its end, or close it. BI tools read the published marts, not this file."
