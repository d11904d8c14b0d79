"""A HubSpot portal on loopback: a real HTTP server that keeps state, says no as HubSpot does, and fails on command.

It behaves as HubSpot's public documentation and the reports of its users say. Every body is validated against the request
types of `hubspot-sdk`. A body that they do not allow, and a call that this project must never make (create, merge or delete
a record, ...), is answered with an error and kept in `violations`: leaving the `with` block then fails. It has companies,
contacts and deals; where a method does not say which (`of`), companies are meant.

    with HubSpotPortal() as portal:
        portal.add_company("101", name="Acme")
        portal.faults.append(Fault(status=429, headers={"Retry-After": "1"}, path="batch/update"))
        ...  # a client at portal.url with portal.token
        assert portal.value("101", "icp_tier") == "tier_1"
        assert len(portal.writes()) == 1

As a program (`python tests/support/hubspot_portal.py --companies 100000`) it prints its address and serves until it is
stopped; `GET /stand-in` says what it has seen.
"""

from __future__ import annotations

import argparse
import bisect
import contextlib
import copy
import functools
import itertools
import json
import math
import re
import socket
import threading
import time
import urllib.parse
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from hubspot_sdk.types.crm import (
    ListCreateParams,
    ListListBySearchParams,
    ListUpdateListFiltersParams,
    PropertyCreateParams,
    PropertyUpdateParams,
)
from hubspot_sdk.types.crm.objects import CompanySearchParams
from hubspot_sdk.types.crm.objects.companies import BatchGetParams, BatchUpdateParams
from hubspot_sdk.types.crm.properties import GroupCreateParams
from pydantic import TypeAdapter, ValidationError

from hubspot_flows import Flows

TOKEN = "pat-na1-00000000-1111-2222-3333-444444444444"
OBJECTS = {"companies": "0-2", "contacts": "0-1", "deals": "0-3"}
SCOPES = frozenset(
    f"crm.{kind}.{way}"
    for kind in ("lists", *(f"{kind}.{of}" for of in OBJECTS for kind in ("objects", "schemas")))
    for way in ("read", "write")
) | {"crm.objects.owners.read", "automation"}
SCOPES_PAGE = "https://developers.hubspot.com/scopes"


# What a test scripts.


@dataclass
class Fault:
    """Something that goes wrong (or merely happens: `hook`) at the calls that it matches, `times` times.

    It matches a call by number (`call`, the first is 1), `method` and `path` (a regular expression). `after=True`: once the
    call has taken effect, before it is answered. `drop` closes the connection without an answer. A `body` that is no dict is sent
    as it is, so that it need not be JSON.
    """

    status: int | None = None
    body: dict[str, Any] | str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    hook: Callable[[], object] | None = None
    delay_seconds: float = 0
    call: int | None = None
    method: str | None = None
    path: str = ""
    after: bool = False
    times: float = 1

    def matches(self, call: Call) -> bool:
        return (
            self.times > 0
            and self.call in (None, call.number)
            and self.method in (None, call.method)
            and re.search(self.path, call.path) is not None
        )


def too_many_requests(policy: str = "TEN_SECONDLY_ROLLING", retry_after: str | None = None, **match: Any) -> Fault:
    """A 429 that the limiter did not give: `policy` is TEN_SECONDLY_ROLLING, SECONDLY or DAILY."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Fault(status=429, body=rate_limit_error(policy), headers=headers, **match)


def bad_gateway(**match: Any) -> Fault:
    """A 502 with a page instead of JSON."""
    return Fault(status=502, body="<html><body><h1>502 Bad Gateway</h1></body></html>", **match)


class SimulatedClock:
    """Time that passes only when somebody sleeps: give `now` to the limiter and the client, `sleep` to the client."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += max(seconds, 0.0)


class RollingLimit:
    """At most `requests` in any window of `seconds`; what is refused does not count."""

    def __init__(self, requests: int, seconds: float, policy: str, now: Callable[[], float] = time.monotonic) -> None:
        self.requests, self.seconds, self.policy, self.now = requests, seconds, policy, now
        self.granted: deque[float] = deque()

    def allows(self) -> bool:
        now = self.now()
        while self.granted and now - self.granted[0] >= self.seconds:
            self.granted.popleft()
        if len(self.granted) >= self.requests:
            return False
        self.granted.append(now)
        return True


# What it remembers.


@dataclass
class Call:
    number: int
    method: str
    path: str
    query: dict[str, str]
    body: Any
    at: float
    status: int | None = None  # None: the connection was dropped

    @property
    def is_write(self) -> bool:
        return self.method != "GET" and not re.search(r"/(batch/read|search)$", self.path)


@dataclass(frozen=True)
class Commit:
    """One property of one record as a call (`call`, None for a person) left it."""

    call: int | None
    company_id: str
    property: str
    old: str | None
    new: str
    source: str
    of: str = "companies"


@dataclass
class Record:
    id: str
    values: dict[str, str]
    created_at: str
    updated_at: str
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    is_archived: bool = False


@dataclass
class Objects:
    """All that the portal knows of one object."""

    name: str
    records: dict[str, Record] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)  # sorted
    merged: dict[str, str] = field(default_factory=dict)  # record id -> the record it was merged into
    properties: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)  # properties that a rule of the portal requires
    locked: set[str] = field(default_factory=set)  # records whose every batch fails whole (409)
    refused: dict[str, str] = field(default_factory=dict)  # record -> why a batch answers 207 without it
    searched: dict[str, Record] | None = None  # what the search index holds, where it lags behind


def of_companies(name: str) -> Any:
    """An attribute of the companies, as one of the portal."""
    return property(
        lambda portal: getattr(portal.objects["companies"], name),
        lambda portal, value: setattr(portal.objects["companies"], name, value),
    )


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, category: str = "VALIDATION_ERROR", **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category} | more


class Violation(Refusal):
    """A request that must never be sent."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(status, message)


def rate_limit_error(policy: str) -> dict[str, Any]:
    return {
        "status": "error",
        "message": f"You have reached your {policy.lower()} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
    }


# What HubSpot's types allow.


@functools.cache
def adapter(params: Any) -> TypeAdapter[Any]:
    return TypeAdapter(params)


def validate(params: Any, body: Any) -> None:
    """Raise `Violation` unless `body` is an instance of the SDK's request type: no field missing, none unknown."""
    try:
        named = sdk_names(body)
        accepted = plain(adapter(params).validate_python(named, strict=True))
    except (ValidationError, ValueError) as error:
        raise Violation(f"{params.__name__}: {str(error)[:600]}") from error
    if accepted != named:
        raise Violation(f"{params.__name__}: unknown fields in {json.dumps(body)[:600]}")


