"""`icp profile`: the nodes of the last build by the time that each took."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import typer

from icp_refinery.project import project_directory


def profile(
    target: Annotated[Path | None, typer.Option(help="dbt's target folder; default that of the project.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many nodes to print.")] = 20,
) -> None:
    """Print the slowest nodes of the last build, and what each kind of node took."""
    results = (target or project_directory() / "target") / "run_results.json"
    if not results.is_file():
        typer.secho(f"There is no {results}: build first.", err=True, fg="red")
        raise typer.Exit(1)
    typer.echo(described(json.loads(results.read_text(encoding="utf-8")), top))


def described(run: dict, top: int) -> str:
    """The text of `icp profile` for dbt's run results."""
    nodes = sorted(((result["execution_time"], result["unique_id"]) for result in run["results"]), reverse=True)
    kinds: dict[str, list[float]] = defaultdict(list)
    for seconds, name in nodes:
        kinds[name.partition(".")[0]].append(seconds)
    lines = [f"{run['elapsed_time']:.1f} s from start to end; node seconds (several nodes run at a time):"]
    lines += [
        f"{sum(times):9.2f}  {len(times)} × {kind}" for kind, times in sorted(kinds.items(), key=lambda each: -sum(each[1]))
    ]
    lines += [f"the {min(top, len(nodes))} slowest nodes:"]
    lines += [f"{seconds:9.2f}  {name.split('.')[2]}" for seconds, name in nodes[:top]]
    return "\n".join(lines)
