"""`icp hubspot`: show what would change, write it, take it back."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.progress import Progress

from icp_refinery.hubspot import apply as writing
from icp_refinery.hubspot import plan as planning
from icp_refinery.hubspot.client import HUBSPOT, Portal
from icp_refinery.hubspot.config import NATIVE_ICP_TIER, TOKEN_VARIABLE, Config, ConfigError, load_config
from icp_refinery.hubspot.errors import HubSpotError, Json, PlanError
from icp_refinery.hubspot.flow_runs import is_of_flows, planned_flows, revert_flows
from icp_refinery.hubspot.journal import alone, alone_at
from icp_refinery.hubspot.lists import apply_lists, plan_lists
from icp_refinery.hubspot.plan import own_portal
from icp_refinery.hubspot.revert import revert as take_back
from icp_refinery.hubspot.show import clean, show_flows, show_lists, show_outcome, show_plan, write_csv, write_json
from icp_refinery.project import project_directory
from icp_refinery.spreadsheet import as_cell

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings; default activation/hubspot.yml.")]
BaseUrl = Annotated[str, typer.Option("--base-url", help="Another host than HubSpot's gets the token; for trying things out.")]
NativeTier = Annotated[
    bool,
    typer.Option("--native-icp-tier", help="Also write HubSpot's own Ideal Customer Profile Tier, where empty or ours."),
]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="The plan; default activation/runs/plan.jsonl.")]


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Put the ICP to work in HubSpot: `diff` shows, `apply` writes, `revert` takes back. The token is in HUBSPOT_TOKEN."""
    if os.environ.get("NO_COLOR"):
        context.color = False
    for stream in (sys.stdout, sys.stderr):
        # Names come in any script; a terminal that has not the letters shows a question mark.
        stream.reconfigure(errors="replace")
    if context.invoked_subcommand is None:
        diff()


@app.command()
def diff(
    config_file: ConfigFile = None,
    plan_file: PlanFile = None,
    base_url: BaseUrl = HUBSPOT,
    native_tier: NativeTier = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Also write all that would change to a CSV file.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write all that would change to a JSON file.")] = None,
) -> None:
    """Show what would change in HubSpot, and why; write it down as a plan. Nothing is written to HubSpot."""
    with saying_what_is_wrong():
        config = settings(config_file, native_tier)
        path = plan_file or runs() / "plan.jsonl"
        with (
            open_published() as (marts, manifest),
            open_portal(config, base_url) as portal,
            progress_bar("records read") as progress,
        ):
            lists_plan = plan_lists(portal, marts, config, runs() / "lists.jsonl")
            flows, _ = planned_flows(portal, marts, config, lists_plan, runs())
            summary = planning.write_plan(portal, marts, manifest, config, path, [*lists_plan, *flows], progress=progress)
        for out, write in ((csv_file, write_csv), (json_file, write_json)):
            if out:
                write(path, out)
        show_plan(path, summary, config)


@app.command()
def apply(
    write: Annotated[bool, typer.Option("--apply", help="Write to HubSpot; without it nothing is written.")] = False,
    config_file: ConfigFile = None,
    plan_file: PlanFile = None,
    base_url: BaseUrl = HUBSPOT,
    max_changes: Annotated[int | None, typer.Option(help="Instead of the settings' max_changes.")] = None,
    max_clears: Annotated[int | None, typer.Option(help="Instead of the settings' max_clears.")] = None,
    native_tier: NativeTier = False,
) -> None:
    """Carry out the plan of the last diff. After a crash or Ctrl-C, the same command does the rest."""
    with saying_what_is_wrong():
        config = settings(config_file, native_tier)
        path = plan_file or runs() / "plan.jsonl"
        if not write:
            _, summary = planning.read_plan(path)
            show_plan(path, summary, config)
            typer.echo("Nothing was written. To write: icp hubspot apply --apply")
            return
        with (
            open_published() as (marts, manifest),
            open_portal(config, base_url) as portal,
            progress_bar("records") as progress,
        ):
            outcome, journal = writing.apply_plan(
                portal, marts, manifest, config, path, max_changes, max_clears, progress=progress
            )
        show_outcome(outcome, "written", journal, config.objects)
        if journal.exists():
            typer.echo(f"To take it back: icp hubspot revert {shlex.quote(str(journal))}")
        if outcome.refused:
            raise typer.Exit(1)


