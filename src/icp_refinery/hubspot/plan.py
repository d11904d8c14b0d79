"""What would change in HubSpot, and why: read from the published marts and the portal, written down as JSON lines.

The lines of a plan have a `kind`: first `plan`, then `schema` (groups, properties and options to create), `change` and `withheld`
by company, `list`, and at the end `summary`. A file without its summary is not a whole plan.
"""

import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from icp_refinery.hubspot.client import BATCH, Portal
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.errors import Json, PlanError
from icp_refinery.hubspot.journal import alone, open_private
from icp_refinery.hubspot.schema import Natives, natives, same, schema_steps, segment_names

PLAN_FORMAT = 2
RECORD_ID = re.compile(r"[1-9][0-9]{0,18}")
LONGEST_TEXT = 65_000
# Where a value came from, in HubSpot's history: a key or an app wrote it, as this project does. All else counts as a person.
BY_KEY = ("INTEGRATION", "API", "MERGE")

VALUES = ("icp_tier", "icp_segment", "icp_fit_score", "icp_reasons")
WITHHELD = {
    "claimed_by_several_accounts": "several accounts name this record: it is not clear whose values it should have",
    "not_a_record_id": "not a HubSpot record id",
}
UNKNOWN = "unknown to this portal: deleted for good, or the id of another portal"

Progress = Callable[[int, int | None], None]


@dataclass
class Wanted:
    """What the marts say of one company record; no values where it is withheld."""

    account_id: str | None
    name: str | None
    withheld: str | None
    values: dict[str, str]


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
    counts: Counter[str],
    progress: Progress = lambda done, total: None,
) -> Iterator[Json]:
    """The `change` and `withheld` lines: all companies of the portal are read once, 100 a call, beside what the marts say.

    A company that has values of ours and is not in the marts is cleared, unless the configuration says `clearing: keep`.
    `counts` gets how many records of the marts were `found`, also as merged or archived ones, how many are `unknown` to the
    portal, and how many companies `keep` a value that they have.
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
            has_values = any((company.get("properties") or {}).get(name) for name in names)
            if wanted is None:
                if config.clearing == "keep" or not has_values:
                    continue
                wanted = Wanted(None, None, None, dict.fromkeys(VALUES, ""))
            else:
                seen.add(record)
                counts["found"] += 1
                counts["keep"] += has_values
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
    yield from _not_found(portal, marts, seen, counts)


def _not_found(portal: Portal, marts: duckdb.DuckDBPyConnection, seen: set[str], counts: Counter[str]) -> Iterator[Json]:
    """The records of the marts that the portal does not list, with why: merged, archived, unknown."""
    cursor = marts.cursor().execute("select distinct hubspot_company_id from marts.sync_hubspot_companies order by 1")
    while rows := cursor.fetchmany(10_000):
        missing = [record for (record,) in rows if record not in seen]
        for start in range(0, len(missing), BATCH):
            ids = missing[start : start + BATCH]
            known = wanted_companies(marts, ids)
            reasons = where_they_are(portal, [i for i in ids if RECORD_ID.fullmatch(i) and not known[i].withheld])
            counts["unknown"] += sum(reason == UNKNOWN for reason in reasons.values())
            counts["found"] += sum(reason != UNKNOWN for reason in reasons.values())
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
    counts: Counter[str] = Counter()
    # A plan must not change under the run that carries it out.
    with (
        alone(path.parent),
        open_private(partial, "w", encoding="utf-8", errors="backslashreplace") as file,
    ):

        def put(line: Json) -> None:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            counts[line["kind"]] += 1
            counts["cleared"] += line.get("is_cleared", False)

        with_values = "select count(*) from marts.sync_hubspot_companies where withheld_reason is null"
        [(companies,)] = marts.execute(with_values).fetchall()
        put(header(portal, manifest, config, now) | {"companies": companies})
        portal_properties = portal.properties()
        opted_in = natives(portal_properties, config)
        for step in schema_steps(portal_properties, portal.groups(), config, segment_names(marts)):
            put(step)
        for reason in opted_in.missing:
            put(_company("withheld", "", None, None) | {"reason": reason})
        for line in company_lines(portal, marts, config, portal_properties, opted_in, counts, progress):
            put(line)
        for line in lists:
            put(line)
        summary = {
            "kind": "summary",
            "schema": counts["schema"],
            "changes": counts["change"],
            "cleared": counts["cleared"],
            "found": counts["found"],
            "unknown": counts["unknown"],
            "keep": counts["keep"],
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
        "format": PLAN_FORMAT,
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
    if not isinstance(first, dict) or first.get("kind") != "plan" or first.get("format") != PLAN_FORMAT:
        raise PlanError(f"{path} is not a plan of this version: run `icp hubspot diff` again.")
    if last.get("kind") != "summary":
        raise PlanError(f"{path} is not a whole plan: run `icp hubspot diff` again.")
    return first, last
