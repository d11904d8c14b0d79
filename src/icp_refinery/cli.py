"""The command line: `icp`."""

import os
from datetime import date, datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from icp_refinery.check_landed import check
from icp_refinery.convert import convert
from icp_refinery.exports.init import init
from icp_refinery.hubspot.flow_commands import app as hubspot
from icp_refinery.profile import profile
from icp_refinery.project import project_directory
from icp_refinery.simulate import ACCOUNTS, LINES_PER_ACCOUNT, MONTHS, SEED, write_world
from icp_refinery.simulate.landed import LAYOUTS, write_landed

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


class Format(StrEnum):
    """File formats of a simulated world."""

    parquet = "parquet"
    csv = "csv"


Layout = StrEnum("Layout", {"files": "files"} | {name.replace("-", "_"): name for name in LAYOUTS})

app.command()(check)
app.command()(convert)
app.command()(init)
app.command()(profile)
app.add_typer(hubspot, name="hubspot")


def say_version(is_asked: bool) -> None:
    """Say the version, and nothing else."""
    if is_asked:
        typer.echo(f"icp-refinery {version('icp-refinery')}")
        raise typer.Exit


@app.callback()
def main(
    shows_version: Annotated[
        bool, typer.Option("--version", callback=say_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
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
    layout: Annotated[Layout, typer.Option(help="The contract's files, or what a loader lands of a tool.")] = Layout.files,
) -> None:
    """Simulate a B2B software vendor in the layout of the input contract, or as HubSpot or Salesforce data are landed."""
    try:
        if layout is not Layout.files:
            write_landed(out, layout.value, accounts, months, seed, mess=mess, signal=signal, lines_per_account=lines_per_account)
            typer.echo(f"{accounts:,} accounts over {months} months in {out}: landed.duckdb, and the same as files")
            return
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


@app.command()
def adopt(
    sales: Annotated[str, typer.Option(help="Who agrees for Sales.")] = "",
    marketing: Annotated[str, typer.Option(help="Who agrees for Marketing.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day of the adoption; default today.")] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="A segment's name for people: seg_x='Mid-size finance'. Repeatable.")
    ] = None,
    database: Annotated[Path | None, typer.Option(help="A built database; default ICP_DATABASE, else the project's.")] = None,
    check_only: Annotated[bool, typer.Option("--check", help="Adopt nothing: say what is wrong with the adopted files.")] = False,
) -> None:
    """Adopt the learned profile: write it to seeds/adopted/, where Sales and Marketing can agree on it in a pull request."""
    # It needs what learns, for which the other commands need not wait.
    from icp_refinery import adopt as adoption

    project = project_directory()
    folder = project / "seeds" / "adopted"
    database = database or Path(os.environ.get("ICP_DATABASE") or project / "warehouse" / "icp.duckdb")
    try:
        if check_only:
            _say_problems(folder, database)
            return
        named = [text.partition("=") for text in name or []]
        if wrong := next((text for text, (_, sign, _) in zip(name or [], named, strict=True) if not sign), None):
            raise adoption.AdoptionError(f"A name is given as segment_id=name, not {wrong}.")
        names = {key.strip(): text.strip() for key, _, text in named}
        typer.echo(adoption.adopt(database, folder, sales, marketing, reason, on.date() if on else date.today(), names))
    except (adoption.AdoptionError, OSError) as problem:
        typer.secho(str(problem), err=True, fg="red")
        raise typer.Exit(1) from None
    typer.echo("Commit the folder; the next `dbt build` applies it.")


def _say_problems(folder: Path, database: Path) -> None:
    from icp_refinery import adopt as adoption

    learned = adoption.read_learned(database) if database.exists() else None
    known = (learned.traits, learned.is_demo) if learned else ()
    problems = adoption.adopted_problems(adoption.read_adopted(folder), *known)
    for problem in problems:
        typer.secho(problem, err=True, fg="red")
    if problems:
        raise typer.Exit(1)
    unsaid = "" if learned else f" Traits were not compared with data: there is no database {database}."
    typer.echo(f"Nothing is wrong with the files in {folder}.{unsaid}")
