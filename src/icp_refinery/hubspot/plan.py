"""What would change in HubSpot, and why: read from the published marts and the portal, written down as JSON lines.

The lines of a plan have a `kind`: first `plan`, then by object `schema` (groups, properties and options to create), `change` and
`withheld` by record, then `list`, and at the end `summary`. A file without its summary is not a whole plan.
"""

import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice, starmap
from pathlib import Path
from typing import Any

import duckdb

from icp_refinery.hubspot.client import BATCH, Portal
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.errors import Json, PlanError
from icp_refinery.hubspot.journal import alone, open_private, read_lines
from icp_refinery.hubspot.objects import COMPANIES, WITHHELD, ObjectType, Wanted, types_of, wanted_records
from icp_refinery.hubspot.overview import Overview
from icp_refinery.hubspot.pace import in_order
from icp_refinery.hubspot.pages import all_records
from icp_refinery.hubspot.schema import Natives, natives, same, schema_steps, segment_names

PLAN_FORMAT = 4
PAGES_A_QUERY = 10  # of HubSpot's pages, of the marts
RECORD_ID = re.compile(r"[1-9][0-9]{0,18}")
# Where a value came from, in HubSpot's history: a key or an app wrote it, as this project does. All else counts as a person.
BY_KEY = ("INTEGRATION", "API", "MERGE")
UNKNOWN = "unknown to this portal: deleted for good, or the id of another portal"
TWICE = "several records of this portal have its id in {}: it is not clear which is meant"

Progress = Callable[[int, int | None], None]


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


def keep_what_people_set(portal: Portal, kind: ObjectType, pending: list[Json], config: Config) -> list[Json]:
    """Takes out of `pending` changes what a person last set in HubSpot, and returns that as withheld."""
    names = sorted({name for change in pending for name, (old, _) in change["set"].items() if old})
    if not names or config.human_edits == "overwrite":
        return []
    ids = [change["record_id"] for change in pending if any(old for old, _ in change["set"].values())]
    history = portal.read_history(kind.name, ids, names)
    kept = []
    for change in pending:
        for name, (old, _) in list(change["set"].items()):
            last = next(iter(history.get(change["record_id"], {}).get(name) or []), None)
            source = str((last or {}).get("sourceType") or "")
            if not old or source.startswith(BY_KEY):
                continue
            del change["set"][name]
            where = f"{source}, {str(last.get('timestamp', ''))[:10]}" if source else "its history does not say by whom"
            reason = f"{name} was set to {old!r} in HubSpot ({where}): kept"
            kept.append(_record("withheld", kind, change["record_id"], change["account_id"], change["name"]) | {"reason": reason})
    return kept


def _record(line: str, kind: ObjectType, record: str, account: str | None, name: str | None) -> Json:
    return {"kind": line, "object": kind.name, "record_id": record, "account_id": account, "name": name}


def _why(change: Json, wanted: Wanted | None, config: Config) -> tuple[str, str]:
    """Why a record changes, in words, and with what moves its score."""
    if wanted is None:
        return "no longer in the marts", "no longer in the marts"
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
    elif names["icp_role"] in set_ or names["icp_role_fit"] in set_:
        what = "other role"
    elif names["icp_nurture_group"] in set_:
        what = "nurture group"
    elif names["icp_disagreement"] in set_:
        what = "worked by others, or by nobody"
    else:
        what = "native property"
    reasons = wanted.values.get("icp_reasons")
    return what, f"{what}: {reasons}" if reasons else what


