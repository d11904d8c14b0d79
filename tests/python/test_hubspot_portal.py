"""The stand-in for HubSpot where it could lie: seen through HubSpot's own client, and refusing what HubSpot refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hubspot_sdk import HubSpot
from hubspot_sdk._exceptions import APIStatusError
from hubspot_sdk.types.crm import PublicObjectList

from hubspot_portal import Fault, HubSpotPortal, RollingLimit, SimulatedClock

OPTION = {"displayOrder": 0, "hidden": False}


@pytest.fixture
def portal() -> Iterator[HubSpotPortal]:
    with HubSpotPortal(version="2026-03") as portal:
        portal.add_property("icp_tier", "enumeration", ["tier_1", "tier_2"])
        portal.add_property("icp_fit_score", "number")
        for company_id in ("101", "102", "103", "104"):
            portal.add_company(company_id, name=f"Company {company_id}")
        portal.archive("103")
        portal.merge("104", into="102")
        yield portal


@pytest.fixture
def hubspot(portal: HubSpotPortal) -> HubSpot:
    return HubSpot(access_token=portal.token, base_url=portal.url, max_retries=0)


def call(portal: HubSpotPortal, method: str, path: str, body: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {portal.token}"}
    return httpx.request(method, portal.url + path.replace("{v}", portal.version), json=body, headers=headers)


def update(portal: HubSpotPortal, *inputs: tuple[str, dict[str, str]]) -> httpx.Response:
    body = {"inputs": [{"id": company_id, "properties": properties} for company_id, properties in inputs]}
    return call(portal, "POST", "/crm/objects/{v}/companies/batch/update", body)


def test_hubspots_own_client_understands_every_answer(portal: HubSpotPortal, hubspot: HubSpot) -> None:
    companies = hubspot.crm.objects.companies
    hubspot.crm.properties.groups.create("companies", name="icp", label="ICP")
    made = hubspot.crm.properties.create(
        "companies",
        name="icp_segment",
        label="Segment",
        group_name="icp",
        type="enumeration",
        field_type="select",
        options=[{"label": "One", "value": "1", **OPTION}],
    )
    assert [option.value for option in made.options] == ["1"]
    assert {"icp_segment", "name"} <= {found.name for found in hubspot.crm.properties.list("companies").results}
    written = companies.batch.update(inputs=[{"id": "101", "properties": {"icp_segment": "1", "icp_fit_score": "72.50"}}])
    assert written.results[0].properties["icp_fit_score"] == "72.5"
    read = companies.batch.get(
        inputs=[{"id": "101"}, {"id": "104"}], properties=["icp_segment"], properties_with_history=["icp_segment"]
    )
    assert {found.id: found.properties["icp_segment"] for found in read.results} == {"101": "1", "102": None}
    [history] = next(found for found in read.results if found.id == "101").properties_with_history["icp_segment"]
    assert (history.value, history.source_type) == ("1", "INTEGRATION")
    assert [found.id for found in companies.list()] == ["101", "102"]
    found = companies.search(
        filter_groups=[{"filters": [{"property_name": "icp_segment", "operator": "HAS_PROPERTY"}]}],
        sorts=[],
        properties=[],
        limit=200,
        after="0",
    )
    assert [company.id for company in found.results] == ["101"]
    is_one = {"operationType": "ENUMERATION", "operator": "IS_ANY_OF", "values": ["1"], "includeObjectsWithNoValueSet": False}
    one = {"name": "One", "object_type_id": "0-2", "processing_type": "DYNAMIC"}
    hubspot.crm.lists.create(**one, filter_branch=one_filter("icp_segment", is_one))
    found = call(portal, "GET", "/crm/lists/{v}/object-type-id/0-2/name/One?includeFilters=true").json()["list"]
    PublicObjectList.model_rebuild()
    assert PublicObjectList.model_validate(found).size == 1
    assert hubspot.account.get().portal_id == portal.portal_id
    with pytest.raises(APIStatusError) as taken:
        hubspot.crm.lists.create(**one, filter_branch=one_filter("icp_segment", is_one))
    assert taken.value.body["subCategory"] == "ILS.DUPLICATE_LIST_NAMES"


def one_filter(name: str, operation: dict[str, Any]) -> dict[str, Any]:
    """An OR of one AND of one filter, as it is sent."""
    filter = {"filterType": "PROPERTY", "property": name, "operation": operation}
    branch = {"filterBranchType": "AND", "filterBranchOperator": "AND", "filters": [filter], "filterBranches": []}
    return {"filterBranchType": "OR", "filterBranchOperator": "OR", "filters": [], "filterBranches": [branch]}


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ({"icp_tier": "tier_9"}, "INVALID_OPTION"),
        ({"nowhere": "x"}, "PROPERTY_DOESNT_EXIST"),
        ({"createdate": "2026-01-01"}, "READ_ONLY_VALUE"),
        ({"icp_fit_score": "1,000"}, "INVALID_NUMBER"),
        ({"icp_tier": " tier_1"}, "LEADING_TRAILING_WHITESPACE"),
    ],
)
def test_one_bad_value_refuses_the_whole_batch(portal: HubSpotPortal, bad: dict[str, str], code: str) -> None:
    answer = update(portal, ("102", {"icp_tier": "tier_1"}), ("101", bad))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    assert portal.values("icp_tier") == {}


def test_a_company_that_is_gone_is_named_and_the_others_are_written(portal: HubSpotPortal) -> None:
    answer = update(portal, *((company_id, {"icp_tier": "tier_1"}) for company_id in ("101", "103", "104", "999")))
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"ids": ["103", "999"]}
    assert portal.values("icp_tier") == {"101": "tier_1", "102": "tier_1"}  # 104 lives on in 102
    portal.required.add("domain")
    assert update(portal, ("101", {"icp_tier": ""})).status_code == 400
    assert portal.value("101", "icp_tier") == "tier_1"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/crm/objects/{v}/companies", {"properties": {"name": "New"}}),
        ("DELETE", "/crm/objects/{v}/companies/101", None),
        ("POST", "/crm/objects/{v}/companies/batch/update", {"inputs": [{"id": 101, "properties": {"icp_tier": "tier_1"}}]}),
        (
            "POST",
            "/crm/objects/{v}/companies/batch/update",
            {"inputs": [{"id": "101", "properties": {"icp_tier": "tier_1"}}], "more": 1},
        ),
        (
            "POST",
            "/crm/objects/{v}/companies/batch/update",
            {"inputs": [{"id": str(n), "properties": {"icp_tier": "tier_1"}} for n in range(101, 202)]},
        ),
        ("POST", "/crm/objects/{v}/companies/batch/read", {"inputs": [{"id": "101"}], "properties": []}),
    ],
)
def test_what_must_never_be_sent_fails_the_test_that_sends_it(method: str, path: str, body: Any) -> None:
    with pytest.raises(AssertionError, match="forbid"), HubSpotPortal() as portal:  # noqa: PT012
        portal.add_company("101")
        portal.add_property("icp_tier", "enumeration", ["tier_1"])
        assert call(portal, method, path, body).status_code >= 400
        assert portal.commits == []


def test_a_connection_dropped_after_the_commit_leaves_the_values_written(portal: HubSpotPortal) -> None:
    portal.faults += [Fault(drop=True, path="batch/update", after=True), Fault(drop=True, path="batch/update", call=2)]
    for value in ("tier_1", "tier_2"):
        with pytest.raises(httpx.RemoteProtocolError):
            update(portal, ("101", {"icp_tier": value}))
    assert portal.value("101", "icp_tier") == "tier_1"


def test_a_missing_scope_is_named(portal: HubSpotPortal) -> None:
    portal.scopes.remove("crm.objects.companies.write")
    answer = update(portal, ("101", {"icp_tier": "tier_1"}))
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["context"] == {"requiredGranularScopes": ["crm.objects.companies.write"]}
    portal.is_revoked = True
    assert update(portal, ("101", {"icp_tier": "tier_1"})).status_code == 401
    assert portal.commits[-1].source == "CRM_UI"


def test_the_limit_holds_in_every_window_of_ten_seconds() -> None:
    clock = SimulatedClock()
    limit = RollingLimit(100, 10, "TEN_SECONDLY_ROLLING", clock.now)
    granted = []
    while clock.now() < 60:
        if limit.allows():
            granted.append(clock.now())
        clock.sleep(0.03)
    assert max(sum(1 for at in granted if start <= at < start + 10) for start in granted) == 100
    assert len(granted) == 600


def test_a_list_holds_whom_its_filters_say(portal: HubSpotPortal) -> None:
    for company_id, value in (("101", "49"), ("102", "50")):
        portal.edit(company_id, "numberofemployees", value)
    portal.add_company("105", name="No size")
    operation = {"operationType": "NUMBER", "operator": "IS_GREATER_THAN_OR_EQUAL_TO", "value": 50}
    for name, holds_empty, members in (("strict", False, ["102"]), ("open", True, ["102", "105"])):
        operation["includeObjectsWithNoValueSet"] = holds_empty
        portal.add_list(name, one_filter("numberofemployees", operation))
        assert portal.members(name) == members
