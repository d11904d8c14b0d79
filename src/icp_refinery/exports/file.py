"""One file of exports: its header, and the values of its columns."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import duckdb

from icp_refinery.input_folder import Header, glob_free, read_header


class ExportFile:
    """A CSV or Parquet file, read as text whatever it holds. Raises ValueError where it has no header that can be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: Header = read_header(path)
        self._values: dict[tuple[str, ...], dict[str, int]] = {}

    @property
    def names(self) -> list[str]:
        return self.header.names

    @cached_property
    def _relation(self) -> str:
        path = glob_free(self.path).replace("'", "''")
        if not self.header.delimiter:
            return f"read_parquet('{path}', hive_partitioning = false)"
        columns = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(self.names)))
        return (
            f"read_csv('{path}', auto_detect = false, header = true, delim = '{self.header.delimiter}',"
            " quote = '\"', escape = '\"', null_padding = true, strict_mode = false, parallel = false, ignore_errors = true,"
            f" hive_partitioning = false, max_line_size = 16000000, columns = {{{columns}}})"
        )

    def values(self, *headers: str) -> dict[str, int]:
        """The texts of a column, or of the first of several that is filled, and how many rows have each."""
        if headers not in self._values:
            texts = ", ".join(f"nullif(trim(cast({self._place(header)} as varchar)), '')" for header in headers)
            query = f"select coalesce({texts}, '') as text, count(*) from {self._relation} group by 1 order by 1"
            self._values[headers] = {text: count for text, count in duckdb.execute(query).fetchall() if text}
        return self._values[headers]

    def _place(self, header: str) -> str:
        return f"c{self.names.index(header)}" if self.header.delimiter else '"' + header.replace('"', '""') + '"'


def exports_in(folder: Path) -> Iterator[Path]:
    """The CSV and Parquet files of a folder, by name."""
    return (path for path in sorted(folder.iterdir()) if path.suffix.lower() in (".csv", ".parquet"))
