"""Carrying a plan out, and taking it back. Old values are on disk before HubSpot is asked to change them.

Whatever stops a run, the same command again does the rest: every record is read before it is written, what has its new value
already is left alone, and so is what somebody else changed meanwhile.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path

import duckdb

from icp_refinery.hubspot.client import BATCH, HubSpotError, Json, Portal, Unreachable, Unsure
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.plan import (
    BY_KEY,
    FORMAT,
    PlanError,
    Progress,
    alone,
    differs,
    header,
    own_portal,
    read_lines,
    read_plan,
    schema_steps,
    segment_names,
    where_they_are,
)

ATTEMPTS = 5
# More than so many records refused, and more than half of all: it is no matter of single records.
REFUSED = 100

Values = dict[str, str]
Pairs = dict[str, list[str]]
# Which values to write, and which properties are kept as somebody else's: from what a record should have and what it has.
Choice = Callable[[Pairs, Values], tuple[Pairs, list[str]]]


@dataclass
class Outcome:
    """What a run did; `said` has a line for each record that was not written, the first hundred."""

    written: int = 0
    already: int = 0
    kept: int = 0
    refused: int = 0
    said: list[str] = field(default_factory=list)

    def say(self, record: str, reason: str) -> None:
        """Keeps a line for a person to read."""
        if len(self.said) < 100:
            self.said.append(f"{record}: {reason}")


class Journal:
    """A file of JSON lines that is on disk before `put` returns; a line that a crash cut off is taken away."""

    def __init__(self, path: Path, first: Json) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._file = path.open("ab+")
        os.chmod(path, 0o600)
        self._cut_torn_line()
        if self._file.tell() == 0:
            self.put(first)
            # The file's name, too, has to outlive a crash.
            folder = os.open(path.parent, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    def _cut_torn_line(self) -> None:
        end = self._file.seek(0, os.SEEK_END)
        whole = end
        while whole:
            self._file.seek(whole - 1)
            if self._file.read(1) == b"\n":
                break
            whole -= 1
        if whole < end:
            self._file.truncate(whole)
        self._file.seek(0, os.SEEK_END)

    def put(self, line: Json) -> None:
        """Writes a line, and waits until it is on disk."""
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as problem:
            raise PlanError(
                f"The journal {self.path} cannot be written: {problem.strerror}. Without it nothing more is written to HubSpot. "
                "Run the same command again when it can be: it does the rest."
            ) from None

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def journal_of(plan: Path, made_at: str) -> Path:
    """The journal of a plan: the same one however often the plan is carried out."""
    stamp = "".join(c for c in made_at.partition("+")[0] if c.isalnum())
    return plan.with_name(f"journal-{stamp}.jsonl")


def check_plan(
    portal: Portal, manifest: Json, config: Config, path: Path, max_changes: int, max_clears: int
) -> tuple[Json, Json]:
    """The plan's first and last line. Raises PlanError where it is stale, or changes more than allowed."""
    plan, summary = read_plan(path)
    now = header(portal, manifest, config)
    for key, words in (
        ("portal_id", "it is for another portal than the token's"),
        ("api_version", "the API version has been changed"),
        ("published_at", "newer marts have been published"),
        ("as_of", "newer marts have been published"),
        ("properties", "the names of the properties have been changed"),
        ("native", "the native properties have been changed"),
        ("clearing", "the setting clearing has been changed"),
        ("human_edits", "the setting human_edits has been changed"),
    ):
        if plan.get(key) != now[key]:
            raise PlanError(f"The plan of {plan.get('made_at')} no longer holds: {words}. Run `icp hubspot diff` again.")
    problem = too_much(plan, summary, max_changes, max_clears)
    if problem:
        raise PlanError(problem)
    return plan, summary


def too_much(plan: Json, summary: Json, max_changes: int, max_clears: int) -> str | None:
    """Why a plan is too large to be carried out, if it is."""
    if summary["cleared"] and not plan["companies"]:
        return "The marts have no company with values at all, and all values in HubSpot would be cleared. Nothing is written."
    if summary["changes"] > max_changes:
        return (
            f"{summary['changes']:,} companies would change, more than max_changes ({max_changes:,}). Nothing is written. "
            "If this is meant, raise it: --max-changes."
        )
    if summary["cleared"] > max_clears:
        return (
            f"{summary['cleared']:,} companies left the marts and would be cleared, more than max_clears ({max_clears:,}). "
            "Nothing is written. If this is meant, raise it: --max-clears."
        )
    return None


