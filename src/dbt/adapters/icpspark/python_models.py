"""Python models in dbt's process: `dbt.ref()` is a DuckDB relation over a table of Spark, and the result becomes one."""

from __future__ import annotations

import linecache
import shutil
import sys
import tempfile
import threading
import types
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.base import PythonJobHelper
from dbt_common.exceptions import DbtRuntimeError
from pyspark.sql import SparkSession

from dbt.adapters.icpspark.connections import session

DESCRIPTIONS: dict[str, Any] = {}
# One at a time: they import the same libraries, and share the cores that Spark leaves.
_LOCK = threading.Lock()


class SessionJob(PythonJobHelper):
    """Runs a model's code with `session`, a DuckDB connection, as dbt-duckdb does."""

    def __init__(self, parsed_model: dict[str, Any], credentials: Any) -> None:
        self._model, self._credentials = parsed_model, credentials

    def submit(self, compiled_code: str) -> None:
        """Raises DbtRuntimeError with what the model raised."""
        spark, name = session(self._credentials), self._model["unique_id"]
        scratch = Path(tempfile.mkdtemp(prefix="icp-spark-"))
        module = types.ModuleType(f"model_{uuid.uuid4().hex}")
        with _LOCK, duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'; set preserve_insertion_order = false")
            _take_variables(spark, connection)
            module.session, module.load = connection, reader(spark, connection, scratch)
            file = f"<{name}>"
            linecache.cache[file] = (len(compiled_code), None, compiled_code.strip().splitlines(True), file)
            sys.modules[module.__name__] = module
            try:
                exec(compile(compiled_code.strip(), file, "exec"), module.__dict__)
                result = module.result  # noqa: F841 (DuckDB looks it up by this name)
                arrow = connection.sql("from result").to_arrow_table()
                spark.createDataFrame(arrow).write.mode("overwrite").format("parquet").saveAsTable(module.target)
                _give_variables(spark, connection)
            except Exception as problem:
                raise DbtRuntimeError(f"The Python model {name} failed: {type(problem).__name__}: {problem}") from problem
            finally:
                sys.modules.pop(module.__name__, None)
                shutil.rmtree(scratch, ignore_errors=True)


def reader(spark: SparkSession, connection: duckdb.DuckDBPyConnection, scratch: Path) -> Callable[[str], Any]:
    """A function from the name of a table or view of Spark to a DuckDB relation, which reads files and holds no rows.

    A view is written out first, by Spark. Each is also a view of DuckDB under its schema and name, with its descriptions.
    """

    def load(name: str) -> duckdb.DuckDBPyRelation:
        frame = spark.table(name)
        is_view = spark.catalog.getTable(name).tableType == "VIEW"
        files = [] if is_view else [file.removeprefix("file://").removeprefix("file:") for file in frame.inputFiles()]
        if not files or not all(file.startswith("/") for file in files):
            place = scratch / uuid.uuid4().hex
            frame.write.parquet(f"file://{place}")
            files = [str(file) for file in place.glob("*.parquet")]
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        schema, table = name.replace("`", "").split(".")[-2:]
        columns = ", ".join(f'"{column}"' for column in frame.columns)
        connection.execute(f'create schema if not exists "{schema}"')
        connection.execute(f'create or replace view "{schema}"."{table}" as select {columns} from read_parquet([{listed}])')
        _describe(connection, f'"{schema}"."{table}"', DESCRIPTIONS.get(table, {}), frame.columns)
        return connection.table(f'"{schema}"."{table}"')

    return load


def _describe(connection: duckdb.DuckDBPyConnection, view: str, said: dict[str, Any], columns: list[str]) -> None:
    comments = {f"view {view}": said.get("description")}
    comments |= {f'column {view}."{column}"': said.get("columns", {}).get(column) for column in columns}
    for place, text in comments.items():
        if text:
            connection.execute(f"comment on {place} is '" + text.replace("'", "''") + "'")


def _take_variables(spark: SparkSession, connection: duckdb.DuckDBPyConnection) -> None:
    """`set icp.x=y` in a hook is the variable `x` of the model's session."""
    for name, value in ((row.key, row.value) for row in spark.sql("set").collect()):
        if name.startswith("icp."):
            connection.execute(f"set variable {name[4:]} = ?", [int(value) if value.isdigit() else value])


def _give_variables(spark: SparkSession, connection: duckdb.DuckDBPyConnection) -> None:
    for name, value in connection.execute("select name, cast(value as varchar) from duckdb_variables()").fetchall():
        if value is not None:
            spark.conf.set(f"icp.{name}", value)
