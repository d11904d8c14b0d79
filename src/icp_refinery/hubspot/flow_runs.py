"""Making workflows, and taking them back. One is this project's if its journal says that it made it.

It is never switched on, never changed, and deleted by `revert` only: while it is switched off and in the revision in which it
was made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from icp_refinery.hubspot.answers import shaped
from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.errors import Json, MissingScope, PlanError, Refused, Unreachable, Unsure
from icp_refinery.hubspot.flows import Wanted, distinct, wanted_flow
from icp_refinery.hubspot.journal import Journal, first_line, read_lines, utc_now
from icp_refinery.nurture import plans

FLOWS = "/automation/v4/flows"
ATTEMPTS = 3
GONE = 404
LACKING = (402, 403)
TAKEN = "the name is taken by a workflow that this project did not make: kept"
PLAYBOOK = "the playbook (icp hubspot nurture) remains"


def journal_of_flows(folder: Path, portal_id: int) -> Path:
    """The journal of all workflows that were made in a portal."""
    return folder / f"journal-flows-{portal_id}.jsonl"


def read_flows(journal: Path) -> dict[str, Json]:
    """By key what the journal last says of each workflow: what was to be made, and if it was, its id and revision."""
    known: dict[str, Json] = {}
    if journal.exists():
        for line in read_lines(journal, "flow"):
            known[line["key"]] = (known.get(line["key"], {}) if "name" not in line else {}) | line
    return {key: line for key, line in known.items() if not line.get("is_deleted")}


# ---------------------------------------------------------------------------------------------- what would change


def planned_flows(
    portal: Portal, marts: duckdb.DuckDBPyConnection, config: Config, lists: list[Json], folder: Path
) -> tuple[list[Json], Path]:
    """What would be done about the workflow of each nurture plan, and the journal in `folder`; `lists` as of `plan_lists`.

    Nothing, where no e-mails are chosen and no workflow was made.
    """
    path = journal_of_flows(folder, portal.portal_id())
    ours = read_flows(path)
    if not config.nurture.emails and not ours:
        return [], path
    made = {entry["key"]: entry["list_id"] for entry in lists if entry.get("list_id") and entry["action"] in ("none", "update")}
    lacks = ""
    properties: dict[str, Json] = {}
    try:
        properties = portal.properties("contacts")
    except MissingScope as problem:
        lacks = _lacks(problem)
    wanted = distinct([wanted_flow(plan, config, made, properties) for plan in plans(marts, config)])
    if lacks:
        wanted = [one._replace(body={}, reason=lacks, is_later=False) for one in wanted]
    return plan_flows(portal, wanted, ours), path


def plan_flows(portal: Portal, wanted: list[Wanted], ours: dict[str, Json]) -> list[Json]:
    """What would be done about each workflow; writes nothing.

    Each is a dict: `kind` (`flow`), `key`, `name`, `action` (`create`, `none`, `withheld`, `after apply`), `reason`, and for
    `apply_flows` `body`, `flow_id` and `revision`. HubSpot is asked only where there is something to ask about.
    """
    entries = [_entry(one) for one in wanted]
    if not ours and not any(one.body for one in wanted):
        return entries
    try:
        there = all_flows(portal)
    except (MissingScope, Refused) as problem:
        if isinstance(problem, Refused) and problem.status not in LACKING:
            raise
        return [entry | {"action": "withheld", "reason": _lacks(problem)} for entry in entries]
    planned = [_planned(portal, entry, ours.get(entry["key"], {}), there) for entry in entries]
    for key in sorted(ours.keys() - {one.key for one in wanted}):
        flow = flow_of(portal, ours[key], there)
        if flow:
            reason = "its segment is no longer prioritized: kept" + "; switch it off in HubSpot" * flow["isEnabled"]
            planned.append({"kind": "flow", "key": key, "name": flow.get("name") or key, "action": "none", "reason": reason})
    return planned


def _lacks(problem: MissingScope | Refused) -> str:
    if isinstance(problem, MissingScope):
        return f"{problem} So no workflow is made; {PLAYBOOK}."
    return (
        "HubSpot does not let this token make workflows: the service key lacks the scope automation, or the portal's subscription"
        f" has no workflows (Professional or Enterprise). {PLAYBOOK[:1].upper()}{PLAYBOOK[1:]}. HubSpot says: {problem}"
    )


def _entry(wanted: Wanted) -> Json:
    entry = {"kind": "flow", "key": wanted.key, "name": wanted.name, "body": wanted.body}
    if not wanted.body:
        return entry | {"action": "after apply" if wanted.is_later else "withheld", "reason": wanted.reason}
    return entry | {"action": "create", "reason": f"switched off{wanted.reason}"}


def _planned(portal: Portal, entry: Json, ours: Json, there: list[Json]) -> Json:
    flow = flow_of(portal, ours, there) if ours else None
    if flow is None:
        if any(one.get("name") == entry["name"] for one in there):
            return entry | {"action": "withheld", "reason": TAKEN}
        return entry
    entry |= {"action": "none", "flow_id": flow["id"], "revision": flow["revisionId"] if is_as_made(flow, ours) else None}
    state = "switched on by a person" if flow["isEnabled"] else "switched off"
    if entry["revision"] is None and not flow["isEnabled"]:
        return entry | {"reason": f"a person changed it in HubSpot: kept ({state})"}
    if entry["body"] and entry["body"] != ours["body"]:
        why = "the settings or the marts would make another one now: kept. To have that, revert this one first"
        return entry | {"reason": f"{why} ({state})"}
    return entry | {"reason": f"is as it should be ({state})"}


def all_flows(portal: Portal) -> list[Json]:
    """The portal's workflows: id, name, whether switched on, revision."""
    query = {"limit": "100"}
    found: dict[str, Json] = {}
    while True:
        answer = portal.request("GET", FLOWS, params=query)
        page = _read(answer.get("results"), "flows", FLOWS)
        after = (_read(answer.get("paging") or {}, "paging", FLOWS).get("next") or {}).get("after")
        if page and page[0]["id"] in found:
            raise Unreachable(f"GET {FLOWS}: the pages go round in a circle; is it HubSpot's?")
        found |= {flow["id"]: flow for flow in page}
        if after is None:
            return list(found.values())
        query["after"] = after


