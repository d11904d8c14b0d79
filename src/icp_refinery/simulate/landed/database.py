"""SQL over rows by entity, in memory: how a layout is made where that is shorter than Python."""

from typing import Self

import duckdb
import pyarrow as pa

from icp_refinery.simulate.files import SCHEMAS
from icp_refinery.simulate.landed.tables import Row, Rows


class Database:
    """A DuckDB in memory, closed at the end of a `with`."""

    def __enter__(self) -> Self:
        self._connection = duckdb.connect(config={"threads": 1})
        return self

    def __exit__(self, *problem: object) -> None:
        self._connection.close()

    def add(self, schema: str, entities: Rows) -> None:
        """One table per entity, with the contract's types and only the columns that its rows have."""
        self.run(f"create schema {schema}")
        for entity, rows in entities.items():
            columns = [column for column in SCHEMAS[entity] if not rows or column.name in rows[0]]
            if entity == "exchange_rates" and rows and isinstance(rows[0]["rate"], float):
                columns = [column.with_type(pa.float64()) if column.name == "rate" else column for column in columns]
            self._connection.register("given", pa.Table.from_pylist(rows, schema=pa.schema(columns)))
            self.run(f"create table {schema}.{entity} as select * from given")
            self._connection.unregister("given")

    def run(self, query: str) -> None:
        """Run one or several statements."""
        self._connection.execute(query)

    def rows(self, query: str) -> list[Row]:
        """The rows of a relation or query."""
        return self.typed_rows(query)[1]

    def typed_rows(self, query: str) -> tuple[dict[str, str], list[Row]]:
        """The columns of a relation or query with their types, and its rows, in an order that follows from what they hold."""
        cursor = self._connection.execute(
            f"select * from ({query}) order by all" if " " in query else f"from {query} order by all"
        )
        kinds = {name: str(kind).split("(")[0].replace("HUGEINT", "BIGINT") for name, kind, *_ in cursor.description}
        return kinds, [dict(zip(kinds, row, strict=True)) for row in cursor.fetchall()]
