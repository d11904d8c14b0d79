"""Python models in dbt's process: `dbt.ref()` is a relation of Spark (see `relations`), and the result becomes a table."""

from __future__ import annotations

import linecache
import shutil
import sys
import tempfile
import threading
import types
import uuid
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.base import PythonJobHelper
from dbt_common.exceptions import DbtRuntimeError
from pyspark.sql import SparkSession

from dbt.adapters.icpspark.connections import session
from dbt.adapters.icpspark.published import PublishedTables
from dbt.adapters.icpspark.relations import Relation, Session, frame_of

DESCRIPTIONS: dict[str, Any] = {}
# One at a time: they import the same libraries, and share the cores that Spark leaves.
_LOCK = threading.Lock()


class SessionJob(PythonJobHelper):
    """Runs a model's code with `session`, which is a DuckDB connection as in dbt-duckdb."""

    def __init__(self, parsed_model: dict[str, Any], credentials: Any) -> None:
        self._model, self._credentials = parsed_model, credentials

    def submit(self, compiled_code: str) -> None:
        """Raises DbtRuntimeError with what the model raised."""
        spark, name = session(self._credentials), self._model["unique_id"]
        scratch = Path(tempfile.mkdtemp(prefix="icp-spark-"))
        module = types.ModuleType(f"model_{uuid.uuid4().hex}")
        code = compiled_code.strip()
        linecache.cache[f"<{name}>"] = (len(code), None, code.splitlines(True), f"<{name}>")
        sys.modules[module.__name__] = module
        with _LOCK, duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            _take_variables(spark, connection)
            module.session = ModelSession(spark, connection, scratch)
            module.load = lambda table: Relation(module.session, spark.table(table), table)
            try:
                exec(compile(code, f"<{name}>", "exec"), module.__dict__)
                result = module.result  # noqa: F841 (DuckDB looks it up by this name)
                arrow = connection.sql("from result").to_arrow_table()
                frame_of(spark, arrow).write.mode("overwrite").format("parquet").saveAsTable(module.target)
                _give_variables(spark, connection)
            except Exception as problem:
                raise DbtRuntimeError(f"The Python model {name} failed: {type(problem).__name__}: {problem}") from problem
            finally:
                sys.modules.pop(module.__name__, None)
                shutil.rmtree(scratch, ignore_errors=True)


class ModelSession(Session):
    """A session whose model may publish."""

    def tables_to_publish(self, marts: dict[str, Relation], schema: str, beyond: int) -> PublishedTables | None:
        """Where marts are published in the catalog: those of more than `beyond` order lines, and where they have been before.

        Else None, and the marts are views of this connection, under their schema and name and with comments: `publish` writes
        files of them.
        """
        if PublishedTables.are_used(self.spark, schema) or marts["fct_order_lines"].frame.count() > beyond:
            return PublishedTables(self, marts, DESCRIPTIONS, schema)
        for mart in marts.values():
            as_view(self, mart)
        return None


def as_view(given: Session, relation: Relation) -> None:
    """A relation as a view of DuckDB, with the comments that are kept for its name."""
    schema, table = relation.table.replace("`", "").split(".")[-2:]
    view, said = f'"{schema}"."{table}"', DESCRIPTIONS[table]
    given.connection.execute(f'create schema if not exists "{schema}"')
    given.connection.execute(f"create or replace view {view} as {relation.streamed().sql_query()}")
    comments = {f"view {view}": said["description"]}
    comments |= {f'column {view}."{column}"': said["columns"].get(column) for column in relation.columns}
    for place, text in comments.items():
        if text:
            given.connection.execute(f"comment on {place} is '" + text.replace("'", "''") + "'")


def _take_variables(spark: SparkSession, connection: duckdb.DuckDBPyConnection) -> None:
    """`set icp.x=y` in a hook is the variable `x` of the model's session."""
    for name, value in ((row.key, row.value) for row in spark.sql("set").collect()):
        if name.startswith("icp."):
            connection.execute(f"set variable {name[4:]} = ?", [int(value) if value.isdigit() else value])


def _give_variables(spark: SparkSession, connection: duckdb.DuckDBPyConnection) -> None:
    for name, value in connection.execute("select name, cast(value as varchar) from duckdb_variables()").fetchall():
        if value is not None:
            spark.conf.set(f"icp.{name}", value)
