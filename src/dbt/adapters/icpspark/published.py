"""Marts as tables of Spark's catalog: a schema for each state, and views in one schema that read the current one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import duckdb
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as f

from dbt.adapters.icpspark.relations import Relation, Session
from icp_refinery.emails import ADDRESS, SIGN

POINTER = "current_state"


class PublishedTables:
    """What `icp_refinery.publish.publish` asks of a catalog.

    `schema`.current_state has one row, which names the current state's schema. The views beside it, one for each mart, have the
    rows of the state that it names: both the state before and the new one are in their text, so that the one statement that
    writes `current_state` anew moves them all. One publisher at a time, as with a folder.
    """

    def __init__(
        self, session: Session, marts: Mapping[str, Relation], descriptions: Mapping[str, Any], schema: str = "published"
    ) -> None:
        self._session, self._spark, self._schema = session, session.spark, schema
        self._marts, self._descriptions = marts, descriptions
        self.state: str | None = None
        self._before: str | None = None

    @staticmethod
    def are_used(spark: SparkSession, schema: str) -> bool:
        return spark.catalog.tableExists(f"{schema}.{POINTER}")

    def write(self, name: str) -> dict[str, int]:
        """The marts as tables of a schema of their own, e-mail addresses replaced; rows by mart."""
        self.state = f"{self._schema}_{re.sub('[^a-z0-9]', '', name.lower())}"
        self._spark.sql(f"create schema `{self.state}`")
        for mart, relation in sorted(self._marts.items()):
            said = self._descriptions.get(mart, {"description": None, "columns": {}})
            columns = []
            for column, kind in relation.frame.dtypes:
                value = without_emails(f.col(f"`{column}`")) if kind == "string" else f.col(f"`{column}`")
                comment = said["columns"].get(column)
                columns.append(value.alias(column, metadata={"comment": comment} if comment else {}))
            relation.frame.select(columns).write.format("parquet").saveAsTable(f"`{self.state}`.`{mart}`")
            if said["description"]:
                self._spark.sql(f"comment on table `{self.state}`.`{mart}` is {_text(said['description'])}")
        return {mart: self._spark.table(f"`{self.state}`.`{mart}`").count() for mart in sorted(self._marts)}

    def opened(self) -> duckdb.DuckDBPyConnection:
        """A connection of DuckDB that reads the new tables as `marts.<mart>`."""
        connection = duckdb.connect()
        connection.execute("create schema marts")
        for mart in self._marts:
            connection.execute(f'create view marts."{mart}" as {self._rows(self.state, mart)}')
        return connection

    def rows_before(self, mart: str) -> str | None:
        """A query of DuckDB over a mart of the current state; None where there is none."""
        before = self._current()
        return self._rows(before, mart) if before and self._spark.catalog.tableExists(f"{before}.{mart}") else None

    def switch(self, manifest: Mapping[str, Any]) -> None:
        """Let the views read the new state, in one step."""
        before = self._before = self._current()
        if not self.are_used(self._spark, self._schema):
            self._point("cast(null as string)", {})
        for mart in self._marts:
            columns = self._spark.table(f"`{self.state}`.`{mart}`").columns
            arms = [self._arm(self.state, mart, columns, columns)]
            if before and self._spark.catalog.tableExists(f"{before}.{mart}"):
                arms.append(self._arm(before, mart, columns, self._spark.table(f"`{before}`.`{mart}`").columns))
            self._view(mart, " union all ".join(arms))
        self._point(_text(self.state), manifest)
        views = [row.viewName for row in self._spark.sql(f"show views in `{self._schema}`").collect() if not row.isTemporary]
        for gone in set(views) - {*self._marts, POINTER}:
            self._spark.sql(f"drop view `{self._schema}`.`{gone}`")

    def remove_old(self, kept: int, least_age: timedelta, now: datetime) -> None:
        """Drop what killed publishers left, and the states after the `kept` newest that were not current within `least_age`."""
        found = [row[0] for row in self._spark.sql(f"show schemas like '{self._schema}_2*'").collect()]
        since = f"{self._schema}_{now - least_age:%Y%m%dt%H%M%S}"
        unfinished = [name for name in found if (self._before or "") < name < self.state]
        states = sorted((name for name in found if name <= self.state and name not in unfinished), reverse=True)
        for state in unfinished + [state for newer, state in pairwise(states[kept - 1 :]) if newer < since]:
            self.drop(state)

    def drop(self, state: str) -> None:
        self._spark.sql(f"drop schema if exists `{state}` cascade")

    def _current(self) -> str | None:
        if not self.are_used(self._spark, self._schema):
            return None
        return self._spark.table(f"{self._schema}.{POINTER}").first().schema_name

    def _point(self, state: str, manifest: Mapping[str, Any]) -> None:
        self._view(POINTER, f"select {state} as schema_name, {_text(json.dumps(manifest, ensure_ascii=False))} as manifest")

    def _view(self, name: str, query: str) -> None:
        """Altered where it is there: `create or replace` is a drop first, and who reads meanwhile finds nothing."""
        view = f"{self._schema}.{name}"
        self._spark.sql(f"{'alter' if self._spark.catalog.tableExists(view) else 'create'} view {view} as {query}")

    def _arm(self, state: str, mart: str, columns: list[str], there: list[str]) -> str:
        """A state's rows, where it is the current one; a column that it does not have is missing."""
        listed = ", ".join(f"`{column}`" if column in there else f"null as `{column}`" for column in columns)
        is_current = f"(select schema_name from `{self._schema}`.{POINTER}) = {_text(state)}"
        return f"select {listed} from `{state}`.`{mart}` where {is_current}"

    def _rows(self, state: str | None, mart: str) -> str:
        table = f"`{state}`.`{mart}`"
        return Relation(self._session, self._spark.table(table), table).streamed().sql_query()


def without_emails(text: Column) -> Column:
    """As `icp_refinery.emails.without_emails`; Java's patterns know no other case than ASCII's unless told (`u`)."""
    address, sign = (f.lit(pattern.replace("(?i)", "(?iu)")) for pattern in (ADDRESS, SIGN))
    mark = f.concat(f.lit("(e-mail "), f.left(f.sha2(text, 256), f.lit(16)), f.lit(")"))
    return f.when(f.regexp(text, sign), f.regexp_replace(text, address, mark)).otherwise(text)


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
