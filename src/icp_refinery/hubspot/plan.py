"""What would change in HubSpot, and why: read from the published marts and the portal, written down as JSON lines.

The lines of a plan have a `kind`: first `plan`, then `schema` (groups, properties and options to create), `change` and `withheld`
by company, `list`, and at the end `summary`. A file without its summary is not a whole plan.
"""

import fcntl
import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import duckdb

from icp_refinery.hubspot.client import BATCH, Json, Portal
from icp_refinery.hubspot.config import Config

FORMAT = 1
RECORD_ID = re.compile(r"[1-9][0-9]{0,18}")
LONGEST_TEXT = 65_000
# Where a value came from, in HubSpot's history: a key or an app wrote it, as this project does. All else counts as a person.
BY_KEY = ("INTEGRATION", "API", "MERGE")

TYPES = {
    "icp_tier": (
        "enumeration",
        "select",
        "ICP tier",
        "How good the customers of its segment are, as learned from orders.",
    ),
    "icp_segment": ("enumeration", "select", "ICP segment", "The segment of the ideal customer profile that the company is in."),
    "icp_fit_score": (
        "number",
        "number",
        "ICP fit score",
        "0 to 100: how much it is like those that became good customers.",
    ),
    "icp_reasons": ("string", "textarea", "ICP reasons", "What moves the fit score most, in words and points."),
    "icp_changed_on": ("date", "date", "ICP changed on", "The day (UTC) on which one of the ICP properties last changed."),
}
VALUES = ("icp_tier", "icp_segment", "icp_fit_score", "icp_reasons")
TIERS = {"tier_1": "Tier 1", "tier_2": "Tier 2", "tier_3": "Tier 3", "deprioritized": "Deprioritized"}
WITHHELD = {
    "claimed_by_several_accounts": "several accounts name this record: it is not clear whose values it should have",
    "not_a_record_id": "not a HubSpot record id",
}

Progress = Callable[[int, int | None], None]


class PlanError(Exception):
    """What stands in the way of a plan, or of carrying it out."""


@dataclass
class Wanted:
    """What the marts say of one company record; no values where it is withheld."""

    account_id: str | None
    name: str | None
    withheld: str | None
    values: dict[str, str]


@dataclass
class Natives:
    """HubSpot's own properties that are opted in: the option of each tier, as far as the portal has it."""

    options: dict[str, dict[str, str]]
    missing: list[str] = field(default_factory=list)


def read_lines(path: Path, kind: str = "") -> Iterator[Json]:
    """The lines of a plan or journal, or those of one kind; a last line that was cut off is left out.

    Raises PlanError at a line that is none, wherever it is.
    """
    # It comes first in every line, so that the others need not be parsed.
    start = f'{{"kind": "{kind}"' if kind else ""
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n") and line.startswith(start):
                    yield json.loads(line)
    except ValueError as problem:
        raise PlanError(f"{path} is damaged: {problem}. Nothing is done with it.") from None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Only one run at a time in this folder; the lock goes with the process that held it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PlanError(f"Another run is at work in {folder}: wait for its end.") from None
        yield


def same(name: str, one: str | None, other: str | None) -> bool:
    """Whether two values are the same to HubSpot: 72 and 72.0 are, null and empty, and texts that differ in blanks."""
    first, second = " ".join((one or "").split()), " ".join((other or "").split())
    if first == second:
        return True
    if TYPES.get(name, ("",))[0] == "number" and first and second:
        with suppress(InvalidOperation):
            return Decimal(first) == Decimal(second)
    return False


def differs(config: Config, name: str, one: str | None, other: str | None) -> bool:
    """As `same`, for a property by its name in HubSpot."""
    ours = {there: here for here, there in config.properties.items()}
    return not same(ours.get(name, name), one, other)


