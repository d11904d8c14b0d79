"""The database that `ICP_LANDED` names, attached read-only as `landed`."""

import os
import re
from pathlib import Path

import duckdb


def attach_landed(connection: duckdb.DuckDBPyConnection, built: str | None = None) -> None:
    """Attach what `ICP_LANDED` names: a DuckDB file, or what DuckDB attaches by its prefix (`postgres:`, `ducklake:`, `md:`).

    Where that fails, `landed` is an empty database with one table, `problem`, that holds the sentence: only a build that reads
    landed data stops. `built` is the file that the build writes. Nothing happens where the variable is unset.
    """
    place = os.environ.get("ICP_LANDED")
    if not place:
        return
    problem = _problem(connection, place, built)
    if problem:
        connection.execute("attach if not exists ':memory:' as landed")
        connection.execute("create or replace table landed.problem as select ? as sentence", [problem])


def _problem(connection: duckdb.DuckDBPyConnection, place: str, built: str | None) -> str | None:
    """Attaches; answers the sentence where that fails. What stands behind a prefix may be a password and is not said."""
    is_file = not re.match(r"[a-z_]{2,}:", place)
    path = Path(place)
    shown = place if is_file else place.partition(":")[0] + ":..."
    if is_file and not path.exists():
        return f"ICP_LANDED names {shown}, which does not exist."
    if is_file and built and Path(built).exists() and path.samefile(built):
        return f"ICP_LANDED names {shown}, the database that the build itself writes (ICP_DATABASE): keep the two apart."
    try:
        connection.execute("attach if not exists '{}' as landed (read_only)".format(place.replace("'", "''")))
    except duckdb.Error as error:
        words = str(error)
    else:
        return None
    if held := re.search(r"held in (.+?) \(PID (\d+)\)", words):
        return f"Process {held[2]} ({held[1]}) holds {shown}, which ICP_LANDED names: wait for its end, or read a copy."
    if is_file:
        return f"ICP_LANDED names {shown}, which is not a DuckDB database."
    reason = words.splitlines()[0].replace(place, shown).replace(place.partition(":")[2], "...")
    return f"ICP_LANDED names {shown}, which DuckDB cannot attach: {reason}"
