"""The automation part of the stand-in: workflows (v4 flows), as HubSpot's published OpenAPI description has them.

HubSpot's Python SDK has no types for flows yet, so that the bodies' are written here, from that description; filters are
validated as those of lists, which they are.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
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


class Flows:
    """What the stand-in does with workflows. `lacks_workflows`: the portal's subscription has none."""

    def __init__(self) -> None:
        self.flows: dict[str, dict[str, Any]] = {}
        self.emails: set[str] = set()  # the e-mails that may be sent by a workflow
        self.lacks_workflows = False
        self.flow_numbers = itertools.count(7001)

    # What people do in HubSpot.

    def add_flow(self, name: str) -> str:
        """A person makes a workflow."""
        body = {"name": name, "isEnabled": False, "actions": [], "flowType": "WORKFLOW", "objectTypeId": "0-1"}
        with self.lock:
            return self.keep_flow(body)["id"]

    def edit_flow(self, flow_id: str, **values: Any) -> None:
        """A person changes a workflow, or switches it on (`isEnabled=True`): it gets another revision."""
        with self.lock:
            flow = self.flows[flow_id]
            flow |= values | {"revisionId": str(int(flow["revisionId"]) + 1), "updatedAt": self.moment()}

    # What a test asks.

    def taken_by(self, flow_id: str) -> dict[str, list[str]]:
        """The contacts that a workflow would take, by what it would do with them: their group."""
        flow = self.flows[flow_id]
        suppressed = {contact for n in flow["suppressionListIds"] for contact in self.evaluate(self.lists[str(n)])}
        [branch] = next(action["listBranches"] for action in flow["actions"] if action["type"] == "LIST_BRANCH")
        members = functools.cache(lambda list_id: set(self.evaluate(self.lists[list_id])))
        found: dict[str, list[str]] = {}
        for record in self.objects["contacts"].records.values():
            is_left_out = record.is_archived or record.id in suppressed
            if not is_left_out and self.meets_any(record, flow["enrollmentCriteria"]["listFilterBranch"], members):
                group = "nurture" if self.meets_any(record, branch["filterBranch"], members) else "held_out"
                found.setdefault(group, []).append(record.id)
        return found

    def meets_any(self, record: Any, branch: dict[str, Any], members: Callable[[str], set[str]]) -> bool:
        def meets(filter: dict[str, Any]) -> bool:
            return record.id in members(filter["listId"]) if filter["filterType"] == "IN_LIST" else self.passes(record, filter)

        return any(all(map(meets, group["filters"])) for group in branch["filterBranches"])

    # How a call is answered.

    def keep_flow(self, body: dict[str, Any]) -> dict[str, Any]:
        now = self.moment()
        number = str(next(self.flow_numbers))
        added = {"id": number, "revisionId": "1", "createdAt": now, "updatedAt": now, "crmObjectCreationStatus": "COMPLETE"}
        self.flows[number] = body | added | {"nextAvailableActionId": str(len(body["actions"]) + 1)}
        return self.flows[number]

    def check_workflows(self) -> None:
        if self.lacks_workflows:
            raise self.refusal(403, "This account does not have access to this feature.", "FORBIDDEN")

    def create_flow(self, call: Any) -> tuple[int, Any]:
        self.check_workflows()
        body = call.body
        fault = faults_of(body)
        if fault or body["isEnabled"] or body["objectTypeId"] != "0-1":
            raise self.violation(fault or "a workflow is made switched off, for contacts")
        for branch in filters_of(body):
            lists = {filter["listId"] for filter in plain_filters(branch) if filter["filterType"] == "IN_LIST"}
            lists |= set(map(str, body["suppressionListIds"]))
            if any(self.lists.get(one, {}).get("objectTypeId") != "0-1" for one in lists):
                raise self.refusal(400, f"Lists {sorted(lists)} are not all lists of contacts.")
            self.check_filters(without_lists(branch), "contacts")
        for action in body["actions"]:
            fields = action.get("fields", {})
            if action.get("actionTypeId") == EMAIL and fields["content_id"] not in self.emails:
                raise self.refusal(400, f"E-mail {fields['content_id']} does not exist, or is not for automation.")
            if action.get("actionTypeId") == SET_PROPERTY and fields["property_name"] not in self.objects["contacts"].properties:
                raise self.refusal(400, f"Property {fields['property_name']} does not exist.")
        return 201, self.keep_flow(body)

    def list_flows(self, call: Any) -> tuple[int, Any]:
        self.check_workflows()
        first, limit = int(call.query.get("after", "0")), int(call.query.get("limit", "100"))
        names = ("id", "name", "isEnabled", "flowType", "objectTypeId", "revisionId", "createdAt", "updatedAt")
        page = list(self.flows.values())[first : first + limit]
        answer: dict[str, Any] = {"results": [{name: flow[name] for name in names} for flow in page]}
        if first + limit < len(self.flows):
            answer["paging"] = {"next": {"after": str(first + limit)}}
        return 200, answer

    def get_flow(self, call: Any, flow_id: str) -> tuple[int, Any]:
        self.check_workflows()
        if flow_id not in self.flows:
            raise self.refusal(404, f"Flow {flow_id} does not exist.", "OBJECT_NOT_FOUND")
        return 200, self.flows[flow_id]

    def delete_flow(self, call: Any, flow_id: str) -> tuple[int, Any]:
        _, flow = self.get_flow(call, flow_id)
        if flow["isEnabled"] or flow["revisionId"] != "1" or "enrollmentCriteria" not in flow:
            raise self.violation("a workflow that a person made, changed or switched on is deleted")
        del self.flows[flow_id]
        return 204, None


def without_lists(branch: dict[str, Any]) -> dict[str, Any]:
    """A branch without its filters on lists, which have no property to be checked."""
    groups = [
        group | {"filters": [filter for filter in group["filters"] if filter["filterType"] != "IN_LIST"]}
        for group in branch["filterBranches"]
    ]
    return branch | {"filterBranches": groups}