@app.command()
def revert(
    journal: Annotated[Path, typer.Argument(help="The journal that an apply left.", exists=True, dir_okay=False)],
    write: Annotated[bool, typer.Option("--apply", help="Write to HubSpot; without it nothing is written.")] = False,
    config_file: ConfigFile = None,
    base_url: BaseUrl = HUBSPOT,
) -> None:
    """Put back what a journal says was there before, where HubSpot still has what was written."""
    with saying_what_is_wrong():
        config = settings(config_file)
        if is_of_flows(journal):
            with open_portal(config, base_url) as portal, alone(runs()), alone_at(own_portal(portal, config)):
                show_flows(revert_flows(portal, own_portal(portal, config), journal, write))
            if not write:
                typer.echo(f"Nothing was deleted. To delete: icp hubspot revert {shlex.quote(str(journal))} --apply")
            return
        with open_portal(config, base_url) as portal, progress_bar("batches") as progress:
            outcome, back, objects = take_back(portal, config, journal, write, progress)
        show_outcome(outcome, "put back" if write else "to put back", back if write else journal, objects)
        if not write:
            typer.echo(f"Nothing was written. To write: icp hubspot revert {shlex.quote(str(journal))} --apply")
        if outcome.refused:
            raise typer.Exit(1)


@app.command()
def lists(
    write: Annotated[bool, typer.Option("--apply", help="Make and change lists; without it nothing is written.")] = False,
    config_file: ConfigFile = None,
    base_url: BaseUrl = HUBSPOT,
) -> None:
    """Show which lists of companies and contacts would be made or changed, and with --apply do it. No list is ever deleted."""
    with saying_what_is_wrong():
        config = settings(config_file)
        journal = runs() / "lists.jsonl"
        with open_published() as (marts, _), open_portal(config, base_url) as portal:
            found = plan_lists(portal, marts, config, journal)
            if write:
                with alone(runs()), alone_at(portal.portal_id()):
                    found = apply_lists(portal, found, journal)
        show_lists(found)
        if not write and any(line["action"] in ("create", "update") for line in found):
            typer.echo("Nothing was written. To write: icp hubspot lists --apply")
        if any(line["action"] == "refused" for line in found):
            raise typer.Exit(1)


@app.command()
def score(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A .csv or .md file; without it the table is shown.")] = None,
    config_file: ConfigFile = None,
) -> None:
    """Show the scorecard as criteria for HubSpot's lead scoring, and what HubSpot cannot say. HubSpot is not asked."""
    # It needs pandas, for which the other commands need not wait.
    from icp_refinery.hubspot.scoring import as_markdown, expected_scores, score_criteria

    with saying_what_is_wrong():
        config = settings(config_file)
        with open_published() as (marts, _):
            criteria = score_criteria(marts, config)
            page = as_markdown(criteria, expected_scores(marts, config))
        if out is None:
            typer.echo(clean(page))
        elif out.suffix == ".csv":
            cells = criteria.map(lambda cell: as_cell(cell) if isinstance(cell, str) else cell)
            cells.to_csv(out, index=False, lineterminator="\n")
        elif out.suffix == ".md":
            out.write_text(page, encoding="utf-8")
        else:
            raise typer.BadParameter("the file's name ends in .csv or .md", param_hint="--out")
        if out is not None:
            typer.echo(out)


@contextmanager
def saying_what_is_wrong() -> Iterator[None]:
    """Turns what can go wrong into a sentence and exit code 1."""
    try:
        yield
    except (HubSpotError, PlanError, ConfigError, OSError, duckdb.Error) as problem:
        typer.secho(clean(str(problem)), err=True, fg="red")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.secho("Interrupted. The same command again does the rest, and writes nothing twice.", err=True, fg="red")
        raise typer.Exit(130) from None


def settings(path: Path | None, native_tier: bool = False) -> Config:
    """The settings file, checked; with `native_tier` also writing HubSpot's own property of the tier."""
    config = load_config(path or project_directory() / "activation" / "hubspot.yml")
    return config.model_copy(update={"native": NATIVE_ICP_TIER | config.native}) if native_tier else config


def runs() -> Path:
    """The folder of plans and journals."""
    return project_directory() / "activation" / "runs"


@contextmanager
def open_portal(config: Config, base_url: str) -> Iterator[Portal]:
    """The portal of the token in the environment. No file can send the token elsewhere: another host is named by an option."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    with Portal(base_url, token, config.api_version, config.requests_per_10_seconds) as portal:
        yield portal


@contextmanager
def open_published() -> Iterator[tuple[duckdb.DuckDBPyConnection, Json]]:
    """The published marts, read-only, and their manifest: those of now, even if newer ones are published meanwhile."""
    folder = (Path(os.environ.get("ICP_PUBLISHED") or project_directory() / "published") / "current").resolve()
    if not (folder / "manifest.json").exists():
        raise PlanError(f"There are no published marts in {folder}: run `dbt build` first.")
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except ValueError:
        raise PlanError(f"{folder / 'manifest.json'} is damaged: run `dbt build` again.") from None
    if "tables" in manifest:
        raise PlanError(
            f"The marts of {folder} are tables of Spark's catalog (publish_tables_beyond), which icp hubspot does not read."
        )
    with duckdb.connect(str(folder / "icp.duckdb"), read_only=True) as marts:
        yield marts, manifest


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function that shows how far a run is, on a terminal."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total, description=f"{what}: {done:,}")
