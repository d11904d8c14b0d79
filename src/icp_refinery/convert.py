"""A folder of CSV files, or exports with a mapping.yml, as Parquet files of the input contract: what Spark reads."""

import tempfile
from pathlib import Path
from typing import Annotated

import duckdb
import typer

from icp_refinery import permissions
from icp_refinery.check import CheckError, run_input_layer


def convert(
    folder: Annotated[Path, typer.Argument(help="The folder that the connector files would read.")],
    out: Annotated[Path, typer.Argument(help="A new folder for the Parquet files.")],
) -> None:
    """Write a folder as Parquet files, text as it is, with the lines that cannot be read: for a build on Spark."""
    try:
        rows = write_parquet(folder, out)
    except (CheckError, FileExistsError) as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(1) from None
    for entity, count in rows.items():
        typer.echo(f"{entity}: {count:,} {'lines that cannot be read' if entity == 'malformed_lines' else 'rows'}")


def write_parquet(folder: Path, out: Path) -> dict[str, int]:
    """Write `<entity>.parquet` for each entity in `folder`, and `malformed_lines.parquet` where there are any: rows by file.

    Raises CheckError, with a sentence, where the folder cannot be read, and FileExistsError where `out` has files already.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"The folder {out} has files already: name a new one.")
    with tempfile.TemporaryDirectory() as scratch:
        database = Path(scratch) / "icp.duckdb"
        settings = {"connectors": ["files"], "files_dir": str(folder.absolute())}
        run_input_layer(settings, scratch, database, select=("path:models/staging/files", "input_malformed_lines"))
        out.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(database), read_only=True) as connection:
            query = """
                select entity, list(distinct column_name order by column_name)
                from raw_files.source_columns where column_use = 'used' group by entity order by entity
            """
            queries = {
                entity: f"select {', '.join(columns)} from staging.stg_files__{entity}"
                for entity, columns in connection.execute(query).fetchall()
            }
            if connection.execute("select 1 from input.input_malformed_lines limit 1").fetchall():
                queries["malformed_lines"] = "from input.input_malformed_lines"
            rows = {}
            for name, selected in queries.items():
                file = out / f"{name}.parquet"
                [(rows[name],)] = connection.execute(f"copy ({selected}) to '{_text(file)}' (format parquet)").fetchall()
                permissions.make_private(file)
    return rows


def _text(path: Path) -> str:
    return str(path).replace("'", "''")
