"""The command line: `icp`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from icp_refinery.check import check
from icp_refinery.simulate import ACCOUNTS, LINES_PER_ACCOUNT, MONTHS, SEED, write_world

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


class Format(StrEnum):
    """File formats of a simulated world."""

    parquet = "parquet"
    csv = "csv"


app.command()(check)


@app.callback()
def main() -> None:
    """Derive a company's Ideal Customer Profile from the orders it really won."""


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write one file per entity into.")],
    accounts: Annotated[int, typer.Option(help="Number of accounts.")] = ACCOUNTS,
    months: Annotated[int, typer.Option(help="Months of history, up to June 2025.")] = MONTHS,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = SEED,
    truth: Annotated[Path | None, typer.Option(help="Parquet file for what was planted.")] = None,
    signal: Annotated[bool, typer.Option(help="Whether traits have effects.")] = True,
    lines_per_account: Annotated[float, typer.Option(help="Order lines per account to aim at.")] = LINES_PER_ACCOUNT,
    form: Annotated[Format, typer.Option("--format", help="File format.")] = Format.parquet,
    mess: Annotated[bool, typer.Option(help="Plant the mess of a real CRM (CSV only).")] = False,
    rejects: Annotated[Path | None, typer.Option(help="CSV file for the rejects that the mess leads to.")] = None,
) -> None:
    """Simulate a B2B software vendor in the layout of the input contract."""
    try:
        with Progress(transient=True) as bar:
            task = bar.add_task("accounts", total=accounts)
            write_world(
                out,
                accounts,
                months,
                seed,
                truth=truth,
                form=form.value,
                mess=mess,
                rejects=rejects,
                progress=lambda done: bar.update(task, completed=done),
                signal=signal,
                lines_per_account=lines_per_account,
            )
    except (ValueError, OSError) as problem:
        raise typer.BadParameter(str(problem)) from None
    typer.echo(f"{accounts:,} accounts over {months} months in {out}")
