"""The adapter: what macros ask of it beyond SQL, and Python models in dbt's own process."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from dbt.adapters.base import BaseRelation
from dbt.adapters.base.meta import available
from dbt.adapters.contracts.relation import RelationType
from dbt.adapters.spark.impl import SparkAdapter

from dbt.adapters.icpspark import python_models
from dbt.adapters.icpspark.connections import IcpSparkConnectionManager, session


class File(NamedTuple):
    """What is at a place of a file system; size in bytes, `modified` in the system's own unit."""

    name: str
    path: str
    is_folder: bool
    size: int
    modified: int


class IcpSparkAdapter(SparkAdapter):
    ConnectionManager = IcpSparkConnectionManager

    @classmethod
    def type(cls) -> str:
        return "icpspark"

    @property
    def default_python_submission_method(self) -> str:
        return "session"

    @property
    def python_submission_helpers(self) -> dict[str, type]:
        return {"session": python_models.SessionJob}

    def list_relations_without_caching(self, schema_relation: BaseRelation) -> list[BaseRelation]:
        """By their names: dbt-spark asks for all that is known of each, which takes a minute for a few hundred views."""
        spark, schema = session(self.config.credentials), schema_relation.schema
        if not spark.catalog.databaseExists(schema):
            return []
        views = {row.viewName for row in spark.sql(f"show views in `{schema}`").collect() if not row.isTemporary}
        tables = {row.tableName for row in spark.sql(f"show tables in `{schema}`").collect() if not row.isTemporary}
        return [
            self.Relation.create(schema=schema, identifier=name, type=RelationType.View if name in views else RelationType.Table)
            for name in sorted(tables | views)
        ]

    @available
    def keep_descriptions(self, descriptions: dict[str, Any]) -> str:
        """Descriptions by the alias of a mart, {description, columns}: Python models find them as comments."""
        python_models.DESCRIPTIONS.update(descriptions)
        return ""

    @available
    def files_in(self, folder: str) -> list[dict[str, Any]]:
        """What is in a folder of any file system that Spark reads: {name, path, is_folder}, hidden files left out.

        With Spark Connect, of this machine's.
        """
        below = [{"name": file.name, "path": file.path, "is_folder": file.is_folder} for file in self._found(folder)[1:]]
        return sorted((file for file in below if file["name"][0] not in "._"), key=lambda file: file["name"])

    @available
    def file_stamp(self, path: str) -> str:
        """What changes when a file, or one in a folder, is replaced or written to; empty where there is none."""
        found = self._found(path)
        folders = [file for file in found[1:] if file.is_folder]
        while folders:
            below = self._found(folders.pop().path)[1:]
            found += below
            folders += [file for file in below if file.is_folder]
        sizes = [file.size for file in found if not file.is_folder]
        return f"{len(sizes)}:{sum(sizes)}:{max(file.modified for file in found)}" if found else ""

    @available
    def load_seed(self, relation: Any, table: Any, types: dict[str, str]) -> str:
        """Write a seed's rows, as agate has read them, into its table: an empty cell is null, and a quote a quote."""
        spark = session(self.config.credentials)
        names = [str(name) for name in table.column_names]
        columns = ", ".join(f"{name} string" for name in names)
        rows = [[None if value is None else str(value) for value in row] for row in table.rows]
        frame = spark.createDataFrame(rows, schema=columns)
        kinds = dict(spark.table(relation.render()).dtypes)
        frame.selectExpr(*(f"cast(`{name}` as {kinds[name]}) as `{name}`" for name in names)).coalesce(1).write.insertInto(
            relation.render()
        )
        return ""

    def _found(self, address: str) -> list[File]:
        """The file or folder at an address, then what lies in the folder; empty where there is none."""
        if self.config.credentials.remote:
            here = Path(address)
            stats = [(place, place.stat()) for place in (here, *(here.iterdir() if here.is_dir() else ())) if place.exists()]
            return [File(place.name, str(place), place.is_dir(), stat.st_size, stat.st_mtime_ns) for place, stat in stats]
        spark = session(self.config.credentials)
        place = spark._jvm.org.apache.hadoop.fs.Path(address)
        system = place.getFileSystem(spark._jsc.hadoopConfiguration())
        if not system.exists(place):
            return []
        status = system.getFileStatus(place)
        return [
            File(at.getPath().getName(), at.getPath().toString(), at.isDirectory(), at.getLen(), at.getModificationTime())
            for at in (status, *(system.listStatus(place) if status.isDirectory() else ()))
        ]