def record_lines(
    portal: Portal,
    marts: duckdb.DuckDBPyConnection,
    kind: ObjectType,
    config: Config,
    portal_properties: dict[str, Json],
    opted_in: Natives,
    counts: Counter[str],
    progress: Progress = lambda done, total: None,
) -> Iterator[Json]:
    """The `change` and `withheld` lines of an object: all its records are read once, 100 a call, beside what the marts say.

    A record that has values of ours and is not in the marts is cleared, unless the configuration says `clearing: keep`.
    `counts` gets how many records of the marts were `found`, also as merged or archived ones, how many are `unknown` to the
    portal, and how many records `keep` a value that they have.
    """
    names = [config.properties[ours] for ours in kind.values]
    id_property = config.id_properties.get(kind.name)
    if id_property and id_property not in portal_properties:
        raise PlanError(f"This portal has no {kind.singular} property {id_property}: correct id_properties.")
    also = [name for name in (id_property, kind.closed, *opted_in.options) if name]
    read = [name for name in [*names, *also] if name in portal_properties]
    seen: set[str] = set()

    def with_marts() -> Iterator[tuple[list[Json], dict[str, Wanted]]]:
        """The pages, each with what the marts say of its records."""
        pages = all_records(portal, kind.name, read)
        while some := list(islice(pages, PAGES_A_QUERY)):
            keys = [_key(record, id_property) for page in some for record in page]
            known = wanted_records(marts, kind, list(filter(None, keys)))
            while some:
                yield some.pop(0), known

    def changes_on(page: list[Json], known: dict[str, Wanted]) -> tuple[list[Json], list[Json], dict[str, Wanted | None]]:
        """The lines of a page that are withheld, those that would change, and what is wanted of these."""
        withheld, pending, reasons = [], [], {}
        for record in page:
            key = _key(record, id_property)
            values = record.get("properties") or {}
            wanted = known.get(key)
            stale = wanted is None
            has_values = any(values.get(name) for name in names)
            if wanted is None:
                if config.clearing == "keep" or not has_values:
                    continue
                wanted = Wanted(None, None, None, dict.fromkeys(kind.values, ""))
            else:
                if key in seen:
                    if id_property:
                        line = _record("withheld", kind, record["id"], wanted.account_id, wanted.name)
                        withheld.append(line | {"reason": TWICE.format(id_property), "twice": key})
                    continue
                seen.add(key)
                counts["found"] += 1
                counts["keep"] += has_values
                if wanted.is_closed or (kind.closed and values.get(kind.closed) == "true"):
                    continue
            line = _record("change", kind, record["id"], wanted.account_id, wanted.name)
            if wanted.withheld:
                withheld.append(line | {"kind": "withheld", "reason": wanted.withheld})
                continue
            changes, kept = changes_of(record, wanted, config, opted_in)
            withheld += [line | {"kind": "withheld", "reason": reason} for reason in kept]
            if changes:
                pending.append(line | {"is_cleared": stale, "set": changes} | ({"key": key} if id_property else {}))
                reasons[record["id"]] = None if stale else wanted
        return withheld, pending, reasons

    def with_history(page: tuple[list[Json], list[Json], dict[str, Wanted | None]]) -> Any:
        withheld, pending, reasons = page
        return withheld + keep_what_people_set(portal, kind, pending, config), pending, reasons

    done = 0
    for withheld, pending, reasons in in_order(with_history, starmap(changes_on, with_marts()), portal.calls_at_once):
        yield from withheld
        for change in pending:
            if change["set"]:
                wanted = reasons[change["record_id"]]
                what, words = _why(change, wanted, config)
                yield change | {"tier": wanted.values["icp_tier"] if wanted else "", "why": what, "reason": words}
        done += BATCH
        progress(done, None)
    yield from _not_found(portal, marts, kind, id_property, seen, counts)


def _key(record: Json, id_property: str | None) -> str:
    """What a record is found by in the marts: its id, or what a property of it holds."""
    return str((record.get("properties") or {}).get(id_property) or "").strip() if id_property else record["id"]


def _not_found(
    portal: Portal,
    marts: duckdb.DuckDBPyConnection,
    kind: ObjectType,
    id_property: str | None,
    seen: set[str],
    counts: Counter[str],
) -> Iterator[Json]:
    """The records of the marts that the portal does not list, with why: merged, archived, unknown."""
    cursor = marts.cursor().execute(f"select distinct key from ({kind.rows}) where not is_closed order by 1")
    while rows := cursor.fetchmany(10_000):
        missing = [key for (key,) in rows if key not in seen]
        for start in range(0, len(missing), BATCH):
            keys = missing[start : start + BATCH]
            known = wanted_records(marts, kind, keys)
            if id_property:
                reasons = dict.fromkeys(keys, f"no {kind.singular} of this portal has its id in {id_property}")
            else:
                reasons = where_they_are(portal, kind, [k for k in keys if RECORD_ID.fullmatch(k) and not known[k].withheld])
            counts["unknown"] += sum(reason == UNKNOWN for reason in reasons.values())
            counts["found"] += sum(reason != UNKNOWN for reason in reasons.values())
            for key in keys:
                wanted = known[key]
                reason = wanted.withheld or reasons.get(key) or WITHHELD["not_a_record_id"]
                yield _record("withheld", kind, key, wanted.account_id, wanted.name) | {"reason": reason}