def schema_steps(
    portal_properties: dict[str, Json], groups: Iterable[str], config: Config, segments: dict[str, str]
) -> list[Json]:
    """What has to be created before values can be written: a group, properties, options. Nothing is changed or taken away.

    Raises PlanError where a property of that name is of another type, or in another group than ours: others made it.
    """
    steps: list[Json] = []
    if config.group_name not in groups:
        steps.append({"kind": "schema", "action": "create_group", "name": config.group_name, "label": config.group_label})
    wanted_options = {"icp_tier": TIERS, "icp_segment": segments}
    for ours, (kind, field_type, label, description) in TYPES.items():
        name = config.properties[ours]
        known = portal_properties.get(name)
        options = wanted_options.get(ours, {})
        if known is None:
            body = {"name": name, "label": label, "description": description, "groupName": config.group_name}
            body |= {"type": kind, "fieldType": field_type}
            if ours in wanted_options:
                body["options"] = _options(options, [])
            steps.append({"kind": "schema", "action": "create_property", "name": name, "body": body})
            continue
        if known.get("type") != kind:
            raise PlanError(
                f"The company property {name} is there already, as {known.get('type')} in place of {kind}. "
                "Give ours another name in activation/hubspot.yml (properties), or archive that one."
            )
        if known.get("groupName") != config.group_name:
            raise PlanError(
                f"The company property {name} is there already, in the group {known.get('groupName')}: it is not taken for ours. "
                f"If it is, move it into the group {config.group_name}; else give ours another name in activation/hubspot.yml."
            )
        if (known.get("modificationMetadata") or {}).get("readOnlyValue"):
            raise PlanError(f"The company property {name} is read-only in HubSpot.")
        missing = {value: text for value, text in options.items() if value not in _values(known)}
        if missing:
            options_there = known.get("options") or []
            added = _options(missing, options_there)
            steps.append({"kind": "schema", "action": "add_options", "name": name, "options": added})
    return steps


def _values(known: Json) -> set[str]:
    return {option["value"] for option in known.get("options") or []}


def _options(wanted: dict[str, str], there: Sequence[Json]) -> list[Json]:
    """Options to add; HubSpot wants their labels to differ."""
    labels = {str(option.get("label", "")).casefold() for option in there}
    added = []
    for order, (value, text) in enumerate(wanted.items(), start=len(there)):
        label = " ".join(text.split()) or value
        if label.casefold() in labels:
            label = f"{label} ({value})"
        labels.add(label.casefold())
        added.append({"label": label, "value": value, "displayOrder": order, "hidden": False})
    return added


def natives(portal_properties: dict[str, Json], config: Config) -> Natives:
    """The native properties that are opted in, with the options that this portal has."""
    found = Natives({})
    for name, options in config.native.items():
        known = portal_properties.get(name)
        if known is None:
            found.missing.append(f"{name}: this portal has no such property")
            continue
        there = _values(known)
        found.options[name] = {tier: option for tier, option in options.items() if option in there}
        found.missing += [
            f"{name}: this portal has no option {option} (for {tier})" for tier, option in options.items() if option not in there
        ]
    return found


