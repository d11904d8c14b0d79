"""Contacts and deals: found by id, written, kept, withheld and taken back as companies are."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hubspot_desk import Desk, contact, row
from hubspot_portal import TOKEN, Fault, bad_gateway, too_many_requests
from icp_refinery.hubspot.apply import Outcome
from icp_refinery.hubspot.errors import DailyQuota, MissingScope, PlanError, Refused, Unauthorized, Unreachable, Unsure

ALL = {"objects": ["companies", "contacts", "deals"]}
RECORDS = range(1001, 1102)
PEOPLE = {"201": "tara.tanaka@alder.example", "202": "priya.lopez@alder.example", "203": "mira.weber@alder.example"}


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """A portal with a company, three contacts and two open deals, of which the marts know all."""
    desk.config = dict(ALL)
    # A contact and a deal under the company's own number: ids are an object's own.
    desk.hubspot.add_company("201", name="Alder")
    for record, email in PEOPLE.items():
        desk.hubspot.add_record("contacts", record, email=email, firstname="Person")
    for record in ("201", "302"):
        desk.hubspot.add_record("deals", record, dealname=f"Deal {record}")
    desk.publish(
        {"201": row()},
        contacts={record: contact("tier_2", role) for record, role in zip(PEOPLE, ("user", "influencer", None), strict=True)},
        deals={"201": row("tier_3"), "302": row("tier_1", score="40"), "303": row() | {"is_closed": True}},
    )
    return desk


def test_values_go_to_each_object_and_come_back(filled: Desk) -> None:
    before = filled.hubspot.everything()
    summary = filled.diff()
    assert {of: counted["changes"] for of, counted in summary["objects"].items()} == {"companies": 1, "contacts": 3, "deals": 2}
    assert summary["withheld"] == 0
    assert filled.apply() == Outcome(written=6)
    shared = {"icp_segment": "seg_a", "icp_fit_score": "72.5", "icp_changed_on": "2026-11-22"}
    fit = {"icp_role_fit": "high"}
    assert filled.held(of="contacts") == {
        "201": {"icp_tier": "tier_2", "icp_role": "user"} | fit | shared,
        "202": {"icp_tier": "tier_2", "icp_role": "influencer"} | fit | shared,
        "203": {"icp_tier": "tier_2"} | fit | shared,
    }
    assert filled.held(of="deals")["302"] == {"icp_tier": "tier_1"} | shared | {"icp_fit_score": "40"}
    assert filled.held("201")["201"]["icp_tier"] == "tier_1"
    assert filled.diff()["changes"] == 0
    [journal] = filled.folder.glob("runs/journal-*.jsonl")
    assert filled.revert(journal) == Outcome(written=6)
    assert filled.hubspot.everything() == before


def test_e_mails_stay_in_hubspot(filled: Desk) -> None:
    """HubSpot sends them where nobody asks for a property, and quotes them in what it says."""
    filled.hubspot.objects["contacts"].refused["202"] = "tara.tanaka@alder.example is under a legal hold"
    filled.hubspot.archive("203", of="contacts")
    shown = filled.command("diff").output + filled.command("apply", "--apply").output
    filled.hubspot.faults.append(Fault(status=400, body={"message": "mira.weber@alder.example?"}, path="contacts"))
    shown += filled.command("diff").output
    assert "legal hold" in shown
    assert "400 [e-mail]" in shown
    for text in (shown, *(path.read_text() for path in Path(filled.folder / "runs").rglob("*.jsonl"))):
        assert not re.findall(r"\w+@\w+", text)
    read = [call for call in filled.hubspot.calls if call.path.endswith("batch/read")]
    assert all(call.body["properties"] for call in read)
    assert not [call for call in filled.hubspot.calls if "email" in json.dumps([call.query, call.body])]


def test_a_property_holds_the_id(filled: Desk) -> None:
    filled.config |= {"id_properties": {"contacts": "warehouse_id"}}
    with pytest.raises(PlanError, match="no contact property warehouse_id"):
        filled.diff()
    filled.hubspot.add_property("warehouse_id", of="contacts")
    for record, key in {"201": "C-1", "202": "C-2", "203": "C-2"}.items():
        filled.hubspot.edit(record, "warehouse_id", key, of="contacts")
    filled.publish({"201": row()}, contacts={key: contact() for key in ("C-1", "C-2", "C-3")})
    summary = filled.diff()
    assert summary["objects"]["contacts"]["changes"] == 1
    counted = summary["overview"]["changes"]
    assert {row["property"]: row["tiers"] for row in counted if row["object"] == "contacts"}["icp_tier"] == {"tier_1": 1}
    twice = "several records of this portal have its id in warehouse_id: it is not clear which is meant"
    reasons = {line["record_id"]: line["reason"] for line in filled.lines("withheld") if line["object"] == "contacts"}
    assert reasons == {"202": twice, "203": twice, "C-3": "no contact of this portal has its id in warehouse_id"}
    filled.apply()
    assert filled.hubspot.values("icp_tier", of="contacts") == {"201": "tier_1"}


def test_a_closed_deal_is_left_as_it_is(filled: Desk) -> None:
    filled.sync()
    filled.hubspot.edit("302", "hs_is_closed", "true", of="deals")
    filled.publish({"201": row()}, deals={"201": row("tier_2") | {"is_closed": True}, "302": row("tier_2")})
    assert filled.diff()["objects"]["deals"]["changes"] == 0
    # A deal that the marts do not have at all is cleared, as a company is.
    filled.publish({"201": row()}, deals={"201": row("tier_3")})
    assert filled.diff()["objects"]["deals"] | {"found": 0, "keep": 0} == {
        "changes": 1, "cleared": 1, "withheld": 0, "schema": 0, "found": 0, "unknown": 0, "keep": 0,
    }  # fmt: skip


def test_limits_hold_for_each_object(filled: Desk) -> None:
    filled.config |= {"max_changes": 2}
    shown = filled.command("diff").output
    assert "Apply would refuse: 3 contacts would change, more than max_changes (2)" in shown
    filled.diff()
    with pytest.raises(PlanError, match="3 contacts would change"):
        filled.apply()


def test_only_the_chosen_objects_are_asked_for(filled: Desk) -> None:
    filled.config = {"objects": ["deals"]}
    filled.hubspot.scopes = {f"crm.{kind}.deals.{way}" for kind in ("objects", "schemas") for way in ("read", "write")}
    assert filled.sync() == Outcome(written=2)
    filled.config = {"objects": ["contacts"]}
    with pytest.raises(MissingScope, match=r"lacks the scope crm\.schemas\.contacts\.read"):
        filled.diff()


@pytest.fixture(params=["contacts", "deals"])
def many(request: pytest.FixtureRequest, desk: Desk) -> tuple[Desk, str]:
    """Two batches of records of an object, all to change."""
    of = request.param
    desk.config = {"objects": [of]}
    for record in RECORDS:
        desk.hubspot.add_record(of, str(record))
    desk.publish({}, **{of: {str(record): contact() for record in RECORDS}})
    desk.diff()
    return desk, of


def test_single_records_that_are_refused_are_said_and_the_others_written(many: tuple[Desk, str]) -> None:
    desk, of = many
    kind = desk.hubspot.objects[of]
    kind.refused["1002"] = "This record is under a legal hold"
    kind.locked.add("1050")
    desk.hubspot.archive("1003", of=of)
    desk.hubspot.merge("1004", into="1005", of=of)
    outcome = desk.apply()
    assert (outcome.written, outcome.refused, outcome.kept) == (97, 2, 2)
    one = "contact" if of == "contacts" else "deal"
    assert f"{one} 1003: archived in HubSpot" in outcome.said
    assert f"{one} 1004: merged into 1005 in HubSpot: the next load brings it" in outcome.said
    assert f"{one} 1002: HubSpot refuses: This record is under a legal hold" in outcome.said
    assert max(Counter((c.of, c.company_id, c.property) for c in desk.hubspot.commits if c.call).values()) == 1


@pytest.mark.parametrize(
    "fault",
    [
        too_many_requests(retry_after="3", path="batch/update", times=3),
        too_many_requests("SECONDLY", path="batch/read"),
        Fault(status=423, body={}, path="batch/update"),
        Fault(drop=True, after=True, path="batch/update"),
        Fault(drop=True, path="batch/update"),
        bad_gateway(after=True, path="batch/update"),
        Fault(status=200, body={"results": 3}, after=True, path="batch/update"),
        Fault(status=207, body={"results": [{"id": []}]}, after=True, path="batch/update"),
    ],
    ids=lambda fault: f"{fault.status or 'drop'} {fault.body or ''}{' after' * fault.after}"[:40],
)
def test_what_goes_wrong_for_a_moment_writes_nothing_twice(many: tuple[Desk, str], fault: Fault) -> None:
    desk, of = many
    desk.hubspot.faults = [replace(fault)]
    assert desk.apply().written == 101
    assert desk.hubspot.faults[0].times == 0
    assert max(Counter((c.company_id, c.property) for c in desk.hubspot.commits if c.call).values()) == 1
    journal = desk.journal
    assert desk.diff()["changes"] == 0
    assert desk.revert(journal).written == 101
    assert not any(desk.held(of=of).values())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=301, headers={"Location": "https://elsewhere.example/"}, times=9), Refused),
        (too_many_requests("DAILY", times=9), DailyQuota),
        (Fault(status=401, body={}, times=9), Unauthorized),
        (Fault(status=403, body={}, times=9), MissingScope),
        (Fault(status=200, body="<html>", times=99), (Unreachable, Unsure)),
        (Fault(status=200, body={"results": [{"id": None}]}, times=99), (Unreachable, Unsure)),
        (Fault(status=200, body={"results": [{"id": "1", "properties": []}]}, times=99), (Unreachable, Unsure)),
    ],
    ids=lambda value: f"{value.status} {value.body or ''}"[:30] if isinstance(value, Fault) else "",
)
@pytest.mark.parametrize("path", ["{}$", "{}/batch/read", "{}/batch/update"])
@pytest.mark.parametrize("many", ["contacts"], indirect=True)
def test_what_stops_a_run_is_a_sentence_and_the_next_does_the_rest(
    many: tuple[Desk, str], fault: Fault, error: type[Exception], path: str
) -> None:
    desk, of = many
    desk.hubspot.faults = [replace(fault, path=f"objects/.*{path.format(of)}")]
    with pytest.raises(error) as stopped:
        desk.sync()
    assert TOKEN not in str(stopped.value)
    if error is MissingScope:
        assert f"crm.objects.{of}.{'write' if 'update' in path else 'read'}" in str(stopped.value)
    desk.hubspot.faults = []
    desk.diff()
    assert desk.apply().written == 101


def test_a_property_of_another_type_or_group_is_not_taken_for_ours(many: tuple[Desk, str]) -> None:
    desk, of = many
    desk.hubspot.add_property("icp_fit_score", "string", of=of)
    with pytest.raises(PlanError, match=f"The {of[:-1]} property icp_fit_score is there already, as string in place of number"):
        desk.diff()
    desk.hubspot.add_property("icp_fit_score", "number", of=of)
    with pytest.raises(PlanError, match=f"The {of[:-1]} property icp_fit_score is there already, in the group"):
        desk.diff()


def test_what_a_person_sets_is_kept(many: tuple[Desk, str]) -> None:
    desk, of = many
    desk.hubspot.edit("1002", "icp_tier", "tier_3", of=of)
    assert desk.apply().kept == 1
    desk.hubspot.edit("1003", "icp_tier", "tier_2", of=of)
    desk.publish({}, **{of: {str(record): contact("tier_3") for record in RECORDS}})
    desk.diff()
    assert "icp_tier was set to 'tier_2' in HubSpot (CRM_UI" in desk.reasons()["1003"]
    desk.apply()
    assert desk.hubspot.value("1003", "icp_tier", of) == "tier_2"


def test_records_that_left_the_marts_are_cleared_and_another_companys_marts_are_refused(many: tuple[Desk, str]) -> None:
    desk, of = many
    desk.apply()
    desk.publish({}, **{of: {str(record): contact() for record in RECORDS[1:]}})
    assert desk.sync().written == 1
    assert desk.held("1001", of=of) == {"1001": {"icp_changed_on": "2026-11-22"}}
    desk.publish({}, **{of: {str(record): contact() for record in range(5001, 5102)}})
    with pytest.raises(PlanError, match=f"Of 101 {of[:-1]} records in the marts, this portal has 0"):
        desk.sync(max_clears=1000)