def apply_plan(
    portal: Portal,
    marts: duckdb.DuckDBPyConnection,
    manifest: Json,
    config: Config,
    path: Path,
    max_changes: int | None = None,
    max_clears: int | None = None,
    today: date | None = None,
    progress: Progress = lambda done, total: None,
) -> tuple[Outcome, Path]:
    """Writes what the plan says, and returns what came of it, and the journal.

    Raises PlanError before anything is written where the plan no longer holds or is too large, and HubSpotError where HubSpot
    stops the run; what was done until then is in the journal, and the same call does the rest.
    """
    with alone(path.parent):
        plan, summary = check_plan(
            portal,
            manifest,
            config,
            path,
            config.max_changes if max_changes is None else max_changes,
            config.max_clears if max_clears is None else max_clears,
        )
        outcome = Outcome()
        journal_path = journal_of(path, plan["made_at"])
        steps = list(read_lines(path, "schema"))
        if not steps and not summary["changes"]:
            return outcome, journal_path
        before = written_before(journal_path)
        journal = Journal(journal_path, _first_line(plan["portal_id"], f"plan of {plan['made_at']}"))
        try:
            prepare_schema(portal, marts, config, journal, steps)
            changed_on = config.properties["icp_changed_on"]
            stamp = {changed_on: (today or datetime.now(UTC).date()).isoformat()}
            ours = set(config.properties.values())

            def choose(pairs: Pairs, there: Values) -> tuple[Pairs, list[str]]:
                todo = {n: pair for n, pair in pairs.items() if differs(config, n, there.get(n), pair[1])}
                changed = [n for n, (old, _) in todo.items() if differs(config, n, there.get(n), old)]
                if changed or not todo:
                    return {}, changed
                if ours & todo.keys():
                    todo |= {n: [there.get(n) or "", value] for n, value in stamp.items()}
                return {n: [there.get(n) or "", pair[1]] for n, pair in todo.items()}, []

            done = 0
            for batch in _batches(read_lines(path, "change")):
                records = {line["hubspot_company_id"]: line["set"] for line in batch}
                outcome.already += len(records.keys() & before)
                records = {record: set_ for record, set_ in records.items() if record not in before}
                write_batch(portal, journal, records, choose, outcome, [changed_on])
                done += len(batch)
                progress(done, summary["changes"])
        finally:
            journal.close()
    return outcome, journal_path


