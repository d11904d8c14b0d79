"""Carrying a plan out. Old values are on disk before HubSpot is asked to change them.

Whatever stops a run, the same command again does the rest: every record is read before it is written, what has its new value
already is left alone, and so is what somebody else changed meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import groupby, islice
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb

from icp_refinery.hubspot.client import BATCH, Portal
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.errors import HubSpotError, Json, PlanError, Unsure
from icp_refinery.hubspot.journal import (
    Journal,
    alone,
    alone_at,
    first_line,
    journal_of,
    object_of,
    portals_of,
    read_lines,
    utc_now,
    written_before,
)
from icp_refinery.hubspot.objects import OBJECT_TYPES, ObjectType
from icp_refinery.hubspot.pace import in_order
from icp_refinery.hubspot.plan import Progress, header, read_plan, where_they_are
from icp_refinery.hubspot.schema import ATTEMPTS, differs, prepare_schema

# More than so many records refused, and more than half of all: it is no matter of single records.
REFUSED = 100

Values = dict[str, str]
Pairs = dict[str, list[str]]
Batch = tuple[ObjectType, dict[str, Pairs]]
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
    _lock: Any = field(default_factory=Lock, repr=False, compare=False)

    def add(self, written: int = 0, already: int = 0, kept: int = 0, refused: int = 0) -> None:
        """Counts more records; several threads may do so."""
        with self._lock:
            self.written += written
            self.already += already
            self.kept += kept
            self.refused += refused

    def say(self, record: str, reason: str) -> None:
        """Keeps a line for a person to read."""
        if len(self.said) < 100:
            self.said.append(f"{record}: {reason}")


def check_plan(
    portal: Portal, manifest: Json, config: Config, path: Path, max_changes: int | None, max_clears: int | None
) -> tuple[Json, Json]:
    """The plan's first and last line. Raises PlanError where it is stale, or changes more than allowed."""
    plan, summary = read_plan(path)
    now = header(portal, manifest, config)
    for key, words in (
        ("portal_id", "it is for another portal than the token's"),
        ("api_version", "the API version has been changed"),
        ("published_at", "newer marts have been published"),
        ("as_of", "newer marts have been published"),
        ("objects", "the setting objects has been changed"),
        ("id_properties", "the setting id_properties has been changed"),
        ("properties", "the names of the properties have been changed"),
        ("native", "the native properties have been changed"),
        ("clearing", "the setting clearing has been changed"),
        ("human_edits", "the setting human_edits has been changed"),
    ):
        if plan.get(key) != now[key]:
            raise PlanError(f"The plan of {plan.get('made_at')} no longer holds: {words}. Run `icp hubspot diff` again.")
    others = portals_of(path.parent) - {now["portal_id"]}
    if others and config.portal_id is None:
        raise PlanError(
            f"The journals in {path.parent} are of portal {', '.join(map(str, sorted(others)))}, the token is of portal "
            f"{now['portal_id']}. Nothing is written. If this is meant, name it in activation/hubspot.yml (portal_id)."
        )
    problem = too_much(plan, summary, config, max_changes, max_clears)
    if problem:
        raise PlanError(problem)
    return plan, summary


def too_much(
    plan: Json, summary: Json, config: Config, max_changes: int | None = None, max_clears: int | None = None
) -> str | None:
    """Why a plan must not be carried out, if so: the limits hold for each object.

    Unless said otherwise, not more may be cleared than keep a value.
    """
    for of, counted in summary["objects"].items():
        problem = _too_much(of, plan["records"][of], counted, config, max_changes, max_clears)
        if problem:
            return problem
    return None


