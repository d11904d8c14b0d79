"""Workflows of the nurture plans: what each should be, as HubSpot's automation API takes it. Every one is made switched off."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import NamedTuple

from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.errors import Json
from icp_refinery.hubspot.filters import filter_branch, list_name
from icp_refinery.nurture import emails_of
from icp_refinery.project import TIER_WORDS

CONTACTS = "0-1"
DELAY, TASK, EMAIL, SET_PROPERTY = "0-1", "0-3", "0-4", "0-5"  # HubSpot's types of actions
TASK_TO_CONTACT = 204
MINUTES_A_DAY = 24 * 60
GROUP, ENTERED = "icp_nurture_group", "icp_nurture_entered_on"
NURTURE, HELD_OUT = "nurture", "held_out"
# The stages from the goal on, as HubSpot's own lifecycle stages.
LIFECYCLE = {"mql": "marketingqualifiedlead", "sql": "salesqualifiedlead", "opportunity": "opportunity", "won": "customer"}
STAGE = "lifecyclestage"
NO_EMAILS = "no e-mails are chosen: name them in activation/hubspot.yml (nurture.emails)"


class Wanted(NamedTuple):
    """A workflow that there should be; one that cannot be has no body, and says why."""

    key: str
    name: str
    body: Json
    reason: str
    is_later: bool = False  # another command makes first what it needs


def wanted_flow(plan: Json, config: Config, lists: dict[str, str], properties: dict[str, Json]) -> Wanted:
    """The workflow of a nurture plan. `lists` are ids of this project's lists by key, `properties` those of contacts by name."""
    segment, settings = plan["segment"], config.nurture
    key, tier = segment["id"], segment["tier"]
    name = list_name(config, f"nurture {TIER_WORDS[tier]}", segment["name"], key)
    keys = [f"contacts_{tier}_{role}" for role in settings.roles]
    missing = [one for one in keys if one not in lists]
    own = {ours: config.properties[ours] for ours in ("icp_segment", GROUP, ENTERED)}
    lacking = [one for one in own.values() if one not in properties]
    if not emails_of(settings, key):
        return Wanted(key, name, {}, NO_EMAILS)
    if "contacts" not in config.objects:
        return Wanted(key, name, {}, "contacts are not written to: name them in activation/hubspot.yml (objects)")
    if lacking:
        return Wanted(key, name, {}, f"contacts have no {', '.join(lacking)} yet: `icp hubspot apply --apply` makes it", True)
    if missing:
        return Wanted(key, name, {}, f"there is no list {', '.join(missing)} yet: `icp hubspot lists --apply` makes it", True)
    enrolled = [
        [
            {"filterType": "IN_LIST", "listId": lists[one], "operator": "IN_LIST"},
            any_of(own["icp_segment"], [key]),
            any_of(own[GROUP], [NURTURE, HELD_OUT]),
        ]
        for one in keys
    ]
    body: Json = {
        "type": "CONTACT_FLOW",
        "objectTypeId": CONTACTS,
        "flowType": "WORKFLOW",
        "isEnabled": False,
        "name": name,
        "description": f"Made by icp-refinery from the nurture plan of {key}. Check its e-mails, then switch it on.",
        "startActionId": "1",
        "actions": actions(plan, own[GROUP], own[ENTERED]),
        "enrollmentCriteria": {
            "type": "LIST_BASED",
            "shouldReEnroll": False,
            "unEnrollObjectsNotMeetingCriteria": True,
            "listFilterBranch": filter_branch(enrolled),
            "reEnrollmentTriggersFilterBranches": [],
        },
        "suppressionListIds": [int(lists[one]) for one in sorted(lists) if one == "contacts_suppress"],
        "canEnrollFromSalesforce": False,
        "timeWindows": [],
        "blockedDates": [],
        "customProperties": {},
        "dataSources": [],
    }
    stages = list(LIFECYCLE.values())[list(LIFECYCLE).index(settings.goal_stage) :]
    there = {option["value"] for option in (properties.get(STAGE) or {}).get("options") or []}
    if not set(stages) <= there:
        return Wanted(key, name, body, f"; without a goal: {STAGE} has no {', '.join(sorted(set(stages) - there))} in HubSpot")
    return Wanted(key, name, body | {"goalFilterBranch": filter_branch([[any_of(STAGE, stages)]])}, "")


