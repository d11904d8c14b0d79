"""Carrying a plan out. Old values are on disk before HubSpot is asked to change them.

Whatever stops a run, the same command again does the rest: every record is read before it is written, what has its new value
already is left alone, and so is what somebody else changed meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path

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
    portals_of,
    read_lines,
    utc_now,
    written_before,
)
from icp_refinery.hubspot.plan import Progress, header, read_plan, where_they_are
from icp_refinery.hubspot.schema import ATTEMPTS, differs, prepare_schema

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
    """Why a plan must not be carried out, if so. Unless said otherwise, not more may be cleared than keep a value."""
    max_changes = config.max_changes if max_changes is None else max_changes
    why = "max_clears"
    if max_clears is None:
        max_clears = min(config.max_clears, summary["keep"])
        why = "max_clears" if max_clears == config.max_clears else "keep a value"
    if summary["cleared"] and not plan["companies"]:
        return "The marts have no company with values at all, and all values in HubSpot would be cleared. Nothing is written."
    if summary["unknown"] > summary["found"]:
        return (
            f"Of {summary['found'] + summary['unknown']:,} company records in the marts, this portal has {summary['found']:,}: "
            "the marts are of another company, or the token is of another portal. Nothing is written."
        )
    if summary["changes"] > max_changes:
        return (
            f"{summary['changes']:,} companies would change, more than max_changes ({max_changes:,}). Nothing is written. "
            "If this is meant, raise it: --max-changes."
        )
    if summary["cleared"] > max_clears:
        return (
            f"{summary['cleared']:,} companies left the marts and would be cleared, more than {why} ({max_clears:,}). "
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
            journal.put({"kind": "result", "at": utc_now(), "written": settled, "kept": reasons, "refused": {}})
        pending = {record: pending[record] for record in todo}
        if not todo:
            return
        journal.put({"kind": "batch", "at": utc_now(), "records": todo})
        sent |= todo.keys()
        try:
            values = {record: {name: new for name, (_, new) in pairs.items()} for record, pairs in todo.items()}
            written, refused = portal.update_companies(values)
        except Unsure:
            if attempt + 1 < ATTEMPTS:
                portal.pause(attempt)
                continue
            raise
        journal.put({"kind": "result", "at": utc_now(), "written": sorted(written), "kept": {}, "refused": refused})
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
