"""Landed tables written by hand: a DuckDB file of one schema, from rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

Row = dict[str, Any]


def write_landed_tables(path: Path, schema: str, tables: dict[str, list[Row]]) -> Path:
    """Write tables, a key that a row lacks as NULL; types follow from the values, and text where there are none."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"create schema if not exists {schema}")
        for name, rows in tables.items():
            columns = {key: pa.array([row.get(key) for row in rows]) for key in dict.fromkeys(key for row in rows for key in row)}
            given = pa.table(
                {key: column.cast(pa.string()) if pa.types.is_null(column.type) else column for key, column in columns.items()}
            )
            connection.register("given", given)
            connection.execute(f'create table {schema}."{name}" as select * from given')
            connection.unregister("given")
    return path
