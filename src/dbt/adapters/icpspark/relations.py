"""What a Python model is given: DuckDB's relations where rows are few, and queries that Spark answers where they are many."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema


def frame_of(spark: SparkSession, table: pa.Table) -> DataFrame:
    """A table of Arrow, which may have no rows (of those, Spark Connect finds out no types), in Spark."""
    return spark.createDataFrame(table, schema=from_arrow_schema(table.schema, prefer_timestamp_ntz=True))


class Session:
    """A DuckDB connection that has Spark answer a query over its relations (`ask`); all else DuckDB does."""

    def __init__(self, spark: SparkSession, connection: duckdb.DuckDBPyConnection, scratch: Path) -> None:
        self.spark, self.connection, self.scratch = spark, connection, scratch

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def register(self, name: str, relation: Any) -> Any:
        return self.connection.register(name, relation.streamed() if isinstance(relation, Relation) else relation)

    def ask(self, sql: str, relations: dict[str, Any]) -> Relation:
        """A query that both engines understand, over relations by the names that it gives them."""
        marks = {name: f"{name}_{uuid.uuid4().hex}" for name in relations}
        for name, relation in relations.items():
            frame = relation.frame if isinstance(relation, Relation) else frame_of(self.spark, relation.to_arrow_table())
            frame.createOrReplaceTempView(marks[name])
        named = ", ".join(f"{name} as (select * from {mark})" for name, mark in marks.items())
        return Relation(self, self.spark.sql(f"with {named} {sql}"))


class Relation:
    """Rows of Spark: what narrows them is done there, and the rest, with what is left, in DuckDB."""

    def __init__(self, session: Session, frame: DataFrame, table: str | None = None) -> None:
        self.session, self.frame, self.table = session, frame, table
        self._fetched: duckdb.DuckDBPyRelation | None = None

    @property
    def columns(self) -> list[str]:
        return self.frame.columns

    def filter(self, condition: str) -> Relation:
        return Relation(self.session, self.frame.where(condition))

    def aggregate(self, expressions: str) -> Relation:
        return self.session.ask(f"select {expressions} from rows_of group by all", {"rows_of": self})

    def streamed(self) -> duckdb.DuckDBPyRelation:
        """Over the files of a table, or of a view as Spark writes it out, on this disk: DuckDB reads them as it goes."""
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in self.files())
        names = ", ".join(f'"{column}"' for column in self.frame.columns)
        return self.session.connection.sql(f"select {names} from read_parquet([{listed}], hive_partitioning = false)")

    def files(self) -> list[str]:
        is_table = self.table is not None and self.session.spark.catalog.getTable(self.table).tableType != "VIEW"
        found = [file.removeprefix("file://").removeprefix("file:") for file in self.frame.inputFiles()] if is_table else []
        if found and all(file.startswith("/") for file in found):
            return found
        place = self.session.scratch / uuid.uuid4().hex
        self.frame.write.parquet(f"file://{place}")
        return [str(file) for file in place.glob("*.parquet")]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if self._fetched is None:
            self._fetched = self.session.connection.from_arrow(self.frame.toArrow())
        return getattr(self._fetched, name)
