"""What a plan and a run look like to a person: first what matters, then examples; and the whole plan as CSV and JSON."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from icp_refinery.hubspot import apply as writing
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.errors import Json
from icp_refinery.hubspot.journal import open_private, read_lines
from icp_refinery.hubspot.objects import OBJECT_TYPES
from icp_refinery.hubspot.overview import CLEARED
from icp_refinery.hubspot.plan import read_plan
from icp_refinery.project import TIERS
from icp_refinery.spreadsheet import as_cell

EXAMPLES = 10
SHOWN = 20
COLUMNS = ("kind", "object", "record_id", "account_id", "name", "property", "old", "new", "tier", "why", "reason")


def show_plan(path: Path, summary: Json, config: Config) -> None:
    """Prints a plan: how much changes and why, what people will see, what is withheld, and then examples."""
    console = Console()
    found = summary["overview"]
    if found["changes"]:
        columns = [tier for tier in (*TIERS, CLEARED) if any(tier in row["tiers"] for row in found["changes"])]
        table = Table("records", "property", *map(_words, columns), "why", title="What would change")
        for row in found["changes"]:
            counts = [f"{row['tiers'][tier]:,}" if tier in row["tiers"] else "" for tier in columns]
            why = ", ".join(f"{reason}: {count:,}" for reason, count in row["why"].items())
            table.add_row(*_cells(row["object"], row["property"], *counts, why))
        console.print(table)
        for sentence in _what_people_see(path, summary, config):
            typer.echo(clean(sentence))
    for step in read_lines(path, "schema"):
        typer.echo(clean(f"create {_step(step)}"))
    if found["withheld"]:
        table = Table("records", "how many", "why nothing is written", title="Withheld and kept")
        for row in found["withheld"]:
            table.add_row(*_cells(row["object"], f"{row['records']:,}", row["why"]))
        console.print(table)
    _examples(console, path, summary)
    if summary["lists"]:
        show_lists(read_lines(path, "list"))
    show_flows(read_lines(path, "flow"))
    typer.echo(
        f"{_records(summary['objects'], 'changes')} would change, {summary['cleared']:,} of them cleared; "
        f"{summary['withheld']:,} withheld; {summary['schema']:,} to create in HubSpot first. Plan: {path}"
    )
    problem = writing.too_much(read_plan(path)[0], summary, config)
    if problem:
        typer.secho(f"Apply would refuse: {problem}", fg="yellow")


def _what_people_see(path: Path, summary: Json, config: Config) -> Iterator[str]:
    """What is different in HubSpot after the apply, in sentences."""
    made = Counter(step["object"] for step in read_lines(path, "schema") if step["action"] == "create_property")
    for of, count in made.items():
        where = OBJECT_TYPES[of].singular
        yield f"In HubSpot: each {where} record gets a group of properties, {config.group_label}, with {count} properties."
    for of, counted in summary["objects"].items():
        if counted["changes"]:
            yield (
                f"In HubSpot: {counted['changes']:,} {of} show other values, and {config.properties['icp_changed_on']} the day. "
                "Lists, workflows and reports that ask for these properties see it."
            )


def _examples(console: Console, path: Path, summary: Json) -> None:
    if summary["changes"]:
        table = Table("account", "record", "change", "why", title="Examples of changes", show_lines=True)
        for line in islice(read_lines(path, "change"), EXAMPLES):
            pairs = "\n".join(f"{name}: {_short(old)} → {_short(new)}" for name, (old, new) in line["set"].items())
            record = OBJECT_TYPES[line["object"]].said(line["record_id"])
            table.add_row(*_cells(line["name"] or line["account_id"] or "", record, pairs, line["reason"]))
        console.print(table)
        more(summary["changes"], "changes", EXAMPLES)
    if summary["withheld"]:
        withheld = Table("account", "record", "why nothing is written", title="Examples of what is withheld")
        for line in islice(read_lines(path, "withheld"), EXAMPLES):
            record = OBJECT_TYPES[line["object"]].said(line["record_id"])
            withheld.add_row(*_cells(line["name"] or line["account_id"] or "", record, line["reason"]))
        console.print(withheld)
        more(summary["withheld"], "withheld", EXAMPLES)


def show_flows(found: Iterable[Json]) -> None:
    """Prints the workflows, what is done about each, and why."""
    table = Table("workflow", "action", "why", title="Workflows (icp hubspot nurture)")
    for entry in found:
        table.add_row(*_cells(entry["name"], entry["action"], entry["reason"]))
    if table.row_count:
        Console().print(table)


def show_lists(found: Iterable[Json]) -> None:
    """Prints the lists, what is done about each, and why."""
    table = Table("list", "action", "why", "records whose", "key", title="Lists (icp hubspot lists)")
    for line in found:
        table.add_row(*_cells(line["name"], line["action"], line["reason"], line["filters"], line["key"]))
    Console().print(table)


def show_outcome(outcome: writing.Outcome, done: str, journal: Path, objects: Iterable[str]) -> None:
    """Prints what a run did, and the first of what it did not."""
    for line in outcome.said[:SHOWN]:
        typer.echo(clean(line))
    # A record may be kept in part only, and is then said but not counted as kept.
    more(max(outcome.kept + outcome.refused, len(outcome.said)), "not written, or not whole")
    typer.echo(
        f"{outcome.written:,} {', '.join(objects)} {done}, {outcome.already:,} had been before, {outcome.kept:,} kept as they "
        f"are, {outcome.refused:,} refused by HubSpot. Journal: {journal if journal.exists() else 'none'}"
    )


def write_csv(path: Path, out: Path) -> None:
    """The whole plan, a line for each property of each record that changes, and for each that is withheld."""
    with open_private(out, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for line in read_lines(path):
            if line["kind"] not in ("change", "withheld"):
                continue
            for name, (old, new) in (line.get("set") or {"": ["", ""]}).items():
                cells = line | {"property": name, "old": old, "new": new}
                rows.writerow(as_cell(str(cells.get(column) or "")) for column in COLUMNS)


def write_json(path: Path, out: Path) -> None:
    """The whole plan in one object: its summary's `overview`, and under `lines` what the plan's file has."""
    with open_private(out, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f'{{"overview": {json.dumps(read_plan(path)[1]["overview"], ensure_ascii=False)}, "lines": [\n')
        for number, line in enumerate(read_lines(path)):
            file.write(",\n" * bool(number) + json.dumps(line, ensure_ascii=False))
        file.write("\n]}\n")


def clean(text: str) -> str:
    """A text from outside without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in text)


def more(count: int, what: str, shown: int = SHOWN) -> None:
    """Says that there is more than was shown."""
    if count > shown:
        typer.echo(f"... the first {shown} of {count:,} {what}; the plan or journal has all.")


def _records(objects: Json, what: str) -> str:
    return ", ".join(f"{counted[what]:,} {of}" for of, counted in objects.items())


def _words(name: str) -> str:
    return name.replace("_", " ")


def _step(step: Json) -> str:
    kind = OBJECT_TYPES[step["object"]].singular
    if step["action"] == "create_group":
        return f"the {kind} property group {step['name']}"
    if step["action"] == "create_property":
        return f"the {kind} property {step['name']} ({step['body']['type']})"
    return f"options of the {kind} property {step['name']}: {', '.join(option['label'] for option in step['options'])}"


def _short(value: str) -> str:
    return value if 0 < len(value) <= 30 else f"{value[:29]}…" if value else "(empty)"


def _cells(*texts: str) -> list[Text]:
    """Texts as they are: what looks like markup is not taken for it."""
    return [Text(clean(text)) for text in texts]