def sdk_names(value: Any) -> Any:
    """The wire's camelCase names as the SDK's types have them; names of properties stay."""
    if isinstance(value, list):
        return [sdk_names(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {}
    for name, item in value.items():
        if "_" in name:
            raise ValueError(f"{name!r} is no name of a field")
        keep = name in ("properties", "customProperties") and isinstance(item, dict)
        named[re.sub(r"(?<=[a-z])[A-Z]", lambda letter: "_" + letter[0].lower(), name)] = item if keep else sdk_names(item)
    return named


def plain(value: Any) -> Any:
    """Walk through what pydantic validates lazily (`Iterable`)."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if value is None or isinstance(value, str | int | float):
        return value
    return [plain(item) for item in value]


# The portal.

SINGULAR = {"companies": "company", "contacts": "contact", "deals": "deal"}
READ_ONLY = ("hs_object_id", "createdate", "hs_lastmodifieddate", "hs_merged_object_ids", "hs_is_closed")
# What HubSpot sends of a record where no property is asked for.
DEFAULTS = {
    "companies": ("name", "domain"),
    "contacts": ("email", "firstname", "lastname"),
    "deals": ("dealname", "amount", "dealstage"),
}
TYPES = {
    "hs_object_id": "number",
    "hs_merged_object_ids": "string",
    "createdate": "datetime",
    "hs_lastmodifieddate": "datetime",
}
COMPANY_TYPES = {
    "name": "string",
    "domain": "string",
    "description": "string",
    "country": "string",
    "state": "string",
    "numberofemployees": "number",
    "annualrevenue": "number",
}
CONTACT_TYPES = {"email": "string", "firstname": "string", "lastname": "string", "jobtitle": "string"}
DEAL_TYPES = {"dealname": "string", "amount": "number", "dealstage": "string", "hs_is_closed": "bool"}
OPTIONS = {
    "lifecyclestage": ["subscriber", "lead", "opportunity", "customer", "other"],
    "industry": ["COMPUTER_SOFTWARE", "FINANCIAL_SERVICES", "HOSPITAL_HEALTH_CARE", "RETAIL"],
    "hs_ideal_customer_profile": ["tier_1", "tier_2", "tier_3"],
}


class HubSpotPortal(Flows):
    """See the module. Everything that a test may want to look at or change is an attribute."""

    companies, ids, merged = of_companies("records"), of_companies("ids"), of_companies("merged")
    properties, groups = of_companies("properties"), of_companies("groups")
    required, locked, refused = of_companies("required"), of_companies("locked"), of_companies("refused")

    def __init__(
        self,
        token: str = TOKEN,
        portal_id: int = 4242,
        version: str = "2026-09",
        requests_per_10_seconds: int | None = None,
        searches_per_second: int | None = None,
        daily_limit: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        keep_bodies: bool = True,
        port: int = 0,
        answer_seconds: float = 0,
    ) -> None:
        super().__init__()
        self.token, self.portal_id, self.version, self.clock = token, portal_id, version, clock
        self.scopes = set(SCOPES)
        self.daily_limit, self.keep_bodies = daily_limit, keep_bodies
        self.limits = []
        if requests_per_10_seconds:
            self.limits.append(("", RollingLimit(requests_per_10_seconds, 10, "TEN_SECONDLY_ROLLING", clock)))
        if searches_per_second:
            self.limits.append((r"/search$", RollingLimit(searches_per_second, 1, "SECONDLY", clock)))
        self.is_revoked = False
        self.answer_seconds = answer_seconds  # how long an answer takes; several calls may be under way
        self.mark_beyond = 0  # the mark of the next page of records is the last id and so much
        self.faults: list[Fault] = []
        self.objects = {of: Objects(of) for of in OBJECTS}
        self.owners: list[dict[str, Any]] = []
        self.lists: dict[str, dict[str, Any]] = {}
        self.calls: list[Call] = []
        self.commits: list[Commit] = []
        self.changed = 0  # values that calls have changed
        self.violations: list[str] = []
        self.numbers = itertools.count(1)
        self.list_numbers = itertools.count(1)
        self.moments = itertools.count()
        self.lock = threading.RLock()
        for of, types in (("companies", COMPANY_TYPES), ("contacts", CONTACT_TYPES), ("deals", DEAL_TYPES)):
            group = f"{SINGULAR[of]}information"
            self.objects[of].groups[group] = {"name": group, "label": f"{SINGULAR[of].capitalize()} information"}
            for name, type in (TYPES | types).items():
                self.add_property(name, type, of=of)
        for name, options in OPTIONS.items():
            self.add_property(name, "enumeration", options)
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.portal = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        if error is None and self.violations:
            raise AssertionError("requests that HubSpot's types or this project's rules forbid:\n" + "\n".join(self.violations))

    def passes(self, record: Record, filter: dict[str, Any]) -> bool:
        return passes(record, filter)

    def refusal(self, status: int, message: str, category: str = "VALIDATION_ERROR") -> Refusal:
        return Refusal(status, message, category)

    def violation(self, message: str) -> Refusal:
        return Violation(message)

    # What people do in HubSpot.

    def moment(self) -> str:
        """The time now, a little later at every call."""
        moment = datetime.now(UTC) + timedelta(microseconds=next(self.moments))
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def add_record(self, of: str, record_id: str, **values: str) -> None:
        with self.lock:
            now = self.moment()
            self.objects[of].records[record_id] = Record(record_id, {}, now, now)
            bisect.insort(self.objects[of].ids, int(record_id))
            for name, value in values.items():
                self.set(record_id, name, value, "CRM_UI", None, of)

    def add_company(self, company_id: str, **values: str) -> None:
        self.add_record("companies", company_id, **values)

    def edit(self, record_id: str, name: str, value: str, source: str = "CRM_UI", of: str = "companies") -> None:
        """A person (or with another source: an import, a workflow) sets a value; no rule is looked at."""
        with self.lock:
            self.set(record_id, name, value, source, None, of)

    def archive(self, record_id: str, of: str = "companies") -> None:
        with self.lock:
            self.objects[of].records[record_id].is_archived = True

    def merge(self, record_id: str, into: str, of: str = "companies") -> None:
        """The record's id answers with `into` from now on; values of the survivor win."""
        with self.lock:
            kind = self.objects[of]
            loser, survivor = kind.records.pop(record_id), kind.records[into]
            kind.ids.remove(int(record_id))
            for name, value in loser.values.items():
                survivor.values.setdefault(name, value)
            kind.merged = {old: into if new == record_id else new for old, new in kind.merged.items()} | {record_id: into}
            survivor.values["hs_merged_object_ids"] = ";".join(old for old, new in kind.merged.items() if new == into)

    def add_property(
        self, name: str, type: str = "string", options: Iterable[str] = (), group: str | None = None, of: str = "companies"
    ) -> None:
        fields = {"enumeration": "select", "string": "text", "bool": "booleancheckbox", "datetime": "date"}
        group = group or f"{SINGULAR[of]}information"
        self.objects[of].properties[name] = {
            "name": name,
            "label": name.replace("_", " ").capitalize(),
            "description": "",
            "groupName": group,
            "type": type,
            "fieldType": fields.get(type, type),
            "options": [
                {"label": value.replace("_", " ").title(), "value": value, "displayOrder": n, "hidden": False}
                for n, value in enumerate(options)
            ],
            "displayOrder": -1,
            "hidden": False,
            "formField": False,
            "hasUniqueValue": False,
            "archived": False,
            "modificationMetadata": {
                "archivable": True,
                "readOnlyDefinition": False,
                "readOnlyValue": name in READ_ONLY,
            },
        }

    def delete_property(self, name: str, of: str = "companies") -> None:
        """An admin deletes a property, and with it its values."""
        with self.lock:
            del self.objects[of].properties[name]
            for record in self.objects[of].records.values():
                record.values.pop(name, None)

    def delete_option(self, name: str, value: str, of: str = "companies") -> None:
        """An admin deletes an option; records keep the value, which can no longer be written."""
        with self.lock:
            properties = self.objects[of].properties
            options = properties[name]["options"]
            properties[name]["options"] = [option for option in options if option["value"] != value]

    def freeze_search(self, is_frozen: bool = True) -> None:
        """Let the search answer from what is true now, whatever comes after."""
        with self.lock:
            for kind in self.objects.values():
                kind.searched = copy.deepcopy(kind.records) if is_frozen else None

    # What a test asks.

    def value(self, record_id: str, name: str, of: str = "companies") -> str | None:
        return self.objects[of].records[record_id].values.get(name)

    def values(self, name: str, of: str = "companies") -> dict[str, str]:
        """Record -> value, where there is one."""
        return {record.id: record.values[name] for record in self.objects[of].records.values() if record.values.get(name)}

    def everything(self) -> dict[str, Any]:
        """All values of all records: object -> record -> property -> value, without what is empty."""
        return {
            of: {record.id: {n: v for n, v in record.values.items() if v} for record in kind.records.values()}
            for of, kind in self.objects.items()
        }

    def writes(self) -> list[Call]:
        """The calls that would change something, also those that failed."""
        return [call for call in self.calls if call.is_write]

    def members(self, name: str) -> list[str]:
        """The records in the list of that name, sorted."""
        [found] = [found for found in self.lists.values() if found["name"] == name]
        return self.evaluate(found)

    def seen(self) -> dict[str, Any]:
        return {
            "calls": len(self.calls),
            "writes": len(self.writes()),
            "statuses": dict(Counter(str(call.status) for call in self.calls)),
            "paths": dict(Counter(f"{call.method} {re.sub(r'/[0-9]+(?=/|$)', '/ID', call.path)}" for call in self.calls)),
            "changed_values": self.changed,
            "companies": len(self.companies),
            "violations": self.violations,
            "lists": {listed["name"]: len(self.evaluate(listed)) for listed in self.lists.values()},
            "workflows": {flow["name"]: "on" if flow["isEnabled"] else "off" for flow in self.flows.values()},
        }

    # How a call is answered.

    def answer(self, method: str, target: str, headers: Any, raw: bytes) -> tuple[int, dict[str, str], bytes] | None:
        """Status, headers and body; None where the connection is dropped."""
        parts = urllib.parse.urlsplit(target)
        if parts.path == "/stand-in":
            return 200, {}, json.dumps(self.seen()).encode()
        with self.lock:
            body = json.loads(raw) if raw else None
            query = dict(urllib.parse.parse_qsl(parts.query))
            call = Call(next(self.numbers), method, parts.path, query, body, self.clock())
            self.calls.append(call)
            try:
                answered = self.with_faults(call, lambda: self.normal(call, headers))
                call.status = answered[0] if answered else None
            finally:
                if not self.keep_bodies:
                    call.body = None
        return answered

    def with_faults(
        self, call: Call, normal: Callable[[], tuple[int, dict[str, str], Any]]
    ) -> tuple[int, dict[str, str], bytes] | None:
        matching = [fault for fault in self.faults if fault.matches(call)]
        answered = None
        for is_after in (False, True):
            for fault in matching:
                if fault.after != is_after:
                    continue
                fault.times -= 1
                time.sleep(fault.delay_seconds)
                if fault.hook:
                    fault.hook()
                if fault.drop:
                    return None
                if fault.status:
                    error = {"status": "error", "message": "internal error", "correlationId": str(uuid.uuid4())}
                    body = error if fault.body is None else fault.body
                    return fault.status, fault.headers, (json.dumps(body) if isinstance(body, dict) else body).encode()
            if answered is None:
                status, headers, body = normal()
                answered = status, headers, b"" if body is None else json.dumps(body).encode()
        return answered

    def normal(self, call: Call, headers: Any) -> tuple[int, dict[str, str], Any]:
        try:
            self.admit(call, headers)
            status, body = self.route(call)
        except Violation as violation:
            self.violations.append(f"{call.number}. {call.method} {call.path}: {violation}")
            return violation.status, {}, violation.body
        except Refusal as refusal:
            return refusal.status, {}, refusal.body
        except LimitReached as limit:
            return 429, {}, rate_limit_error(limit.policy)
        return status, {}, body

    def admit(self, call: Call, headers: Any) -> None:
        if headers.get("Authorization") != f"Bearer {self.token}" or self.is_revoked:
            category = "EXPIRED_AUTHENTICATION" if self.is_revoked else "INVALID_AUTHENTICATION"
            raise Refusal(401, "Authentication credentials not found. This API supports OAuth 2.0 authentication.", category)
        if call.body is not None and not headers.get("Content-Type", "").startswith("application/json"):
            raise Refusal(415, "Unsupported Media Type")
        if self.daily_limit is not None and sum(1 for earlier in self.calls if earlier.status != 429) > self.daily_limit:
            raise LimitReached("DAILY")
        for path, limit in self.limits:
            if re.search(path, call.path) and not limit.allows():
                raise LimitReached(limit.policy)

    def route(self, call: Call) -> tuple[int, Any]:
        for method, pattern, scope, handler in ROUTES:
            path = pattern.replace("{v}", re.escape(self.version)).replace("{of}", f"({'|'.join(NAMES)})")
            found = re.fullmatch(path, call.path.rstrip("/"))
            if found and method == call.method:
                *of, arguments = (*found.groups()[:1], found.groups()[1:]) if "{of}" in pattern else (found.groups(),)
                of = [NAMES[name] for name in of]
                scope = scope.format(*of)
                if scope and scope not in self.scopes:
                    raise Refusal(
                        403,
                        "This app hasn't been granted all required scopes to make this call. "
                        f"Read more about required scopes here: {SCOPES_PAGE}.",
                        "MISSING_SCOPES",
                        errors=[
                            {
                                "message": "One or more of the following scopes are required.",
                                "context": {"requiredGranularScopes": [scope]},
                            }
                        ],
                        links={"scopes": SCOPES_PAGE},
                    )
                return handler(self, call, *of, *map(urllib.parse.unquote, arguments))
        raise Violation("no call that this project makes", 404)

    # Records.

    def set(self, record_id: str, name: str, value: str, source: str, call: int | None, of: str = "companies") -> None:
        record = self.objects[of].records[record_id]
        old = record.values.get(name)
        self.changed += call is not None and (old or "") != value
        if self.keep_bodies:
            self.commits.append(Commit(call, record_id, name, old, value, source, of))
        if old == value:
            return
        record.values[name] = value
        record.updated_at = self.moment()
        version = {"value": value, "timestamp": record.updated_at, "sourceType": source, "sourceId": "stand-in"}
        versions = record.history.setdefault(name, [])
        versions.insert(0, version)
        if not self.keep_bodies:
            del versions[1:]

    def shown(self, of: str, record: Record, names: Iterable[str], history: Iterable[str] = ()) -> dict[str, Any]:
        """A record as an answer has it: what was never set is null, what was cleared is empty, what is unknown is left out."""
        known = self.objects[of].properties
        fixed = {"createdate": record.created_at, "hs_lastmodifieddate": record.updated_at, "hs_object_id": record.id}
        asked = [name for name in names or DEFAULTS[of] if name in known and name not in fixed]
        shown = {
            "id": record.id,
            "properties": fixed | {name: record.values.get(name) for name in asked},
            "createdAt": record.created_at,
            "updatedAt": record.updated_at,
            "archived": record.is_archived,
        }
        if history:
            shown["propertiesWithHistory"] = {name: record.history.get(name, []) for name in history if name in known}
        return shown

    def batch(self, results: list[dict[str, Any]], errors: list[dict[str, Any]]) -> tuple[int, Any]:
        now = self.moment()
        body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        if not errors:
            return 200, body
        return 207, body | {"numErrors": len(errors), "errors": errors}

    def ids_of(self, body: Any, most: int = 100) -> list[str]:
        ids = [item["id"] for item in body["inputs"]]
        if not 1 <= len(ids) <= most:
            raise Violation(f"{len(ids)} inputs: from 1 to {most} are allowed")
        for record_id in ids:
            if not record_id.isdigit():
                raise Refusal(400, f"Invalid input JSON: {record_id!r} is not a valid id")
        return ids

    def not_found(self, of: str, ids: list[str]) -> list[dict[str, Any]]:
        what = SINGULAR[of].upper()
        message = f"Could not get some {what} objects, they may be deleted or not exist. Check that ids are valid."
        error = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": {"ids": ids}}
        return [error] if ids else []

    def read(self, call: Call, of: str) -> tuple[int, Any]:
        validate(BatchGetParams, call.body)
        kind = self.objects[of]
        history = call.body["propertiesWithHistory"]
        is_archived = call.query.get("archived") == "true"
        found, missing = {}, []
        for asked in self.ids_of(call.body, 50 if history else 100):
            record = kind.records.get(kind.merged.get(asked, asked))
            if record and record.is_archived == is_archived:
                found[record.id] = self.shown(of, record, call.body["properties"], history)
            else:
                missing.append(asked)
        # In no order that a client may rely on, and a survivor once however often it was asked for.
        return self.batch(sorted(found.values(), key=lambda shown: shown["id"][::-1]), self.not_found(of, missing))

    def update(self, call: Call, of: str) -> tuple[int, Any]:
        validate(BatchUpdateParams, call.body)
        kind = self.objects[of]
        ids = self.ids_of(call.body)
        if len(set(ids)) < len(ids):
            raise Violation("Duplicate IDs found in batch input")
        conflicts = [record_id for record_id in ids if record_id in kind.locked]
        if conflicts:
            raise Refusal(409, "The batch could not be written: a record is being changed by another process.", "CONFLICT")
        new = {}
        for item in call.body["inputs"]:
            if set(item) != {"id", "properties"}:
                raise Violation("a record is updated by its record id")
            new[item["id"]] = {name: self.checked(of, name, value) for name, value in item["properties"].items()}
        missing, results, errors = [], {}, []
        for asked, values in new.items():
            record = kind.records.get(kind.merged.get(asked, asked))
            if record is None or record.is_archived:
                missing.append(asked)
                continue
            unset = [name for name in sorted(kind.required) if not (record.values | values).get(name)]
            if unset:
                message = f"Error updating {SINGULAR[of].upper()}. Some required properties were not set."
                raise Refusal(400, message, context={"properties": unset})
            if asked in kind.refused:
                error = {"status": "error", "category": "VALIDATION_ERROR", "message": kind.refused[asked]}
                errors.append(error | {"context": {"ids": [asked]}})
                continue
            results[asked] = record
        for asked, record in results.items():
            for name, value in new[asked].items():
                self.set(record.id, name, value, "INTEGRATION", call.number, of)
        shown = [self.shown(of, record, new[asked]) for asked, record in results.items()]
        return self.batch(shown, self.not_found(of, missing) + errors)

    def checked(self, of: str, name: str, value: str) -> str:
        """The value as it is stored; Refusal of the whole batch where the property or the value is not valid."""
        if name not in self.objects[of].properties:
            raise invalid_value(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
        definition = self.objects[of].properties[name]
        if definition["modificationMetadata"]["readOnlyValue"]:
            raise invalid_value(name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
        if value == "" or definition["type"] == "string":
            if len(value) > 65536:
                raise invalid_value(name, "INVALID_STRING", "longer than 65536 characters")
            return value
        if value != value.strip():
            raise invalid_value(name, "LEADING_TRAILING_WHITESPACE", f'"{value}" includes leading or trailing whitespace.')
        if definition["type"] == "enumeration":
            allowed = [option["value"] for option in definition["options"]]
            if not set(value.split(";") if definition["fieldType"] == "checkbox" else [value]) <= set(allowed):
                raise invalid_value(name, "INVALID_OPTION", f"{value} was not one of the allowed options: {allowed}")
        elif definition["type"] == "number":
            if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
                raise invalid_value(name, "INVALID_NUMBER", f"{value} was not a valid number.")
            return value.rstrip("0").rstrip(".") if "." in value else value
        elif definition["type"] == "date":
            with contextlib.suppress(ValueError):
                moment = int(value) / 1000 if value.isdigit() else None
                day = datetime.fromtimestamp(moment, UTC) if moment is not None else date.fromisoformat(value)
                return f"{day:%Y-%m-%d}"
            raise invalid_value(name, "INVALID_DATE", f"{value} was not a valid date.")
        return value

    def search(self, call: Call, of: str) -> tuple[int, Any]:
        body, kind = call.body, self.objects[of]
        # HubSpot's own type of `sorts` (strings) is a known error: the service reads objects and ignores strings.
        validate(CompanySearchParams, body | {"sorts": []} if isinstance(body, dict) and "sorts" in body else body)
        filters = [filter for group in body["filterGroups"] for filter in group["filters"]]
        if len(body["filterGroups"]) > 5 or len(filters) > 18 or any(len(group["filters"]) > 6 for group in body["filterGroups"]):
            raise Refusal(400, "Too many filters: at most 5 groups of 6, and 18 in all.")
        if not 1 <= body["limit"] <= 200:
            raise Refusal(400, "limit must be between 1 and 200")
        start = int(body["after"] or 0)
        if start + body["limit"] > 10_000:
            raise Refusal(400, "The search cannot go beyond 10,000 results.")
        unknown = {filter["propertyName"] for filter in filters} - set(kind.properties)
        if unknown:
            raise Refusal(400, f"There was a problem with the request: property {sorted(unknown)} does not exist")
        records = kind.records if kind.searched is None else kind.searched
        after_ids = [
            {int(f["value"]) for f in group["filters"] if f["propertyName"] == "hs_object_id" and f["operator"] == "GT"}
            for group in body["filterGroups"]
        ]
        first = bisect.bisect_right(kind.ids, min(map(max, after_ids))) if after_ids and all(after_ids) else 0
        found = [
            record
            for record in (records.get(str(n)) for n in kind.ids[first:])
            if record and not record.is_archived and any_group(record, body["filterGroups"])
        ]
        by_id = {"propertyName": "hs_object_id", "direction": "ASCENDING"}  # as they are found
        for sort in reversed([sort for sort in body["sorts"] if isinstance(sort, dict) and sort != by_id]):
            found.sort(key=lambda record: sort_key(record, sort["propertyName"]), reverse=sort.get("direction") == "DESCENDING")
        if not body["sorts"] or isinstance(body["sorts"][0], str):
            found.sort(key=lambda record: record.id[::-1])
        page = found[start : start + body["limit"]]
        shown = [self.shown(of, record, body["properties"]) for record in page]
        answer: dict[str, Any] = {"total": len(found), "results": shown}
        if start + len(page) < len(found):
            answer["paging"] = {"next": {"after": str(start + len(page))}}
        return 200, answer

    def list_records(self, call: Call, of: str) -> tuple[int, Any]:
        kind = self.objects[of]
        limit = int(call.query.get("limit", "10"))
        if limit > 100:
            raise Violation("limit above 100")
        is_archived = call.query.get("archived") == "true"
        first = bisect.bisect_right(kind.ids, int(call.query.get("after", "0")) - self.mark_beyond)
        records = (kind.records[str(kind.ids[n])] for n in range(first, len(kind.ids)))
        page = list(itertools.islice((r for r in records if r.is_archived == is_archived), limit + 1))
        names = [name for name in call.query.get("properties", "").split(",") if name]
        answer: dict[str, Any] = {"results": [self.shown(of, record, names) for record in page[:limit]]}
        if len(page) > limit:
            answer["paging"] = {"next": {"after": str(int(page[limit - 1].id) + self.mark_beyond)}}
        return 200, answer

    # Properties.

    def list_properties(self, call: Call, of: str) -> tuple[int, Any]:
        return 200, {"results": list(self.objects[of].properties.values())}

    def get_property(self, call: Call, of: str, name: str) -> tuple[int, Any]:
        if name not in self.objects[of].properties:
            raise Refusal(404, f"Property {name} does not exist", "OBJECT_NOT_FOUND", subCategory="Property.NOT_FOUND")
        return 200, self.objects[of].properties[name]

    def create_property(self, call: Call, of: str) -> tuple[int, Any]:
        validate(PropertyCreateParams, call.body)
        body, known = call.body, self.objects[of].properties
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}", body["name"]) or body["name"].startswith("hs_"):
            raise Refusal(400, f"Invalid property name: {body['name']}")
        if body["name"] in known:
            raise Refusal(409, f"Property named '{body['name']}' already exists.", "OBJECT_ALREADY_EXISTS")
        if body["groupName"] not in self.objects[of].groups:
            raise Refusal(400, f"Property group {body['groupName']} does not exist", subCategory="Property.GROUP_NOT_FOUND")
        self.add_property(body["name"], body["type"], group=body["groupName"], of=of)
        known[body["name"]] |= body | {"options": self.checked_options(body.get("options", []), body["type"])}
        return 201, known[body["name"]]

    def update_property(self, call: Call, of: str, name: str) -> tuple[int, Any]:
        validate(PropertyUpdateParams, call.body | {"objectType": of})
        _, definition = self.get_property(call, of, name)
        if "options" in call.body:
            self.checked_options(call.body["options"], definition["type"])
        definition |= call.body
        return 200, definition

    def checked_options(self, options: list[dict[str, Any]], type: str) -> list[dict[str, Any]]:
        if (type == "enumeration") != bool(options):
            raise Refusal(400, "An enumeration needs options, and nothing else has them.")
        for key in ("label", "value"):
            if len({option[key] for option in options}) < len(options):
                raise Refusal(400, f"Property option {key}s must be unique.", subCategory="Property.DUPLICATE_OPTION")
        if any(option["value"] != option["value"].strip() or not option["label"] for option in options):
            raise Refusal(400, "An option has no label, or whitespace around its value.")
        return options

    def list_groups(self, call: Call, of: str) -> tuple[int, Any]:
        groups = self.objects[of].groups.values()
        return 200, {"results": [group | {"archived": False, "displayOrder": -1} for group in groups]}

    def create_group(self, call: Call, of: str) -> tuple[int, Any]:
        validate(GroupCreateParams, call.body)
        groups, name = self.objects[of].groups, call.body["name"]
        if name in groups:
            raise Refusal(409, f"Property group named '{name}' already exists.", "OBJECT_ALREADY_EXISTS")
        groups[name] = {"name": name, "label": call.body["label"]}
        return 201, groups[name] | {"archived": False, "displayOrder": -1}

    # Lists.

    def create_list(self, call: Call) -> tuple[int, Any]:
        validate(ListCreateParams, call.body)
        body = call.body
        if body["objectTypeId"] not in ("0-1", "0-2") or body["processingType"] != "DYNAMIC":
            raise Violation("only dynamic lists of companies and contacts are made")
        self.check_name_is_free(body["name"])
        self.check_filters(body.get("filterBranch"), NAMES[body["objectTypeId"]])
        now = self.moment()
        found = {
            "listId": str(next(self.list_numbers)),
            "listVersion": 1,
            "name": body["name"],
            "objectTypeId": body["objectTypeId"],
            "processingStatus": "PROCESSING",
            "processingType": "DYNAMIC",
            "filterBranch": body["filterBranch"],
            "createdAt": now,
            "updatedAt": now,
            "filtersUpdatedAt": now,
        }
        self.lists[found["listId"]] = found
        return 200, {"list": found}

    def add_list(self, name: str, filters: dict[str, Any], of: str = "companies") -> str:
        """A person makes a dynamic list."""
        with self.lock:
            body = {"name": name, "objectTypeId": OBJECTS[of], "processingType": "DYNAMIC", "filterBranch": filters}
            return self.create_list(Call(0, "POST", "", {}, body, 0))[1]["list"]["listId"]

    def check_name_is_free(self, name: str) -> None:
        if any(found["name"] == name for found in self.lists.values()):
            message = f"A list already exists with the name {name!r}. Please choose another name."
            raise Refusal(400, message, subCategory="ILS.DUPLICATE_LIST_NAMES")

    def check_filters(self, root: Any, of: str = "companies") -> None:
        """HubSpot wants OR of ANDs, and properties and options that exist."""
        if not root or root["filterBranchType"] != "OR" or root["filters"] or not root["filterBranches"]:
            raise Refusal(400, "The root of filters is an OR with AND branches and no filters.", subCategory="ILS.INVALID_FILTER")
        for branch in root["filterBranches"]:
            if branch["filterBranchType"] != "AND" or branch["filterBranches"]:
                raise Refusal(400, "The branches of the root are ANDs of filters.", subCategory="ILS.INVALID_FILTER")
            for filter in branch["filters"]:
                known, operation = self.objects[of].properties, filter.get("operation", {})
                definition = known.get(filter.get("property"))
                if definition is None:
                    raise Refusal(400, f"Property {filter.get('property')} does not exist.", subCategory="ILS.INVALID_FILTER")
                kinds = OPERATIONS[definition["type"]]
                operators = kinds.get(operation["operationType"], ())
                if operation["operator"] not in operators:
                    wanted = f"{operation['operationType']} {operation['operator']} on a {definition['type']} property"
                    raise Refusal(400, f"No such filter: {wanted}.", subCategory="ILS.INVALID_FILTER")
                options = {option["value"] for option in definition["options"]}
                if operation["operationType"] == "ENUMERATION" and not set(operation["values"]) <= options:
                    raise Refusal(400, f"Options {operation['values']} do not all exist.", subCategory="ILS.INVALID_FILTER")

    def evaluate(self, found: dict[str, Any]) -> list[str]:
        branches = found["filterBranch"]["filterBranches"]
        kind = self.objects[NAMES[found.get("objectTypeId", "0-2")]]
        records = (record for record in kind.records.values() if not record.is_archived)
        return sorted(record.id for record in records if any(all(passes(record, f) for f in b["filters"]) for b in branches))

    def find_list(self, list_id: str) -> dict[str, Any]:
        if list_id not in self.lists:
            raise Refusal(404, f"List {list_id} does not exist.", "OBJECT_NOT_FOUND", subCategory="ILS.LIST_NOT_FOUND")
        return self.lists[list_id]

    def shown_list(self, call: Call, found: dict[str, Any]) -> dict[str, Any]:
        is_whole = call.query.get("includeFilters") == "true"
        return {"size": len(self.evaluate(found))} | {k: v for k, v in found.items() if is_whole or k != "filterBranch"}

    def get_list(self, call: Call, list_id: str) -> tuple[int, Any]:
        return 200, {"list": self.shown_list(call, self.find_list(list_id))}

    def get_list_by_name(self, call: Call, object_type: str, name: str) -> tuple[int, Any]:
        for found in self.lists.values():
            if found["name"] == name and found["objectTypeId"] == object_type:
                return 200, {"list": self.shown_list(call, found)}
        raise Refusal(404, f"List with name {name!r} does not exist.", "OBJECT_NOT_FOUND", subCategory="ILS.LIST_NOT_FOUND")

    def search_lists(self, call: Call) -> tuple[int, Any]:
        validate(ListListBySearchParams, call.body)
        body = call.body
        count, offset = body.get("count", 20), body["offset"]
        if count > 500:
            raise Refusal(400, "count is at most 500")
        found = [
            {key: value for key, value in found.items() if key != "filterBranch"}
            | {"additionalProperties": {"hs_list_size": str(len(self.evaluate(found)))}}
            for found in self.lists.values()
            if body.get("query", "").casefold() in found["name"].casefold()
            and (not body["listIds"] or found["listId"] in body["listIds"])
            and (not body["processingTypes"] or found["processingType"] in body["processingTypes"])
            and body.get("objectTypeId", found["objectTypeId"]) == found["objectTypeId"]
        ]
        page = found[offset : offset + count]
        more = offset + len(page) < len(found)
        return 200, {"lists": page, "hasMore": more, "offset": offset + len(page), "total": len(found)}

    def update_filters(self, call: Call, list_id: str) -> tuple[int, Any]:
        validate(ListUpdateListFiltersParams, call.body)
        found = self.find_list(list_id)
        self.check_filters(call.body["filterBranch"], NAMES[found["objectTypeId"]])
        now = self.moment()
        found |= {"filterBranch": call.body["filterBranch"], "filtersUpdatedAt": now, "updatedAt": now}
        found["listVersion"] += 1
        return 200, {"updatedList": found}

    def rename_list(self, call: Call, list_id: str) -> tuple[int, Any]:
        found = self.find_list(list_id)
        if call.query["listName"] != found["name"]:
            self.check_name_is_free(call.query["listName"])
        found |= {"name": call.query["listName"], "updatedAt": self.moment()}
        return 200, {"updatedList": self.shown_list(call, found)}

    def list_members(self, call: Call, list_id: str) -> tuple[int, Any]:
        members = [
            company_id for company_id in self.evaluate(self.find_list(list_id)) if company_id > call.query.get("after", "")
        ]
        page = members[: int(call.query.get("limit", "100"))]
        answer: dict[str, Any] = {
            "results": [{"recordId": company_id, "membershipTimestamp": self.moment()} for company_id in page]
        }
        if len(page) < len(members):
            answer["paging"] = {"next": {"after": page[-1]}}
        return 200, answer

    def list_owners(self, call: Call) -> tuple[int, Any]:
        return 200, {"results": self.owners}

    # The account.

    def details(self, call: Call) -> tuple[int, Any]:
        return 200, {
            "portalId": self.portal_id,
            "accountType": "STANDARD",
            "timeZone": "UTC",
            "companyCurrency": "USD",
            "additionalCurrencies": [],
            "utcOffset": "+00:00",
            "utcOffsetMilliseconds": 0,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }

    def usage(self, call: Call) -> tuple[int, Any]:
        used = {
            "name": "private-apps-api-calls-daily",
            "currentUsage": len(self.calls),
            "usageLimit": self.daily_limit or 250_000,
        }
        return 200, {"results": [used | {"collectedAt": self.moment(), "fetchStatus": "SUCCESS", "resetsAt": None}]}


class LimitReached(Exception):
    def __init__(self, policy: str) -> None:
        super().__init__(policy)
        self.policy = policy


def invalid_value(name: str, code: str, message: str) -> Refusal:
    """The whole batch is refused, and the answer does not say for which record."""
    error = {"isValid": False, "message": message, "error": code, "name": name, "localizedErrorMessage": message}
    detail = {"message": message, "code": code, "context": {"propertyName": [name]}}
    return Refusal(400, f"Property values were not valid: {json.dumps([error])}", errors=[detail])


def held(record: Record, name: str) -> str:
    """A value as filters see it: empty where there is none."""
    if name == "hs_object_id":
        return record.id
    return record.values.get(name) or {"createdate": record.created_at, "hs_lastmodifieddate": record.updated_at}.get(name, "")


def sort_key(record: Record, name: str) -> tuple[float, str]:
    value = held(record, name)
    return (float(value), "") if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) else (math.inf, value)


def any_group(record: Record, groups: list[dict[str, Any]]) -> bool:
    return not groups or any(all(finds(record, filter) for filter in group["filters"]) for group in groups)


def finds(record: Record, filter: dict[str, Any]) -> bool:
    """One filter of the search."""
    value, operator, wanted = held(record, filter["propertyName"]), filter["operator"], filter.get("value", "")
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return (value != "") == (operator == "HAS_PROPERTY")
    if operator in ("IN", "NOT_IN"):
        return (value.casefold() in {w.casefold() for w in filter["values"]}) == (operator == "IN")
    if operator in ("EQ", "NEQ"):
        return (value.casefold() == wanted.casefold()) == (operator == "EQ")
    if operator not in ("GT", "GTE", "LT", "LTE"):
        raise Violation(f"the stand-in does not know the operator {operator}")
    if value == "":
        return False
    number, limit = float(value), float(wanted)
    return {"GT": number > limit, "GTE": number >= limit, "LT": number < limit, "LTE": number <= limit}[operator]


KNOWN = {"ALL_PROPERTY": ("IS_KNOWN", "IS_UNKNOWN")}
TEXT = {
    kind: ("IS_EQUAL_TO", "IS_NOT_EQUAL_TO", "CONTAINS", "DOES_NOT_CONTAIN", "STARTS_WITH", "ENDS_WITH")
    for kind in ("STRING", "MULTISTRING")
}
NUMBER = ("IS_EQUAL_TO", "IS_NOT_EQUAL_TO", "IS_GREATER_THAN", "IS_GREATER_THAN_OR_EQUAL_TO", "IS_LESS_THAN")
# Type of the property -> type of the operation -> operators that this stand-in evaluates.
OPERATIONS = {
    "string": KNOWN | TEXT,
    "enumeration": KNOWN | {"ENUMERATION": ("IS_ANY_OF", "IS_NONE_OF")},
    "number": KNOWN | {"NUMBER": (*NUMBER, "IS_LESS_THAN_OR_EQUAL_TO"), "NUMBER_RANGED": ("IS_BETWEEN", "IS_NOT_BETWEEN")},
    "bool": KNOWN,
    "date": KNOWN,
    "datetime": KNOWN,
}


def passes(record: Record, filter: dict[str, Any]) -> bool:
    """One filter of a list. A company without a value passes only where the filter says so."""
    value, operation = held(record, filter["property"]), filter["operation"]
    kind, operator = operation["operationType"], operation["operator"]
    if kind == "ALL_PROPERTY":
        return (value != "") == (operator == "IS_KNOWN")
    if value == "":
        return operation["includeObjectsWithNoValueSet"]
    if kind == "ENUMERATION":
        return bool(set(value.split(";")) & set(operation["values"])) == (operator == "IS_ANY_OF")
    if kind == "NUMBER_RANGED":
        return (operation["lowerBound"] <= float(value) <= operation["upperBound"]) == (operator == "IS_BETWEEN")
    if kind == "NUMBER":
        number, limit = float(value), operation["value"]
        return {
            "IS_EQUAL_TO": number == limit,
            "IS_NOT_EQUAL_TO": number != limit,
            "IS_GREATER_THAN": number > limit,
            "IS_GREATER_THAN_OR_EQUAL_TO": number >= limit,
            "IS_LESS_THAN": number < limit,
            "IS_LESS_THAN_OR_EQUAL_TO": number <= limit,
        }[operator]
    text = value.casefold()
    wanted = [w.casefold() for w in (operation["values"] if kind == "MULTISTRING" else [operation["value"]])]
    return {
        "IS_EQUAL_TO": text in wanted,
        "IS_NOT_EQUAL_TO": text not in wanted,
        "CONTAINS": any(w in text for w in wanted),
        "DOES_NOT_CONTAIN": not any(w in text for w in wanted),
        "STARTS_WITH": any(text.startswith(w) for w in wanted),
        "ENDS_WITH": any(text.endswith(w) for w in wanted),
    }[operator]


READ, WRITE = "crm.objects.{}.read", "crm.objects.{}.write"
READ_SCHEMA, WRITE_SCHEMA = "crm.schemas.{}.read", "crm.schemas.{}.write"
READ_LISTS, WRITE_LISTS = "crm.lists.read", "crm.lists.write"
# An object in a path is its name or its number.
NAMES = {name: of for of, number in OBJECTS.items() for name in (of, number)}
# Method, path, scope, handler. What is not here is never called.
ROUTES: list[tuple[str, str, str, Callable[..., tuple[int, Any]]]] = [
    ("GET", "/account-info/{v}/details", "", HubSpotPortal.details),
    ("GET", "/account-info/{v}/api-usage/daily/private-apps", "", HubSpotPortal.usage),
    ("GET", "/crm/owners/{v}", "crm.objects.owners.read", HubSpotPortal.list_owners),
    ("GET", "/crm/objects/{v}/{of}", READ, HubSpotPortal.list_records),
    ("POST", "/crm/objects/{v}/{of}/batch/read", READ, HubSpotPortal.read),
    ("POST", "/crm/objects/{v}/{of}/batch/update", WRITE, HubSpotPortal.update),
    ("POST", "/crm/objects/{v}/{of}/search", READ, HubSpotPortal.search),
    ("GET", "/crm/properties/{v}/{of}", READ_SCHEMA, HubSpotPortal.list_properties),
    ("POST", "/crm/properties/{v}/{of}", WRITE_SCHEMA, HubSpotPortal.create_property),
    ("GET", "/crm/properties/{v}/{of}/groups", READ_SCHEMA, HubSpotPortal.list_groups),
    ("POST", "/crm/properties/{v}/{of}/groups", WRITE_SCHEMA, HubSpotPortal.create_group),
    ("GET", "/crm/properties/{v}/{of}/([^/]+)", READ_SCHEMA, HubSpotPortal.get_property),
    ("PATCH", "/crm/properties/{v}/{of}/([^/]+)", WRITE_SCHEMA, HubSpotPortal.update_property),
    ("GET", "/automation/v4/flows", "automation", HubSpotPortal.list_flows),
    ("POST", "/automation/v4/flows", "automation", HubSpotPortal.create_flow),
    ("GET", "/automation/v4/flows/([^/]+)", "automation", HubSpotPortal.get_flow),
    ("DELETE", "/automation/v4/flows/([^/]+)", "automation", HubSpotPortal.delete_flow),
    ("POST", "/crm/lists/{v}", WRITE_LISTS, HubSpotPortal.create_list),
    ("POST", "/crm/lists/{v}/search", READ_LISTS, HubSpotPortal.search_lists),
    ("GET", "/crm/lists/{v}/object-type-id/([^/]+)/name/([^/]+)", READ_LISTS, HubSpotPortal.get_list_by_name),
    ("GET", "/crm/lists/{v}/([0-9]+)", READ_LISTS, HubSpotPortal.get_list),
    ("GET", "/crm/lists/{v}/([0-9]+)/memberships", READ_LISTS, HubSpotPortal.list_members),
    ("PUT", "/crm/lists/{v}/([0-9]+)/update-list-filters", WRITE_LISTS, HubSpotPortal.update_filters),
    ("PUT", "/crm/lists/{v}/([0-9]+)/update-list-name", WRITE_LISTS, HubSpotPortal.rename_list),
]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    portal: HubSpotPortal

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away (or is killed) is no error of the server."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    disable_nagle_algorithm = True
    server: Server

    def handle_any(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.server.portal.answer_seconds)
        answered = self.server.portal.answer(self.command, self.path, self.headers, raw)
        if answered is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, headers, body = answered
        self.send_response(status)
        for name, value in {"Content-Type": "application/json;charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet: the portal remembers every call."""


def main() -> None:
    parser = argparse.ArgumentParser(description="A HubSpot stand-in on loopback.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=TOKEN)
    for of in OBJECTS:
        parser.add_argument(f"--{of}", type=int, default=0, help=f"so many {of}, with ids from 1")
    parser.add_argument("--answer-seconds", type=float, default=0, help="how long each answer takes")
    parser.add_argument("--requests-per-10-seconds", type=int, default=None)
    parser.add_argument("--searches-per-second", type=int, default=None)
    options = parser.parse_args()
    portal = HubSpotPortal(
        options.token,
        requests_per_10_seconds=options.requests_per_10_seconds,
        searches_per_second=options.searches_per_second,
        keep_bodies=False,
        port=options.port,
        answer_seconds=options.answer_seconds,
    )
    for n in range(1, options.companies + 1):
        portal.add_company(str(n), name=f"Company {n}")
    for n in range(1, options.contacts + 1):
        portal.add_record("contacts", str(n), email=f"person.{n}@example.com")
    for n in range(1, options.deals + 1):
        portal.add_record("deals", str(n), dealname=f"Deal {n}")
    with portal, contextlib.suppress(KeyboardInterrupt):
        print(portal.url, flush=True)
        portal.thread.join()


if __name__ == "__main__":
    main()
