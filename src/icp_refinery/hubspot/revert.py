"""Taking back what a journal says was written."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from icp_refinery.hubspot.apply import Choice, Outcome, Pairs, Values, write_batch
from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.errors import Json, PlanError
from icp_refinery.hubspot.journal import FORMAT, Journal, alone, alone_at, first_line, object_of, read_lines
from icp_refinery.hubspot.objects import OBJECT_TYPES, ObjectType
from icp_refinery.hubspot.pace import in_order
from icp_refinery.hubspot.plan import BY_KEY, Progress, own_portal
from icp_refinery.hubspot.schema import differs


def revert(
    portal: Portal,
    config: Config,
    path: Path,
    write: bool,
    progress: Progress = lambda done, total: None,
) -> tuple[Outcome, Path, list[str]]:
    """Puts back the old values of a journal where HubSpot still has what was written; with `write` false only counts.

    Returns what came of it, the journal of that, and which objects it is about.

    What was created (properties, options, the group) stays: others may use it by now.
    """
    lines = read_lines(path)
    first = next(lines, None)
    if not isinstance(first, dict) or first.get("kind") != "journal" or first.get("format") != FORMAT:
        raise PlanError(f"{path} is not a journal of this version.")
    portal_id = own_portal(portal, config)
    if first.get("portal_id") != portal_id:
        raise PlanError(f"The journal is of portal {first.get('portal_id')}, the token of portal {portal_id}.")
    properties = {of: portal.properties(of) for of in sorted({object_of(line) for line in read_lines(path, "batch")})}
    outcome = Outcome()
    back = path.with_name(f"{path.stem}-reverted.jsonl")

    def choose(pairs: Pairs, there: Values) -> tuple[Pairs, list[str]]:
        todo = {n: p for n, p in pairs.items() if differs(config, n, there.get(n), p[1])}
        as_left = {n: [there.get(n) or "", p[1]] for n, p in todo.items() if not differs(config, n, there.get(n), p[0])}
        return as_left, [n for n in todo if n not in as_left]

    def put_back(line: Json) -> None:
        kind = OBJECT_TYPES[object_of(line)]
        records = {
            record: {n: [new, old] for n, (old, new) in pairs.items() if n in properties[kind.name]}
            for record, pairs in line["records"].items()
        }
        for record, name in set_by_people(portal, kind, records, config):
            del records[record][name]
            outcome.say(kind.said(record), f"{name} was set to the same value by somebody else since: kept")
        if journal:
            write_batch(portal, journal, kind, records, choose, outcome, [])
        else:
            _count(portal, kind, records, choose, outcome)

    batches = sum(1 for _ in read_lines(path, "batch"))
    with alone(path.parent), alone_at(portal_id):
        journal = Journal(back, first_line(portal_id, f"revert of {path.name}")) if write else None
        try:
            first_ones, further = once_each(line for line in lines if line["kind"] == "batch")
            steps = chain(in_order(put_back, first_ones, portal.calls_at_once), map(put_back, further))
            for number, _ in enumerate(steps, start=1):
                progress(number, batches)
        finally:
            if journal:
                journal.close()
    return outcome, back, list(properties)


def once_each(lines: Iterable[Json]) -> tuple[Iterator[Json], list[Json]]:
    """The batches with records that no batch before has, and, once these are through, the others: a record is in one call."""
    further: list[Json] = []

    def first_ones() -> Iterator[Json]:
        seen: set[tuple[str, str]] = set()
        for line in lines:
            records = {(object_of(line), record) for record in line["records"]}
            if records & seen:
                further.append(line)
            else:
                yield line
            seen |= records

    return first_ones(), further


def set_by_people(portal: Portal, kind: ObjectType, records: dict[str, Pairs], config: Config) -> list[tuple[str, str]]:
    """The records and properties that a person set last: also where it is what was to be written, it is not ours to take away."""
    names = sorted({name for pairs in records.values() for name in pairs})
    if not names or config.human_edits == "overwrite":
        return []
    history = portal.read_history(kind.name, list(records), names)
    return [
        (record, name)
        for record, pairs in records.items()
        for name, (left, _) in pairs.items()
        if (last := next(iter(history.get(record, {}).get(name) or []), None))
        and not str(last.get("sourceType") or "").startswith(BY_KEY)
        and not differs(config, name, last.get("value"), left)
    ]


def _count(portal: Portal, kind: ObjectType, records: dict[str, Pairs], choose: Choice, outcome: Outcome) -> None:
    names = sorted({name for pairs in records.values() for name in pairs})
    there = {r["id"]: r.get("properties") or {} for r in portal.read_records(kind.name, list(records), names)}
    for record, pairs in records.items():
        todo, kept = choose(pairs, there[record]) if record in there else ({}, ["gone"])
        outcome.add(written=bool(todo), kept=bool(kept) and not todo, already=not todo and not kept)
        if kept:
            outcome.say(kind.said(record), f"changed since: {', '.join(kept)}")