def _too_much(
    of: str, records: int, counted: Json, config: Config, max_changes: int | None, max_clears: int | None
) -> str | None:
    max_changes = config.max_changes if max_changes is None else max_changes
    why = "max_clears"
    if max_clears is None:
        max_clears = min(config.max_clears, counted["keep"])
        why = "max_clears" if max_clears == config.max_clears else "keep a value"
    if counted["cleared"] and not records:
        said = f"The marts have no {OBJECT_TYPES[of].singular} with values at all, and all values in HubSpot would be cleared."
        return f"{said} Nothing is written."
    if counted["unknown"] > counted["found"]:
        return (
            f"Of {counted['found'] + counted['unknown']:,} {OBJECT_TYPES[of].singular} records in the marts, this portal has "
            f"{counted['found']:,}: the marts are of another company, or the token is of another portal. Nothing is written."
        )
    if counted["changes"] > max_changes:
        return (
            f"{counted['changes']:,} {of} would change, more than max_changes ({max_changes:,}). Nothing is written. "
            "If this is meant, raise it: --max-changes."
        )
    if counted["cleared"] > max_clears:
        return (
            f"{counted['cleared']:,} {of} left the marts and would be cleared, more than {why} ({max_clears:,}). "
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
    with ExitStack() as locks:
        locks.enter_context(alone(path.parent))
        plan, summary = check_plan(
            portal,
            manifest,
            config,
            path,
            max_changes,
            max_clears,
        )
        locks.enter_context(alone_at(plan["portal_id"]))
        outcome = Outcome()
        journal_path = journal_of(path, plan["made_at"])
        steps = list(read_lines(path, "schema"))
        if not steps and not summary["changes"]:
            return outcome, journal_path
        before = written_before(journal_path)
        journal = Journal(journal_path, first_line(plan["portal_id"], f"plan of {plan['made_at']}"))
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

            def write(batch: Batch) -> int:
                kind, records = batch
                left = {record: set_ for record, set_ in records.items() if (kind.name, record) not in before}
                outcome.add(already=len(records) - len(left))
                write_batch(portal, journal, kind, left, choose, outcome, [changed_on])
                return len(records)

            done = 0
            for count in in_order(write, _batches(read_lines(path, "change")), portal.calls_at_once):
                done += count
                progress(done, summary["changes"])
        finally:
            journal.close()
    return outcome, journal_path


def _batches(changes: Iterable[Json]) -> Iterator[Batch]:
    """At most 100 records of one object at a time."""
    for of, lines in groupby(changes, object_of):
        while batch := {line["record_id"]: line["set"] for line in islice(lines, BATCH)}:
            yield OBJECT_TYPES[of], batch


def write_batch(
    portal: Portal,
    journal: Journal,
    kind: ObjectType,
    records: dict[str, Pairs],
    choose: Choice,
    outcome: Outcome,
    also_read: list[str],
) -> None:
    """Writes at most 100 records: reads them, journals what they have, writes; looks again where it may not have worked."""
    pending = dict(records)
    result = {"kind": "result", "object": kind.name}
    sent: set[str] = set()
    told: set[str] = set()
    for attempt in range(ATTEMPTS):
        if not pending:
            return
        names = sorted({name for pairs in pending.values() for name in pairs} | set(also_read))
        there = {r["id"]: r.get("properties") or {} for r in portal.read_records(kind.name, list(pending), names)}
        todo: dict[str, Pairs] = {}
        reasons: dict[str, str] = {}
        gone = [record for record in pending if record not in there]
        reasons |= where_they_are(portal, kind, gone)
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
        outcome.add(written=len(after_all), already=len(settled) - len(after_all))
        reasons = {record: reason for record, reason in reasons.items() if record not in told}
        for record, reason in reasons.items():
            outcome.say(kind.said(record), reason)
        outcome.add(kept=len(reasons.keys() - todo.keys()))
        told |= reasons.keys()
        if reasons or settled:
            # What a run before this one wrote, and did not live to say, counts as written too: it is not written again.
            journal.put(result | {"at": utc_now(), "written": settled, "kept": reasons, "refused": {}})
        pending = {record: pending[record] for record in todo}
        if not todo:
            return
        journal.put({"kind": "batch", "object": kind.name, "at": utc_now(), "records": todo})
        sent |= todo.keys()
        try:
            values = {record: {name: new for name, (_, new) in pairs.items()} for record, pairs in todo.items()}
            written, refused = portal.update_records(kind.name, values)
        except Unsure:
            if attempt + 1 < ATTEMPTS:
                portal.pause(attempt)
                continue
            raise
        journal.put(result | {"at": utc_now(), "written": sorted(written), "kept": {}, "refused": refused})
        outcome.add(written=len(written), refused=len(refused))
        for record, reason in refused.items():
            outcome.say(kind.said(record), f"HubSpot refuses: {reason}")
        if outcome.refused > REFUSED and outcome.refused > outcome.written:
            last = next(iter(refused.values()))
            raise HubSpotError(
                f"Stopped: HubSpot refused {outcome.refused:,} records, and took {outcome.written:,}. The last: {last}"
            )
        return
