"""Write AdventureWorks' reseller sales as the input contract's files: `python prepare.py FOLDER`."""

import sys
from pathlib import Path

import duckdb

HERE = Path(__file__).resolve().parent


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def prepare(out: Path, with_cost: bool = True) -> None:
    """Run `map.sql` over the tables in `raw/` and write its views to `out` as `<entity>.parquet`.

    `out` is made if it is missing; entities there are overwritten. Amounts and costs keep their decimals.
    Without cost, `order_lines` has no `cost` column.

    Raises `FileNotFoundError` if `raw/` holds no table, `duckdb.Error` if `map.sql` or a write fails.
    """
    tables = sorted((HERE / "raw").glob("*.parquet"))
    if not tables:
        raise FileNotFoundError(f"no Parquet file in {HERE / 'raw'}")
    out.mkdir(parents=True, exist_ok=True)

    with duckdb.connect() as connection:
        for table in tables:
            connection.execute(f'create table "{table.stem}" as from read_parquet({_literal(table)})')
        connection.execute((HERE / "map.sql").read_text(encoding="utf-8"))
        entities = connection.execute("select view_name from duckdb_views() where not internal").fetchall()
        for (entity,) in entities:
            columns = "*" if with_cost or entity != "order_lines" else "* exclude (cost)"
            file = _literal(out / f"{entity}.parquet")
            connection.execute(f"copy (select {columns} from {entity}) to {file} (format parquet, compression zstd)")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        prepare(Path(sys.argv[1]))
    except duckdb.Error as error:
        sys.exit(f"map.sql: {error}")
