"""`icp hubspot nurture` and `icp hubspot outcome`: playbooks, the workflows that are made of them, and what they did."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from icp_refinery import nurture as nurturing
from icp_refinery.hubspot.client import HUBSPOT
from icp_refinery.hubspot.commands import (
    BaseUrl,
    ConfigFile,
    app,
    open_portal,
    open_published,
    runs,
    saying_what_is_wrong,
    settings,
)
from icp_refinery.hubspot.flow_runs import apply_flows, planned_flows
from icp_refinery.hubspot.journal import alone, alone_at
from icp_refinery.hubspot.lists import plan_lists
from icp_refinery.hubspot.outcome import outcome as what_happened
from icp_refinery.hubspot.outcome import sentences
from icp_refinery.hubspot.show import clean, show_flows


@app.command()
def nurture(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for two files per prioritized segment.")] = Path("nurture"),
    write: Annotated[bool, typer.Option("--apply", help="Make the workflows in HubSpot, switched off.")] = False,
    config_file: ConfigFile = None,
    base_url: BaseUrl = HUBSPOT,
) -> None:
    """Write a nurture playbook for each prioritized segment. HubSpot is asked only with --apply, which makes the workflows."""
    with saying_what_is_wrong():
        config = settings(config_file)
        with open_published() as (marts, _):
            paths = nurturing.write(nurturing.plans(marts, config), out)
            for path in paths:
                typer.echo(path)
            if not paths:
                typer.echo("No segment is prioritized: there is nothing to nurture.")
            if not write:
                return
            if not config.nurture.emails:
                typer.echo("No workflow is made: choose its e-mails in activation/hubspot.yml (nurture.emails).")
                return
            with open_portal(config, base_url) as portal, alone(runs()), alone_at(portal.portal_id()):
                lists = plan_lists(portal, marts, config, runs() / "lists.jsonl")
                found, journal = planned_flows(portal, marts, config, lists, runs())
                found = apply_flows(portal, found, journal)
        show_flows(found)
        if journal.exists():
            typer.echo(f"No workflow is switched on: do that in HubSpot. To take them back: icp hubspot revert {journal}")
        if any(entry["action"] == "refused" for entry in found):
            raise typer.Exit(1)


@app.command()
def outcome(config_file: ConfigFile = None) -> None:
    """Say what happened since to the companies that were written to, and what the workflows did. HubSpot is not asked."""
    with saying_what_is_wrong():
        config = settings(config_file)
        with open_published() as (marts, _):
            said = sentences(what_happened(marts, config, runs()))
        typer.echo(clean("\n".join(said) or "Nothing was written to HubSpot from this folder, so nothing can have come of it."))
        if config.nurture.emails and not config.nurture.switched_on:
            typer.echo("No workflow is measured: name the day on which it was switched on (nurture.switched_on).")
