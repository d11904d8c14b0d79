"""HubSpot lists of companies and contacts: how they differ from what is there, and making them.

A list is this project's if the journal says that it made it; it is changed only while its filters and its name still are what
was written last. Nothing is ever deleted.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

import duckdb

from icp_refinery.hubspot.answers import shaped
from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.errors import Refused, Unsure
from icp_refinery.hubspot.filters import Json, Wanted, filter_branch, in_words, meaning, wanted_lists
from icp_refinery.hubspot.journal import object_of, open_private, run_folder
from icp_refinery.hubspot.objects import OBJECT_TYPES, ObjectType
from icp_refinery.hubspot.plan import own_portal

ATTEMPTS = 3
GONE = 404


# ---------------------------------------------------------------------------------------------- what would change


def plan_lists(portal: Portal, marts: duckdb.DuckDBPyConnection, config: Config, journal: Path | None = None) -> list[Json]:
    """What would be done about each list; writes nothing.

    Each is a dict: `kind` (`list`), `object`, `action` (`create`, `update`, `none`, `withheld`, `after apply`), `name`, `reason`,
    `key`, `filters` (in words), and for `apply_lists` `list_id`, `filter_branch`, `found` (what the filters meant) and
    `found_name`. Raises PlanError where the settings name another portal.
    """
    portal_id = own_portal(portal, config)
    ours = read_journal(journal, portal_id) if journal else {}
    there = {of: portal.properties(of) for of in config.objects if of != "deals"}
    wanted = wanted_lists(marts, config, there.get("companies", {}), there.get("contacts"))
    plan = [_planned(portal, one, ours.get(one.key, {})) for one in wanted]
    for key in sorted(ours.keys() - {one.key for one in wanted}):
        listed = _by_id(portal, ours[key].get("list_id"))
        if listed:
            reason = "no segment, tier or setting asks for it any more: kept; delete it in HubSpot if nothing uses it"
            left = {"kind": "list", "object": object_of(ours[key]), "key": key, "name": listed["name"], "filters": ""}
            plan.append(left | {"action": "none", "reason": reason})
    return plan


def _planned(portal: Portal, wanted: Wanted, ours: Json) -> Json:
    entry = {"kind": "list", "object": wanted.kind.name, "key": wanted.key, "name": wanted.name}
    entry |= {"filters": in_words(wanted.filters)}
    if not wanted.filters:
        return entry | {"action": "after apply" if wanted.is_later else "withheld", "reason": wanted.reason}
    branch = filter_branch(wanted.filters)
    asked = meaning(branch)
    entry |= {"filter_branch": branch}
    listed = _by_id(portal, ours.get("list_id"))
    if listed is None:
        listed = _by_name(portal, wanted.kind, wanted.name)
        if listed is None:
            return entry | {"action": "create", "reason": "there is no such list"}
        entry |= {"list_id": listed["listId"]}
        if listed.get("processingType") == "DYNAMIC" and meaning(listed.get("filterBranch")) == asked:
            return entry | {"action": "none", "reason": "is as it should be"}
        return entry | {"action": "withheld", "reason": "the name is taken by a list that this project did not make: kept"}
    found = meaning(listed.get("filterBranch"))
    entry |= {"list_id": listed["listId"], "found": found, "found_name": listed["name"]}
    if listed.get("processingType") != "DYNAMIC":
        return entry | {"action": "withheld", "reason": "a person made it static: kept"}
    renamed_by_person = listed["name"] not in (wanted.name, ours["name"])
    entry |= {"name": listed["name"]} if renamed_by_person else {}
    if found not in (asked, ours["filters"]):
        return entry | {"action": "withheld", "reason": "a person changed its filters in HubSpot: kept"}
    changes = ["its filters"] * (found != asked) + [f"its name, {listed['name']!r}"] * (listed["name"] != entry["name"])
    if changes:
        return entry | {"action": "update", "reason": "changes " + " and ".join(changes)}
    return entry | {"action": "none", "reason": "is as it should be" + "; a person renamed it" * renamed_by_person}


def _by_id(portal: Portal, list_id: str | None) -> Json | None:
    return _listed(portal, f"/crm/lists/{{version}}/{quote(str(list_id), safe='')}") if list_id else None


def _by_name(portal: Portal, kind: ObjectType, name: str) -> Json | None:
    return _listed(portal, f"/crm/lists/{{version}}/object-type-id/{kind.type_id}/name/{quote(name, safe='')}")


def _listed(portal: Portal, path: str) -> Json | None:
    try:
        listed = portal.ask("GET", path, "list", "list", params={"includeFilters": "true"})
    except Refused as problem:
        if problem.status == GONE:
            return None
        raise
    return None if listed.get("deletedAt") else listed


# ---------------------------------------------------------------------------------------------- making them


def apply_lists(portal: Portal, plan: list[Json], journal: Path) -> list[Json]:
    """Make and change the lists of a plan, each journalled before and after; returns the plan with what was done.

    `action` becomes `created`, `updated`, `withheld` where the list changed since the plan, or `refused` by HubSpot. A call whose
    fate is unknown is looked up: names are unique in a portal, so nothing is made twice.
    """
    portal_id = portal.portal_id()
    ours = read_journal(journal, portal_id)
    done: list[Json] = []
    for entry in plan:
        try:
            if entry["action"] == "create":
                entry = _create(portal, entry, journal, portal_id)
            elif entry["action"] == "update":
                entry = _update(portal, entry, journal, portal_id)
            elif entry["action"] == "none" and entry["key"] in ours and "filter_branch" in entry:
                _remember(journal, portal_id, entry, ours[entry["key"]])
        except Refused as problem:
            entry = entry | {"action": "refused", "reason": str(problem)}
        done.append(entry)
    return done


def _create(portal: Portal, entry: Json, journal: Path, portal_id: int) -> Json:
    asked, kind = meaning(entry["filter_branch"]), OBJECT_TYPES[object_of(entry)]
    _write(journal, _line(portal_id, entry))
    body = {
        "name": entry["name"],
        "objectTypeId": kind.type_id,
        "processingType": "DYNAMIC",
        "filterBranch": entry["filter_branch"],
    }
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = portal.request("POST", "/crm/lists/{version}", body)
            try:
                listed = shaped(answer.get("list"), "list")
            except ValueError:
                raise Unsure("The answer to a new list does not name it; is it HubSpot's?") from None
        except (Refused, Unsure) as problem:
            listed = _by_name(portal, kind, entry["name"])
            if listed is None and (isinstance(problem, Refused) or attempt == ATTEMPTS):
                raise
            if listed is not None and meaning(listed.get("filterBranch")) != asked:
                return entry | {"action": "withheld", "reason": "the name was taken since the plan: kept"}
        if listed is not None:
            break
    made = entry | {"action": "created", "list_id": listed["listId"]}
    _remember(journal, portal_id, made, {})
    return made


def _update(portal: Portal, entry: Json, journal: Path, portal_id: int) -> Json:
    asked = meaning(entry["filter_branch"])
    path = f"/crm/lists/{{version}}/{entry['list_id']}"
    listed = _by_id(portal, entry["list_id"])
    if listed is None or meaning(listed.get("filterBranch")) != entry["found"] or listed["name"] != entry["found_name"]:
        return entry | {"action": "withheld", "reason": "it changed in HubSpot since the plan: kept"}
    if entry["found"] != asked:
        _put(portal, f"{path}/update-list-filters", {"filterBranch": entry["filter_branch"]}, None)
        _remember(journal, portal_id, entry | {"name": entry["found_name"]}, {})
    if entry["found_name"] != entry["name"]:
        _put(portal, f"{path}/update-list-name", None, {"listName": entry["name"]})
        _remember(journal, portal_id, entry, {})
    return entry | {"action": "updated"}


def _put(portal: Portal, path: str, body: Json | None, params: dict[str, str] | None) -> None:
    """Putting the same thing twice is no harm, so a call whose fate is unknown is made again."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            portal.request("PUT", path, body, params)
            return
        except Unsure:
            if attempt == ATTEMPTS:
                raise


def read_journal(journal: Path, portal_id: int) -> dict[str, Json]:
    """The last line about each list that was made in the portal, by key. A line that a crash cut short counts for nothing."""
    known: dict[str, Json] = {}
    if not journal.exists():
        return known
    for line in journal.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("portal_id") == portal_id:
            known[entry["key"]] = entry
    return known


def _remember(journal: Path, portal_id: int, entry: Json, before: Json) -> None:
    line = _line(portal_id, entry) | {"list_id": entry["list_id"]}
    if line != before:
        _write(journal, line)


def _line(portal_id: int, entry: Json) -> Json:
    asked = meaning(entry["filter_branch"])
    return {"portal_id": portal_id, "object": object_of(entry), "key": entry["key"], "name": entry["name"], "filters": asked}


def _write(journal: Path, line: Json) -> None:
    with open_private(run_folder(journal.parent) / journal.name, "a+", encoding="utf-8") as file:
        # After a line that a crash cut short, a new one.
        if file.tell() and not _ends_with_newline(journal):
            file.write("\n")
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