def distinct(wanted: list[Wanted]) -> list[Wanted]:
    """Two segments of one name get their ids: a workflow is known by its name."""
    counts = Counter(one.name for one in wanted)
    names = [one.name if counts[one.name] == 1 else f"{one.name} [{one.key}]" for one in wanted]
    return [one._replace(name=name, body=one.body and one.body | {"name": name}) for one, name in zip(wanted, names, strict=True)]


def actions(plan: Json, group: str, entered_on: str) -> list[Json]:
    """The steps of a plan as actions: when somebody comes in, who is held out, e-mails with delays, the owner's task."""
    emails = [step for step in plan["steps"] if step["step"].startswith("e-mail")]
    then: list[tuple[str, Json]] = []
    days = 0
    for step in plan["steps"]:
        if step["day"] > days:
            then.append((DELAY, {"delta": str((step["day"] - days) * MINUTES_A_DAY), "time_unit": "MINUTES"}))
            days = step["day"]
        then.append((EMAIL, {"content_id": str(step["hubspot_email"])}) if step in emails else (TASK, _task(plan)))
    entered = {"property_name": entered_on, "value": {"type": "TIMESTAMP", "timestampType": "EXECUTION_TIME"}}
    first = 3
    made = [
        _action(1, SET_PROPERTY, entered, 2),
        {
            "type": "LIST_BRANCH",
            "actionId": "2",
            "listBranches": [
                {
                    "branchName": "Nurture",
                    "filterBranch": filter_branch([[any_of(group, [NURTURE])]]),
                    "connection": _to(first),
                }
            ],
            "defaultBranchName": "Held out",
        },
    ]
    last = first + len(then) - 1
    return made + [_action(n, kind, fields, n + 1 if n < last else None) for n, (kind, fields) in enumerate(then, start=first)]


def any_of(name: str, values: list[str]) -> Json:
    """A filter: a property has one of these options."""
    operation = {"operationType": "ENUMERATION", "operator": "IS_ANY_OF", "values": values, "includeObjectsWithNoValueSet": False}
    return {"filterType": "PROPERTY", "property": name, "operation": operation}


def _action(number: int, kind: str, fields: Json, following: int | None) -> Json:
    made = {
        "type": "SINGLE_CONNECTION",
        "actionId": str(number),
        "actionTypeId": kind,
        "actionTypeVersion": 0,
        "fields": fields,
    }
    return made | ({"connection": _to(following)} if following else {})


def _to(number: int) -> Json:
    return {"edgeType": "STANDARD", "nextActionId": str(number)}


def _task(plan: Json) -> Json:
    segment, goal = plan["segment"], plan["goal"]
    about = [step["about"] for step in plan["steps"] if step["step"].startswith("e-mail") and step["about"] != "no evidence"]
    said = f"Went through the nurture of {_plain(segment['name'])} without reaching {goal['stage']}."
    said += f" Topics that are usual there: {_plain(', '.join(about))}." if about else ""
    return {
        "task_type": "CALL",
        "subject": f"Call: the nurture of {_plain(segment['name'])} is over",
        "body": f"<p>{escape(said)}</p>",
        "priority": "MEDIUM",
        "use_explicit_associations": "true",
        "associations": [
            {
                "target": {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TASK_TO_CONTACT},
                "value": {"type": "ENROLLED_OBJECT"},
            }
        ],
        "owner_assignment": {"type": "CUSTOM", "value": {"type": "OBJECT_PROPERTY", "propertyName": "hubspot_owner_id"}},
    }


def _plain(text: str) -> str:
    """A text from outside without what HubSpot would put a record's values into."""
    return " ".join(text.replace("{", "(").replace("}", ")").split())