def flow_of(portal: Portal, ours: Json, there: list[Json]) -> Json | None:
    """The workflow that the journal speaks of, as it is now; None where it is gone, or was never made.

    A run that was killed may have made it without living to say so: then it is the one of that name.
    """
    flow_id = ours.get("flow_id") or next((one["id"] for one in there if one.get("name") == ours.get("name")), None)
    if flow_id is None:
        return None
    try:
        answer = portal.request("GET", f"{FLOWS}/{flow_id}")
    except Refused as problem:
        if problem.status == GONE:
            return None
        raise
    return _read(answer, "flow", f"{FLOWS}/{flow_id}")


def _read(answer: object, shape: str, path: str) -> Any:
    try:
        return shaped(answer, shape)
    except ValueError as problem:
        raise Unreachable(f"GET {path}: the answer cannot be read ({problem}); is it HubSpot's?") from None


def is_as_made(flow: Json, ours: Json) -> bool:
    """Whether nobody changed a workflow since it was made, nor switched it on."""
    if ours.get("flow_id"):
        return flow["revisionId"] == ours.get("revision")
    return holds(flow, ours["body"])


def holds(found: object, wanted: object) -> bool:
    """Whether all that was sent is there; HubSpot adds fields of its own."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(holds(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return found == wanted


# ---------------------------------------------------------------------------------------------- making them


def apply_flows(portal: Portal, plan: list[Json], path: Path) -> list[Json]:
    """Makes the workflows of a plan, each journalled before and after; returns the plan with what was done.

    `action` becomes `created`, or `refused` by HubSpot. A call whose fate is unknown is looked up by name, so nothing is made
    twice.
    """
    ours = read_flows(path)
    todo = [entry for entry in plan if entry["action"] == "create"]
    told = [entry for entry in plan if entry.get("flow_id") and not ours.get(entry["key"], {}).get("flow_id")]
    if not todo and not told:
        return plan
    journal = Journal(path, first_line(portal.portal_id(), "flows"))
    done: list[Json] = []
    try:
        for entry in plan:
            if entry in told:
                _remember(journal, entry["key"], entry["flow_id"], entry["revision"])
            try:
                done.append(_create(portal, entry, journal) if entry in todo else entry)
            except (Refused, Unsure, MissingScope) as problem:
                lacks = isinstance(problem, MissingScope) or (isinstance(problem, Refused) and problem.status in LACKING)
                done.append(entry | {"action": "refused", "reason": _lacks(problem) if lacks else str(problem)})
    finally:
        journal.close()
    return done


def _create(portal: Portal, entry: Json, journal: Journal) -> Json:
    said = {"kind": "flow", "key": entry["key"], "name": entry["name"], "body": entry["body"], "at": utc_now()}
    journal.put(said)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = portal.request("POST", FLOWS, entry["body"])
            try:
                flow = shaped(answer, "flow")
            except ValueError:
                raise Unsure("The answer to a new workflow does not name it; is it HubSpot's?") from None
        except (Refused, Unsure) as problem:
            if isinstance(problem, Refused) and problem.status in LACKING:
                raise
            flow = flow_of(portal, said, all_flows(portal))
            if flow is None and (isinstance(problem, Refused) or attempt == ATTEMPTS):
                raise
            if flow is None:
                portal.pause(attempt)
                continue
            if not holds(flow, entry["body"]):
                journal.put({"kind": "flow", "key": entry["key"], "is_deleted": True, "at": utc_now()})
                return entry | {"action": "withheld", "reason": "the name was taken since the plan: kept"}
        break
    _remember(journal, entry["key"], flow["id"], flow["revisionId"])
    return entry | {"action": "created", "flow_id": flow["id"]}


def _remember(journal: Journal, key: str, flow_id: str, revision: str | None) -> None:
    journal.put({"kind": "flow", "key": key, "flow_id": flow_id, "revision": revision, "at": utc_now()})


# ---------------------------------------------------------------------------------------------- taking them back


def is_of_flows(journal: Path) -> bool:
    """Whether a journal is of workflows."""
    first = next(read_lines(journal), None)
    return isinstance(first, dict) and first.get("what") == "flows"


def revert_flows(portal: Portal, portal_id: int, path: Path, write: bool) -> list[Json]:
    """Deletes the workflows of a journal that are switched off and as they were made; with `write` false says which.

    Each entry has `name`, `action` (`deleted`, `to delete`, `kept`, `gone`) and `reason`.
    """
    if next(read_lines(path), {}).get("portal_id") != portal_id:
        raise PlanError(f"The journal is not of portal {portal_id}, whose token this is.")
    ours = read_flows(path)
    there = all_flows(portal) if any("flow_id" not in line for line in ours.values()) else []
    done: list[Json] = []
    journal = Journal(path, first_line(portal_id, "flows")) if write else None
    try:
        for key, line in ours.items():
            flow = flow_of(portal, line, there)
            entry = {"name": (flow or {}).get("name") or line["name"]}
            if flow is not None and flow["isEnabled"]:
                done.append(entry | {"action": "kept", "reason": "it is switched on: switch it off first"})
                continue
            if flow is not None and not is_as_made(flow, line):
                done.append(entry | {"action": "kept", "reason": "a person changed it in HubSpot: delete it there"})
                continue
            if flow is not None and journal:
                _delete(portal, flow["id"])
            if journal:
                journal.put({"kind": "flow", "key": key, "is_deleted": True, "at": utc_now()})
            action = "gone" if flow is None else "deleted" if write else "to delete"
            done.append(entry | {"action": action, "reason": "there is none" if flow is None else "switched off, as it was made"})
    finally:
        if journal:
            journal.close()
    return done


def _delete(portal: Portal, flow_id: str) -> None:
    """Deleting twice is no harm: what is gone is gone."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            portal.request("DELETE", f"{FLOWS}/{flow_id}")
            return
        except Refused as problem:
            if problem.status != GONE:
                raise
            return
        except Unsure:
            if attempt == ATTEMPTS:
                raise
            portal.pause(attempt)