def where_they_are(portal: Portal, kind: ObjectType, ids: Sequence[str]) -> dict[str, str]:
    """Why records are not to be found under these ids. A merged one is answered by its survivor, under another id."""
    if not ids:
        return {}
    answers = portal.read_records(kind.name, ids, ["hs_merged_object_ids"])
    survivors = {
        merged.strip(): record["id"]
        for record in answers
        for merged in str((record.get("properties") or {}).get("hs_merged_object_ids") or "").split(";")
    }
    live = {record["id"] for record in answers}
    missing = [i for i in ids if i not in live]
    archived = {record["id"] for record in portal.read_records(kind.name, missing, [], archived=True)} if missing else set()
    reasons = {}
    for record in ids:
        if record in live:
            reasons[record] = "came into HubSpot while it was read: it waits for the next run"
        elif record in survivors:
            where = "name that record in account_external_ids" if kind is COMPANIES else "the next load brings it"
            reasons[record] = f"merged into {survivors[record]} in HubSpot: {where}"
        elif record in archived:
            reasons[record] = "archived in HubSpot"
        else:
            reasons[record] = UNKNOWN
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
    counts: dict[str, Counter[str]] = {of: Counter() for of in config.objects}
    totals: Counter[str] = Counter()
    twice: set[tuple[str, str]] = set()
    overview = Overview()
    # A plan must not change under the run that carries it out.
    with alone(path.parent):
        with open_private(partial, "w", encoding="utf-8", errors="backslashreplace") as file:

            def put(line: Json) -> None:
                if "twice" in line:
                    twice.add((line["object"], line["twice"]))
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                totals[line["kind"]] += 1
                overview.add(line)
                if "object" in line and line["kind"] != "list":
                    counts[line["object"]][line["kind"]] += 1
                    counts[line["object"]]["cleared"] += line.get("is_cleared", False)

            kinds = types_of(config)
            records = {}
            for kind in kinds:
                known = f"select count(*) from ({kind.rows}) where withheld_reason is null and not is_closed"
                [(records[kind.name],)] = marts.execute(known).fetchall()
            put(header(portal, manifest, config, now) | {"records": records})
            segments = segment_names(marts)
            there = {kind: portal.properties(kind.name) for kind in kinds}
            for kind in kinds:
                for step in schema_steps(kind, there[kind], portal.groups(kind.name), config, segments):
                    put(step)
            for kind in kinds:
                opted_in = natives(there[kind], config) if kind is COMPANIES else Natives({})
                for reason in opted_in.missing:
                    put(_record("withheld", kind, "", None, None) | {"reason": reason})
                for line in record_lines(portal, marts, kind, config, there[kind], opted_in, counts[kind.name], progress):
                    put(line)
            for line in lists:
                put(line)
        if twice:
            overview = _withhold(partial, twice, config, counts)
        names = {"changes": "change", "cleared": "cleared", "withheld": "withheld", "schema": "schema"}
        names |= {name: name for name in ("found", "unknown", "keep")}
        objects = {of: {name: counted[key] for name, key in names.items()} for of, counted in counts.items()}
        summary = {"kind": "summary", "objects": objects, "lists": totals["list"], "overview": overview.as_json()}
        summary |= {name: sum(counted[name] for counted in objects.values()) for name in names}
        with open_private(partial, "a", encoding="utf-8") as file:
            file.write(json.dumps(summary) + "\n")
        partial.replace(path)
    return summary


def _withhold(plan: Path, twice: set[tuple[str, str]], config: Config, counts: dict[str, Counter[str]]) -> Overview:
    """Takes the changes of records out of a plan whose id another record of the portal has too, and counts it anew."""
    overview = Overview()
    kept = plan.with_name(plan.name + ".kept")
    with open_private(kept, "w", encoding="utf-8", errors="backslashreplace") as file:
        for line in read_lines(plan):
            if line["kind"] == "change" and (line["object"], line.get("key")) in twice:
                counted = counts[line["object"]]
                counted.subtract({"change": 1, "cleared": line["is_cleared"], "withheld": -1})
                line = {key: line[key] for key in ("object", "record_id", "account_id", "name")}
                line = {"kind": "withheld"} | line | {"reason": TWICE.format(config.id_properties[line["object"]])}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            overview.add(line)
    kept.replace(plan)
    return overview


def header(portal: Portal, manifest: Json, config: Config, now: datetime | None = None) -> Json:
    """What a plan rests on. Where one of these has changed, the plan is not to be carried out any more."""
    return {
        "kind": "plan",
        "format": PLAN_FORMAT,
        "made_at": (now or datetime.now(UTC)).isoformat(timespec="microseconds"),
        "portal_id": own_portal(portal, config),
        "api_version": config.api_version,
        "published_at": manifest.get("published_at"),
        "as_of": manifest.get("as_of"),
        "objects": config.objects,
        "id_properties": config.id_properties,
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
    if not isinstance(first, dict) or first.get("kind") != "plan" or first.get("format") != PLAN_FORMAT:
        raise PlanError(f"{path} is not a plan of this version: run `icp hubspot diff` again.")
    if last.get("kind") != "summary":
        raise PlanError(f"{path} is not a whole plan: run `icp hubspot diff` again.")
    return first, last
