"""Rows by entity, and a loader's tables: what both tools' layouts are made of."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from icp_refinery.simulate.files import SCHEMAS, text, write_csv

Row = dict[str, Any]
Rows = dict[str, list[Row]]


@dataclass
class Table:
    """A table as a loader lands it: its columns with their DuckDB types, and its rows (a missing key is NULL)."""

    name: str
    columns: dict[str, str]
    rows: list[Row] = field(default_factory=list)


def write_database(path: Path, schema: str, tables: list[Table]) -> None:
    """Write the tables into one schema of a DuckDB file; a schema of that name is replaced."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f'drop schema if exists "{schema}" cascade')
        connection.execute(f'create schema "{schema}"')
        for table in tables:
            relation = f'"{schema}"."{table.name}"'
            listed = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
            connection.execute(f"create table {relation} ({listed})")
            if not table.rows:
                continue
            columns = [[_text(row.get(name)) for row in table.rows] for name in table.columns]
            rows = pa.table([pa.array(values, pa.string()) for values in columns], names=list(table.columns))
            connection.register("landed_rows", rows)
            casts = ", ".join(f'cast("{name}" as {kind})' for name, kind in table.columns.items())
            connection.execute(f"insert into {relation} select {casts} from landed_rows")
            connection.unregister("landed_rows")


def write_files(folder: Path, entities: Rows) -> None:
    """Write one CSV per entity of the input contract, its header the keys of the first row."""
    folder.mkdir(parents=True, exist_ok=True)
    for entity, rows in entities.items():
        header = list(rows[0]) if rows else SCHEMAS[entity].names
        write_csv(folder / f"{entity}.csv", header, ([text(row[name]) for name in header] for row in rows))


def _text(value: Any) -> str | None:
    return None if value is None else text(value)