def _batches(lines: Iterable[Json]) -> Iterator[list[Json]]:
    remaining = iter(lines)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _first_line(portal_id: int, what: str) -> Json:
    return {"kind": "journal", "format": FORMAT, "portal_id": portal_id, "what": what, "begun_at": _now()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def written_before(journal: Path) -> set[str]:
    """The records that a journal says have the plan's values: a plan writes each of them once."""
    if not journal.exists():
        return set()
    return {record for line in read_lines(journal, "result") for record in line["written"]}


def prepare_schema(
    portal: Portal, marts: duckdb.DuckDBPyConnection, config: Config, journal: Journal, planned: list[Json]
) -> None:
    """Creates the group, properties and options that are missing. Raises PlanError where some are that the plan does not name."""
    names = segment_names(marts)
    known = {key for step in planned for key in _keys(step)}
    for _ in range(ATTEMPTS):
        properties = portal.properties()
        steps = schema_steps(properties, portal.groups(), config, names)
        if not steps:
            return
        unplanned = sorted({step["name"] for step in steps if not set(_keys(step)) <= known})
        if unplanned:
            raise PlanError(
                f"Since the plan somebody took away in HubSpot, or from it: {', '.join(unplanned)}. Nothing is written. "
                "Run `icp hubspot diff` again to see what would be created."
            )
        try:
            for step in steps:
                journal.put({"kind": "schema", "action": step["action"], "name": step["name"], "at": _now()})
                if step["action"] == "create_group":
                    portal.create_group(step["name"], step["label"])
                elif step["action"] == "create_property":
                    portal.create_property(step["body"])
                else:
                    portal.set_options(step["name"], [*_kept_options(properties[step["name"]]), *step["options"]])
        except Unsure:
            continue
    raise Unreachable("HubSpot does not show the properties that were created. Run the same command again later.")


def _keys(step: Json) -> list[tuple[str, ...]]:
    """What a step creates: itself, and each of its options."""
    options = step.get("options") or step.get("body", {}).get("options") or []
    itself = [] if step["action"] == "add_options" else [(step["action"], step["name"])]
    return itself + [("option", step["name"], option["value"]) for option in options]


def _kept_options(known: Json) -> list[Json]:
    keys = ("label", "value", "displayOrder", "hidden", "description")
    return [{key: option[key] for key in keys if option.get(key) is not None} for option in known.get("options") or []]


def write_batch(
    portal: Portal,
    journal: Journal,
    records: dict[str, Pairs],
    choose: Choice,
    outcome: Outcome,
    also_read: list[str],
) -> None:
    """Writes at most 100 records: reads them, journals what they have, writes; looks again where it may not have worked."""
    pending = dict(records)
    sent: set[str] = set()
    told: set[str] = set()
    for attempt in range(ATTEMPTS):
        if not pending:
            return
        names = sorted({name for pairs in pending.values() for name in pairs} | set(also_read))
        there = {c["id"]: c.get("properties") or {} for c in portal.read_companies(list(pending), names)}
        todo: dict[str, Pairs] = {}
        reasons: dict[str, str] = {}
        gone = [record for record in pending if record not in there]
        reasons |= where_they_are(portal, gone)
        for record, values in there.items():
            if record not in pending:
                continue
            todo[record], kept = choose(pending[record], values)
            if kept:
                now = ", ".join(f"{name} is {values.get(name) or ''!r}" for name in kept)
                reasons[record] = f"changed in HubSpot since ({now}): kept"
        todo = {record: pairs for record, pairs in todo.items() if pairs}
        settled = [record for record in pending if record not in todo and record not in reasons and record not in told]
        after_all = [record for record in settled if record in sent]
        outcome.written += len(after_all)
        outcome.already += len(settled) - len(after_all)
        reasons = {record: reason for record, reason in reasons.items() if record not in told}
        for record, reason in reasons.items():
            outcome.say(record, reason)
        outcome.kept += len(reasons.keys() - todo.keys())
        told |= reasons.keys()
        if reasons or settled:
            # What a run before this one wrote, and did not live to say, counts as written too: it is not written again.
            journal.put({"kind": "result", "at": _now(), "written": settled, "kept": reasons, "refused": {}})
        pending = {record: pending[record] for record in todo}
        if not todo:
            return
        journal.put({"kind": "batch", "at": _now(), "records": todo})
        sent |= todo.keys()
        try:
            values = {record: {name: new for name, (_, new) in pairs.items()} for record, pairs in todo.items()}
            written, refused = portal.update_companies(values)
        except Unsure:
            if attempt + 1 < ATTEMPTS:
                portal.pause(attempt)
                continue
            raise
        journal.put({"kind": "result", "at": _now(), "written": sorted(written), "kept": {}, "refused": refused})
        outcome.written += len(written)
        outcome.refused += len(refused)
        for record, reason in refused.items():
            outcome.say(record, f"HubSpot refuses: {reason}")
        if outcome.refused > REFUSED and outcome.refused > outcome.written:
            last = next(iter(refused.values()))
            raise HubSpotError(
                f"Stopped: HubSpot refused {outcome.refused:,} records, and took {outcome.written:,}. The last: {last}"
            )
        return


def revert(
    portal: Portal,
    config: Config,
    path: Path,
    write: bool,
    progress: Progress = lambda done, total: None,
) -> tuple[Outcome, Path]:
    """Puts back the old values of a journal where HubSpot still has what was written; with `write` false only counts.

    What was created (properties, options, the group) stays: others may use it by now.
    """
    lines = read_lines(path)
    first = next(lines, None)
    if not isinstance(first, dict) or first.get("kind") != "journal" or first.get("format") != FORMAT:
        raise PlanError(f"{path} is no journal of this version.")
    portal_id = own_portal(portal, config)
    if first.get("portal_id") != portal_id:
        raise PlanError(f"The journal is of portal {first.get('portal_id')}, the token of portal {portal_id}.")
    properties = portal.properties()
    outcome = Outcome()
    back = path.with_name(f"{path.stem}-reverted.jsonl")

    def choose(pairs: Pairs, there: Values) -> tuple[Pairs, list[str]]:
        todo = {n: p for n, p in pairs.items() if differs(config, n, there.get(n), p[1])}
        as_left = {n: [there.get(n) or "", p[1]] for n, p in todo.items() if not differs(config, n, there.get(n), p[0])}
        return as_left, [n for n in todo if n not in as_left]

    batches = sum(1 for _ in read_lines(path, "batch"))
    with alone(path.parent):
        journal = Journal(back, _first_line(portal_id, f"revert of {path.name}")) if write else None
        try:
            for number, line in enumerate((line for line in lines if line["kind"] == "batch"), start=1):
                records = {
                    record: {n: [new, old] for n, (old, new) in pairs.items() if n in properties}
                    for record, pairs in line["records"].items()
                }
                for record, name in set_by_people(portal, records, config):
                    del records[record][name]
                    outcome.say(record, f"{name} was set to the same value by somebody else since: kept")
                if journal:
                    write_batch(portal, journal, records, choose, outcome, [])
                else:
                    _count(portal, records, choose, outcome)
                progress(number, batches)
        finally:
            if journal:
                journal.close()
    return outcome, back


def set_by_people(portal: Portal, records: dict[str, Pairs], config: Config) -> list[tuple[str, str]]:
    """The records and properties that a person set last: also where it is what was to be written, it is not ours to take away."""
    names = sorted({name for pairs in records.values() for name in pairs})
    if not names or config.human_edits == "overwrite":
        return []
    history = portal.read_history(list(records), names)
    return [
        (record, name)
        for record, pairs in records.items()
        for name, (left, _) in pairs.items()
        if (last := next(iter(history.get(record, {}).get(name) or []), None))
        and not str(last.get("sourceType") or "").startswith(BY_KEY)
        and not differs(config, name, last.get("value"), left)
    ]


def _count(portal: Portal, records: dict[str, Pairs], choose: Choice, outcome: Outcome) -> None:
    names = sorted({name for pairs in records.values() for name in pairs})
    there = {c["id"]: c.get("properties") or {} for c in portal.read_companies(list(records), names)}
    for record, pairs in records.items():
        todo, kept = choose(pairs, there[record]) if record in there else ({}, ["gone"])
        outcome.written += bool(todo)
        outcome.kept += bool(kept) and not todo
        outcome.already += not todo and not kept
        if kept:
            outcome.say(record, f"changed since: {', '.join(kept)}")