def segment_names(marts: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The name of each segment that a company may be in."""
    rows = marts.execute("select segment_id, segment_name from marts.icp_segments order by segment_id").fetchall()
    return {segment: name or segment for segment, name in rows}


def wanted_companies(marts: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, Wanted]:
    """What the marts say of these company records."""
    rows = marts.execute(
        """
        select
            hubspot_company_id, account_id, account_name, withheld_reason, icp_tier, icp_segment, icp_fit_score, icp_reasons
        from marts.sync_hubspot_companies
        where hubspot_company_id in (select unnest(?))
        """,
        [list(ids)],
    ).fetchall()
    found: dict[str, Wanted] = {}
    for record, account, name, withheld, *values in rows:
        if record in found:
            withheld = "claimed_by_several_accounts"
        texts = {
            ours: ("" if value is None else str(value).strip()[:LONGEST_TEXT]) for ours, value in zip(VALUES, values, strict=True)
        }
        found[record] = Wanted(account, name, WITHHELD.get(withheld, withheld), {} if withheld else texts)
    return found


def changes_of(current: Json, wanted: Wanted, config: Config, opted_in: Natives) -> tuple[dict[str, list[str]], list[str]]:
    """The properties that would change, each with its old and new value; and what is kept, in words.

    A native property is ours to change where it is empty or has what the tier that we wrote before stands for.
    """
    there = {name: value or "" for name, value in (current.get("properties") or {}).items()}
    changes: dict[str, list[str]] = {}
    kept: list[str] = []
    for ours, value in wanted.values.items():
        name = config.properties[ours]
        if not same(ours, there.get(name), value):
            changes[name] = [there.get(name, ""), value]
    tier_name = config.properties["icp_tier"]
    for name, options in opted_in.options.items():
        value, now = options.get(wanted.values["icp_tier"], ""), there.get(name, "")
        if now == value:
            continue
        is_ours = now in ("", options.get(there.get(tier_name, ""), ""))
        if is_ours or config.human_edits == "overwrite":
            changes[name] = [now, value]
        else:
            kept.append(f"{name} is {now!r}, which was not written by us: kept")
    return changes, kept


def keep_what_people_set(portal: Portal, pending: list[Json], config: Config) -> Iterator[Json]:
    """Takes out of `pending` changes what a person last set in HubSpot, and yields that as withheld."""
    names = sorted({name for change in pending for name, (old, _) in change["set"].items() if old})
    if not names or config.human_edits == "overwrite":
        return
    history = portal.read_history([c["hubspot_company_id"] for c in pending if any(old for old, _ in c["set"].values())], names)
    for change in pending:
        for name, (old, _) in list(change["set"].items()):
            last = next(iter(history.get(change["hubspot_company_id"], {}).get(name) or []), None)
            source = str((last or {}).get("sourceType") or "")
            if not old or source.startswith(BY_KEY):
                continue
            del change["set"][name]
            where = f"{source}, {str(last.get('timestamp', ''))[:10]}" if source else "its history does not say by whom"
            reason = f"{name} was set to {old!r} in HubSpot ({where}): kept"
            yield _company("withheld", change["hubspot_company_id"], change["account_id"], change["name"]) | {"reason": reason}


def _company(kind: str, record: str, account: str | None, name: str | None) -> Json:
    return {"kind": kind, "hubspot_company_id": record, "account_id": account, "name": name}


def _why(change: Json, wanted: Wanted | None, config: Config) -> str:
    """Why a company changes, in words."""
    if wanted is None:
        return "no longer in the marts"
    names = config.properties
    set_ = change["set"]
    if names["icp_segment"] in set_ and not set_[names["icp_segment"]][0]:
        what = "first values"
    elif names["icp_segment"] in set_:
        what = "other segment"
    elif names["icp_tier"] in set_:
        what = "its segment has another tier"
    elif names["icp_fit_score"] in set_:
        what = "other score"
    elif names["icp_reasons"] in set_:
        what = "other reasons"
    else:
        what = "native property"
    return f"{what}: {wanted.values['icp_reasons']}" if wanted.values["icp_reasons"] else what


def company_lines(
    portal: Portal,
    marts: duckdb.DuckDBPyConnection,
    config: Config,
    portal_properties: dict[str, Json],
    opted_in: Natives,
    progress: Progress = lambda done, total: None,
) -> Iterator[Json]:
    """The `change` and `withheld` lines: all companies of the portal are read once, 100 a call, beside what the marts say.

    A company that has values of ours and is not in the marts is cleared, unless the configuration says `clearing: keep`.
    """
    names = [config.properties[ours] for ours in VALUES]
    read = [name for name in [*names, *opted_in.options] if name in portal_properties]
    seen: set[str] = set()
    done = 0
    for page in portal.all_companies(read):
        known = wanted_companies(marts, [company["id"] for company in page])
        pending: list[Json] = []
        reasons: dict[str, Wanted | None] = {}
        for company in page:
            record = company["id"]
            if record in seen:
                continue
            wanted = known.get(record)
            stale = wanted is None
            if wanted is None:
                if config.clearing == "keep" or not any((company.get("properties") or {}).get(name) for name in names):
                    continue
                wanted = Wanted(None, None, None, dict.fromkeys(VALUES, ""))
            else:
                seen.add(record)
            line = _company("change", record, wanted.account_id, wanted.name)
            if wanted.withheld:
                yield line | {"kind": "withheld", "reason": wanted.withheld}
                continue
            changes, kept = changes_of(company, wanted, config, opted_in)
            for reason in kept:
                yield line | {"kind": "withheld", "reason": reason}
            if changes:
                pending.append(line | {"is_cleared": stale, "set": changes})
                reasons[record] = None if stale else wanted
        yield from keep_what_people_set(portal, pending, config)
        for change in pending:
            if change["set"]:
                yield change | {"reason": _why(change, reasons[change["hubspot_company_id"]], config)}
        done += len(page)
        progress(done, None)
    yield from _not_found(portal, marts, seen)


def _not_found(portal: Portal, marts: duckdb.DuckDBPyConnection, seen: set[str]) -> Iterator[Json]:
    """The records of the marts that the portal does not list, with why: merged, archived, unknown."""
    cursor = marts.cursor().execute("select distinct hubspot_company_id from marts.sync_hubspot_companies order by 1")
    while rows := cursor.fetchmany(10_000):
        missing = [record for (record,) in rows if record not in seen]
        for start in range(0, len(missing), BATCH):
            ids = missing[start : start + BATCH]
            known = wanted_companies(marts, ids)
            reasons = where_they_are(portal, [i for i in ids if RECORD_ID.fullmatch(i) and not known[i].withheld])
            for record in ids:
                wanted = known[record]
                reason = wanted.withheld or reasons.get(record) or WITHHELD["not_a_record_id"]
                yield _company("withheld", record, wanted.account_id, wanted.name) | {"reason": reason}


def where_they_are(portal: Portal, ids: Sequence[str]) -> dict[str, str]:
    """Why companies are not to be found under these ids. A merged one is answered by its survivor, under another id."""
    if not ids:
        return {}
    answers = portal.read_companies(ids, ["hs_merged_object_ids"])
    survivors = {
        merged.strip(): company["id"]
        for company in answers
        for merged in str((company.get("properties") or {}).get("hs_merged_object_ids") or "").split(";")
    }
    live = {company["id"] for company in answers}
    missing = [i for i in ids if i not in live]
    archived = {company["id"] for company in portal.read_companies(missing, [], archived=True)} if missing else set()
    reasons = {}
    for record in ids:
        if record in live:
            reasons[record] = "came into HubSpot while it was read: it waits for the next run"
        elif record in survivors:
            reasons[record] = f"merged into {survivors[record]} in HubSpot: name that record in account_external_ids"
        elif record in archived:
            reasons[record] = "archived in HubSpot"
        else:
            reasons[record] = "unknown to this portal: deleted for good, or the id of another portal"
    return reasons


def write_plan(
    portal: Portal,
    marts: duckdb.DuckDBPyConnection,
    manifest: Json,
    config: Config,
    path: Path,
    lists: Iterable[Json] = (),
    progress: Progress = lambda done, total: None,
    now: datetime | None = None,
) -> Json:
    """Reads HubSpot, writes the plan to `path` and returns its summary. Nothing is written to HubSpot."""
    partial = path.with_name(path.name + ".partial")
    counts: Counter[str] = Counter()
    # A plan must not change under the run that carries it out.
    with alone(path.parent), partial.open("w", encoding="utf-8", errors="backslashreplace") as file:

        def put(line: Json) -> None:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            counts[line["kind"]] += 1
            counts["cleared"] += line.get("is_cleared", False)

        with_values = "select count(*) from marts.sync_hubspot_companies where withheld_reason is null"
        companies = marts.execute(with_values).fetchall()[0][0]
        put(header(portal, manifest, config, now) | {"companies": companies})
        portal_properties = portal.properties()
        opted_in = natives(portal_properties, config)
        for step in schema_steps(portal_properties, portal.groups(), config, segment_names(marts)):
            put(step)
        for reason in opted_in.missing:
            put(_company("withheld", "", None, None) | {"reason": reason})
        for line in company_lines(portal, marts, config, portal_properties, opted_in, progress):
            put(line)
        for line in lists:
            put(line)
        summary = {
            "kind": "summary",
            "schema": counts["schema"],
            "changes": counts["change"],
            "cleared": counts["cleared"],
            "withheld": counts["withheld"],
            "lists": counts["list"],
        }
        put(summary)
        file.flush()
        partial.replace(path)
    return summary


def header(portal: Portal, manifest: Json, config: Config, now: datetime | None = None) -> Json:
    """What a plan rests on. Where one of these has changed, the plan is not to be carried out any more."""
    return {
        "kind": "plan",
        "format": FORMAT,
        "made_at": (now or datetime.now(UTC)).isoformat(timespec="microseconds"),
        "portal_id": own_portal(portal, config),
        "api_version": config.api_version,
        "published_at": manifest.get("published_at"),
        "as_of": manifest.get("as_of"),
        "properties": config.properties,
        "native": config.native,
        "clearing": config.clearing,
        "human_edits": config.human_edits,
    }


def own_portal(portal: Portal, config: Config) -> int:
    """The portal's number. Raises PlanError where the configuration names another."""
    portal_id = portal.portal_id()
    if config.portal_id not in (None, portal_id):
        raise PlanError(f"The token is that of portal {portal_id}; activation/hubspot.yml names portal {config.portal_id}.")
    return portal_id


def read_plan(path: Path) -> tuple[Json, Json]:
    """The first and the last line of a plan. Raises PlanError where it is none, or not a whole one."""
    first: Any = None
    last: Any = None
    try:
        with path.open(encoding="utf-8") as file:
            first = json.loads(file.readline() or "null")
            ends = deque(file, maxlen=1)
            last = json.loads(ends[0]) if ends and ends[0].endswith("\n") else first
    except FileNotFoundError:
        raise PlanError(f"There is no plan {path}: run `icp hubspot diff` first.") from None
    except (ValueError, OSError) as problem:
        raise PlanError(f"{path} cannot be read as a plan: {problem}") from None
    if not isinstance(first, dict) or first.get("kind") != "plan" or first.get("format") != FORMAT:
        raise PlanError(f"{path} is no plan of this version: run `icp hubspot diff` again.")
    if last.get("kind") != "summary":
        raise PlanError(f"{path} is not a whole plan: run `icp hubspot diff` again.")
    return first, last
