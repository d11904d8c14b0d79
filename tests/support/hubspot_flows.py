"""The automation part of the stand-in: workflows (v4 flows), as HubSpot's published OpenAPI description has them.

HubSpot's Python SDK has no types for flows yet, so that the bodies' are written here, from that description; filters are
validated as those of lists, which they are.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal, NotRequired

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

STRICT = ConfigDict(extra="forbid", strict=True)
DELAY, TASK, EMAIL, SET_PROPERTY = "0-1", "0-3", "0-4", "0-5"


class Connection(TypedDict):
    __pydantic_config__ = STRICT
    edgeType: Literal["STANDARD", "GO_TO"]
    nextActionId: str


class SingleConnectionAction(TypedDict):
    __pydantic_config__ = STRICT
    type: Literal["SINGLE_CONNECTION"]
    actionId: str
    actionTypeId: str
    actionTypeVersion: int
    fields: dict[str, Any]
    connection: NotRequired[Connection]


class ListBranch(TypedDict):
    __pydantic_config__ = STRICT
    filterBranch: dict[str, Any]
    branchName: NotRequired[str]
    connection: NotRequired[Connection]


class ListBranchAction(TypedDict):
    __pydantic_config__ = STRICT
    type: Literal["LIST_BRANCH"]
    actionId: str
    listBranches: list[ListBranch]
    defaultBranchName: NotRequired[str]
    defaultBranch: NotRequired[Connection]


class ListBasedEnrollmentCriteria(TypedDict):
    __pydantic_config__ = STRICT
    type: Literal["LIST_BASED"]
    shouldReEnroll: bool
    unEnrollObjectsNotMeetingCriteria: bool
    listFilterBranch: dict[str, Any]
    reEnrollmentTriggersFilterBranches: list[dict[str, Any]]


class ContactFlowCreateRequest(TypedDict):
    __pydantic_config__ = STRICT
    type: Literal["CONTACT_FLOW"]
    objectTypeId: str
    flowType: Literal["WORKFLOW", "ACTION_SET", "UNKNOWN"]
    isEnabled: bool
    actions: list[SingleConnectionAction | ListBranchAction]
    canEnrollFromSalesforce: bool
    suppressionListIds: list[int]
    timeWindows: list[Any]
    blockedDates: list[Any]
    customProperties: dict[str, str]
    dataSources: list[Any]
    name: NotRequired[str]
    description: NotRequired[str]
    startActionId: NotRequired[str]
    enrollmentCriteria: NotRequired[ListBasedEnrollmentCriteria]
    goalFilterBranch: NotRequired[dict[str, Any]]


CREATE = TypeAdapter(ContactFlowCreateRequest)
# What the actions of these types take, as HubSpot's action reference has it.
FIELDS = {
    DELAY: {"delta", "time_unit"},
    TASK: {"task_type", "subject", "body", "priority", "use_explicit_associations", "associations", "owner_assignment"},
    EMAIL: {"content_id"},
    SET_PROPERTY: {"property_name", "value"},
}


def faults_of(body: Any) -> str:
    """What is wrong with the body of a new flow; empty where nothing is."""
    try:
        CREATE.validate_python(body)
    except ValidationError as error:
        return str(error)[:600]
    ids = [action["actionId"] for action in body["actions"]]
    following = [body.get("startActionId")]
    for action in body["actions"]:
        branches = [*action.get("listBranches", []), {"connection": action.get("defaultBranch")}, action]
        following += [branch["connection"]["nextActionId"] for branch in branches if branch.get("connection")]
        kind = action.get("actionTypeId")
        if kind and (kind not in FIELDS or set(action["fields"]) != FIELDS[kind] or action["actionTypeVersion"] != 0):
            return f"action {action['actionId']}: fields {sorted(action['fields'])} of type {kind}"
        if kind == DELAY and not (action["fields"]["delta"].isdigit() and action["fields"]["time_unit"] == "MINUTES"):
            return f"action {action['actionId']}: a delay is a text of minutes"
    if len(set(ids)) < len(ids) or sorted(following) != sorted(ids):
        return f"actions {ids} are not reached once each: {following}"
    return ""


def filters_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """All filter branches of a flow."""
    branches = [branch["filterBranch"] for action in body["actions"] for branch in action.get("listBranches", [])]
    goal = [body["goalFilterBranch"]] if "goalFilterBranch" in body else []
    return [body["enrollmentCriteria"]["listFilterBranch"], *branches, *goal]


def plain_filters(branch: dict[str, Any]) -> list[dict[str, Any]]:
    """The filters of a branch and of those below it."""
    below = (plain_filters(inner) for inner in branch["filterBranches"])
    return [*branch["filters"], *itertools.chain.from_iterable(below)]
