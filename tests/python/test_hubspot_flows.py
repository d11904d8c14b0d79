"""Workflows of nurture plans: always switched off, made once, taken back only as they were made."""

from __future__ import annotations

import copy
import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hubspot_portal import TOKEN, Fault, HubSpotPortal, SimulatedClock, bad_gateway, too_many_requests
from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.config import Config, Nurture
from icp_refinery.hubspot.errors import HubSpotError, MissingScope, PlanError
from icp_refinery.hubspot.filters import filter_branch
from icp_refinery.hubspot.flow_runs import apply_flows, is_of_flows, journal_of_flows, plan_flows, read_flows, revert_flows
from icp_refinery.hubspot.flows import Wanted, any_of, distinct, wanted_flow
from icp_refinery.hubspot.objects import CONTACTS, types_of, wanted_records

SEGMENT = {"id": "seg_a", "name": "Banks {{ contact.email }}", "tier": "tier_1"}
CONFIG = Config(nurture=Nurture(emails={"all": [11, 12]}))
FLOWS = "/automation/v4/flows"


def plan_of(segment: dict[str, Any] = SEGMENT) -> dict[str, Any]:
    """What a workflow takes of a nurture plan."""
    steps = [
        {"day": 0, "step": "e-mail 1", "about": "compliance", "hubspot_email": 11},
        {"day": 16, "step": "e-mail 2", "about": "no evidence", "hubspot_email": 12},
        {"day": 32, "step": "task for the contact's owner", "about": "a call", "hubspot_email": None},
    ]
    return {"segment": segment, "goal": {"stage": "sql"}, "steps": steps}


def fill(hubspot: HubSpotPortal) -> dict[str, str]:
    """A portal whose contacts were written to, with a list by role; returns the lists by key."""
    options = {"icp_segment": ["seg_a", "seg_b"], "icp_nurture_group": ["nurture", "held_out"]}
    options |= {"icp_role": ["decision_maker", "influencer", "user"]}
    options |= {"lifecyclestage": ["lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"]}
    for name, values in options.items():
        hubspot.add_property(name, "enumeration", values, of="contacts")
    hubspot.add_property("icp_nurture_entered_on", "date", of="contacts")
    hubspot.emails = {"11", "12"}
    contacts = [("1", "seg_a", "decision_maker", "nurture"), ("2", "seg_a", "influencer", "held_out")]
    contacts += [("3", "seg_b", "decision_maker", "nurture"), ("4", "seg_a", "user", "nurture"), ("5", "seg_a", "influencer", "")]
    for number, segment, role, group in contacts:
        hubspot.add_record("contacts", number, icp_segment=segment, icp_role=role, icp_nurture_group=group)
    roles = ("decision_maker", "influencer", "user")
    return {
        f"contacts_tier_1_{role}": hubspot.add_list(f"T1 {role}", filter_branch([[any_of("icp_role", [role])]]), of="contacts")
        for role in roles
    }


class Run:
    """A portal, and what a person does with its workflows."""

    def __init__(self, hubspot: HubSpotPortal, folder: Path) -> None:
        self.hubspot, self.folder = hubspot, folder
        self.lists = fill(hubspot)
        self.journal = journal_of_flows(folder / "runs", hubspot.portal_id)

    def portal(self) -> Portal:
        clock = SimulatedClock()
        return Portal(self.hubspot.url, TOKEN, requests_per_10_seconds=190, sleep=clock.sleep, clock=clock.now)

    def wanted(self, config: Config = CONFIG, **plan: Any) -> list[Wanted]:
        return [wanted_flow(plan_of() | plan, config, self.lists, self.hubspot.objects["contacts"].properties)]

    def plan(self, config: Config = CONFIG) -> list[dict[str, Any]]:
        with self.portal() as portal:
            return plan_flows(portal, self.wanted(config), read_flows(self.journal))

    def make(self) -> dict[str, Any]:
        with self.portal() as portal:
            planned = plan_flows(portal, self.wanted(), read_flows(self.journal))
            [entry] = apply_flows(portal, planned, self.journal)
        return entry

    def take_back(self, write: bool = True) -> list[tuple[str, str]]:
        with self.portal() as portal:
            found = revert_flows(portal, self.hubspot.portal_id, self.journal, write)
        return [(entry["action"], entry["reason"]) for entry in found]


@pytest.fixture
def run(tmp_path: Path, own_locks: None) -> Iterator[Run]:
    with HubSpotPortal() as hubspot:
        yield Run(hubspot, tmp_path)


def test_a_workflow_takes_its_segments_contacts_and_holds_some_out(run: Run) -> None:
    made = run.make()
    assert made["action"] == "created"
    [flow] = run.hubspot.flows.values()
    assert flow["isEnabled"] is False
    assert run.hubspot.taken_by(flow["id"]) == {"nurture": ["1"], "held_out": ["2"]}
    kinds = [(action.get("actionTypeId", action["type"])) for action in flow["actions"]]
    assert kinds == ["0-5", "LIST_BRANCH", "0-4", "0-1", "0-4", "0-1", "0-3"]
    assert [a["fields"]["delta"] for a in flow["actions"] if a.get("actionTypeId") == "0-1"] == ["23040", "23040"]
    assert [a["fields"]["content_id"] for a in flow["actions"] if a.get("actionTypeId") == "0-4"] == ["11", "12"]
    [goal] = flow["goalFilterBranch"]["filterBranches"]
    assert goal["filters"][0]["operation"]["values"] == ["salesqualifiedlead", "opportunity", "customer"]
    # A segment's name is the company's data: no record's value is put into it by HubSpot.
    assert "{{" not in str(flow["actions"])


def test_it_is_made_once_and_deleted_only_as_it_was_made(run: Run) -> None:
    assert run.plan()[0]["action"] == "create"
    assert run.make()["action"] == "created"
    assert (run.make()["action"], run.plan()[0]["reason"]) == ("none", "is as it should be (switched off)")
    assert len(run.hubspot.flows) == 1
    assert is_of_flows(run.journal)
    assert run.take_back(write=False) == [("to delete", "switched off, as it was made")]
    assert len(run.hubspot.flows) == 1
    assert run.take_back() == [("deleted", "switched off, as it was made")]
    assert run.hubspot.flows == {}
    assert run.take_back() == []
    assert run.make()["action"] == "created"


def test_what_a_person_changed_or_switched_on_is_kept(run: Run) -> None:
    flow_id = run.make()["flow_id"]
    run.hubspot.edit_flow(flow_id, isEnabled=True)
    assert run.plan()[0]["reason"] == "is as it should be (switched on by a person)"
    assert run.take_back() == [("kept", "it is switched on: switch it off first")]
    run.hubspot.edit_flow(flow_id, isEnabled=False)
    assert run.plan()[0]["reason"] == "a person changed it in HubSpot: kept (switched off)"
    assert run.take_back() == [("kept", "a person changed it in HubSpot: delete it there")]
    assert (run.make()["action"], list(run.hubspot.flows)) == ("none", [flow_id])


def test_other_settings_change_no_workflow_that_is_there(run: Run) -> None:
    run.make()
    [entry] = run.plan(Config(nurture=Nurture(emails={"all": [11, 12]}, roles=["user"])))
    assert (entry["action"], entry["reason"][:50]) == ("none", "the settings or the marts would make another one n")


def test_a_name_that_is_taken_is_left_alone(run: Run) -> None:
    run.hubspot.add_flow(run.wanted()[0].name)
    assert "the name is taken" in run.plan()[0]["reason"]
    assert run.make()["action"] == "withheld"
    assert len(run.hubspot.flows) == 1


@pytest.mark.parametrize(
    ("config", "gone", "reason"),
    [
        (Config(), "", "no e-mails are chosen"),
        (CONFIG, "list", "there is no list contacts_tier_1_decision_maker yet: `icp hubspot lists --apply` makes it"),
        (CONFIG, "property", "contacts have no icp_nurture_group yet: `icp hubspot apply --apply` makes it"),
    ],
)
def test_what_is_missing_is_said_before_hubspot_is_asked(run: Run, config: Config, gone: str, reason: str) -> None:
    if gone == "list":
        del run.lists["contacts_tier_1_decision_maker"]
    if gone == "property":
        run.hubspot.delete_property("icp_nurture_group", of="contacts")
    run.hubspot.calls.clear()
    [entry] = run.plan(config)
    assert entry["action"] == ("after apply" if gone else "withheld")
    assert reason in entry["reason"]
    assert run.hubspot.calls == []


def test_without_the_stages_of_hubspot_there_is_no_goal(run: Run) -> None:
    run.hubspot.delete_option("lifecyclestage", "salesqualifiedlead", of="contacts")
    assert run.make()["reason"] == "switched off; without a goal: lifecyclestage has no salesqualifiedlead in HubSpot"
    assert "goalFilterBranch" not in next(iter(run.hubspot.flows.values()))


@pytest.mark.parametrize("lacks", ["scope", "subscription"])
def test_a_subscription_or_a_scope_that_lacks_workflows_is_one_sentence(run: Run, lacks: str) -> None:
    run.hubspot.lacks_workflows = lacks == "subscription"
    run.hubspot.scopes -= {"automation"} if lacks == "scope" else set()
    [entry] = run.plan()
    assert entry["action"] == "withheld"
    assert "the scope automation" in entry["reason"]
    assert "playbook (icp hubspot nurture) remains" in entry["reason"]
    assert run.make()["action"] == "withheld"
    # As where only reading is allowed.
    run.hubspot.lacks_workflows, run.hubspot.scopes = False, run.hubspot.scopes | {"automation"}
    run.hubspot.faults.append(Fault(status=403, body={"message": "no access"}, method="POST", path=FLOWS))
    assert (made := run.make())["action"] == "refused"
    assert "subscription" in made["reason"]
    assert run.make()["action"] == "created"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True},
        {"status": 500, "body": ""},
        {"status": 409, "body": {"message": "conflict"}},
        {"status": 200, "body": {"results": 3}},
        {"status": 200, "body": "<html>"},
        {"status": 201, "body": {"id": "7", "isEnabled": "perhaps", "revisionId": "1"}},
    ],
    ids=["dropped", "500", "409", "another shape", "no JSON", "wrong type"],
)
def test_whatever_the_answer_nothing_is_made_twice(run: Run, fault: dict[str, Any], after: bool) -> None:
    run.hubspot.faults.append(Fault(**fault, after=after, method="POST", path=FLOWS))
    first = run.make()
    assert first["action"] == ("created" if after or fault.get("status") != 409 else "refused")
    assert run.make()["action"] == ("none" if first["action"] == "created" else "created")
    assert len(run.hubspot.flows) == 1
    assert run.take_back() == [("deleted", "switched off, as it was made")]


def test_two_segments_of_one_name_are_two_workflows(run: Run) -> None:
    one, other = distinct([*run.wanted(), *run.wanted(segment=SEGMENT | {"id": "seg_b"})])
    assert (one.name[-8:], other.name[-8:]) == (" [seg_a]", " [seg_b]")
    assert (one.body["name"], other.body["name"]) == (one.name, other.name)
    assert distinct(run.wanted()) == run.wanted()


def test_a_refusal_is_told_and_the_next_run_tries_again(run: Run) -> None:
    run.hubspot.emails = {"11"}
    assert (entry := run.make())["action"] == "refused"
    assert "E-mail 12 does not exist" in entry["reason"]
    assert run.take_back() == [("gone", "there is none")]
    run.hubspot.emails = {"11", "12"}
    assert run.make()["action"] == "created"


def test_hubspot_that_fails_again_and_again_stops_nothing_else(run: Run) -> None:
    run.hubspot.faults.append(bad_gateway(method="POST", path=FLOWS, times=9))
    assert run.make()["action"] == "refused"
    assert sum(call.method == "POST" for call in run.hubspot.calls) == 3


def test_too_many_calls_are_waited_for(run: Run) -> None:
    for method in ("GET", "POST", "DELETE"):
        run.hubspot.faults.append(too_many_requests(method=method, path=FLOWS, retry_after="1"))
    assert run.make()["action"] == "created"
    run.hubspot.faults.append(Fault(drop=True, after=True, method="DELETE"))
    assert run.take_back() == [("deleted", "switched off, as it was made")]


@pytest.mark.parametrize(
    "body", [{"results": [{"id": 1}]}, {"results": None}, {}, {"results": [], "paging": {"next": 3}}, {"results": [{"id": "1"}]}]
)
def test_a_list_of_workflows_in_another_shape_is_a_sentence(run: Run, body: dict[str, Any]) -> None:
    run.hubspot.faults.append(Fault(status=200, body=body, method="GET", path=f"{FLOWS}$"))
    with pytest.raises(HubSpotError, match="is it HubSpot's"):
        run.plan()


def test_all_pages_of_workflows_are_read_and_a_circle_is_told(run: Run) -> None:
    for number in range(203):
        run.hubspot.add_flow(f"Flow {number}")
    run.hubspot.add_flow(run.wanted()[0].name)
    assert "taken" in run.plan()[0]["reason"]
    again = {"results": [{"id": "1", "isEnabled": False, "revisionId": "1"}], "paging": {"next": {"after": "100"}}}
    run.hubspot.faults.append(Fault(status=200, body=again, method="GET", path=f"{FLOWS}$", times=9))
    with pytest.raises(HubSpotError, match="go round in a circle"):
        run.plan()


def test_another_portals_journal_is_refused(run: Run) -> None:
    run.make()
    with run.portal() as portal, pytest.raises(PlanError, match="is not of portal 77"):
        revert_flows(portal, 77, run.journal, write=True)


def test_a_scope_that_lacks_in_the_middle_is_no_traceback(run: Run) -> None:
    run.make()
    run.hubspot.scopes.discard("automation")
    with pytest.raises(MissingScope, match="automation"):
        run.take_back()


def work(url: str, folder: Path, ending: str, lists: dict[str, str], properties: dict[str, Any]) -> None:
    """A run in a process of its own, that may be killed."""
    journal = journal_of_flows(folder / "runs", 4242)
    with Portal(url, TOKEN, requests_per_10_seconds=190) as portal:
        if ending == "make":
            wanted = [wanted_flow(plan_of(), CONFIG, lists, properties)]
            apply_flows(portal, plan_flows(portal, wanted, read_flows(journal)), journal)
        else:
            revert_flows(portal, 4242, journal, write=True)


@pytest.mark.parametrize("ending", ["make", "take back"])
def test_killed_between_any_two_calls_the_next_run_ends_in_the_same_state(run: Run, ending: str) -> None:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["icp_refinery.hubspot.flow_runs", "hubspot_portal", "pytest"])
    if ending == "take back":
        run.make()
    flows, journal = copy.deepcopy(run.hubspot.flows), run.journal.read_bytes() if run.journal.exists() else b""
    killed = 0
    for after in (False, True):
        for number in range(1, 20):
            run.hubspot.flows = copy.deepcopy(flows)
            run.journal.parent.mkdir(exist_ok=True)
            run.journal.write_bytes(journal)
            properties = run.hubspot.objects["contacts"].properties
            process = context.Process(target=work, args=(run.hubspot.url, run.folder, ending, run.lists, properties))

            def kill(process: Any = process) -> None:
                os.kill(process.pid, signal.SIGKILL)

            run.hubspot.faults = [Fault(hook=kill, drop=True, call=next(run.hubspot.numbers) + number, after=after)]
            process.start()
            process.join(60)
            assert process.exitcode in (0, -signal.SIGKILL)
            run.hubspot.faults = []
            if ending == "make":
                assert run.make()["action"] in ("created", "none")
                [flow] = run.hubspot.flows.values()
                assert read_flows(run.journal)["seg_a"]["flow_id"] == flow["id"]
                assert run.take_back() == [("deleted", "switched off, as it was made")]
            else:
                run.take_back()
            assert run.hubspot.flows == {}
            if process.exitcode == 0:
                break
            killed += 1
    assert killed >= (5 if ending == "make" else 4)


def test_a_company_is_drawn_once_for_all_its_contacts() -> None:
    """The same at each run, about as many as the share; only where there are e-mails, and only where something is prioritized."""
    kind = next(kind for kind in types_of(Config(objects=["contacts"], nurture=Nurture(emails={"all": [1]}))))
    marts = duckdb.connect()
    marts.execute("create schema marts")
    columns = ", ".join(f"null as {name}" for name in kind.values if name not in ("icp_tier", "icp_nurture_group"))
    marts.execute(
        f"create table marts.sync_hubspot_contacts as select concat('C', i) as contact_id, concat('A', i // 2) as account_id,"
        f" '' as account_name, if(i < 4000, 'tier_1', 'tier_3') as icp_tier, {columns} from range(4010) as t(i)"
    )
    groups = [wanted_records(marts, kind, [f"C{i}" for i in range(4010)]) for _ in range(2)]
    drawn = [{key: one.values["icp_nurture_group"] for key, one in found.items()} for found in groups]
    assert drawn[0] == drawn[1]
    assert all(drawn[0][f"C{2 * i}"] == drawn[0][f"C{2 * i + 1}"] for i in range(2000))
    assert 0.17 < sum(group == "held_out" for group in drawn[0].values()) / 4000 < 0.23
    assert {drawn[0][f"C{i}"] for i in range(4000, 4010)} == {""}
    assert [kind.values for kind in types_of(Config(objects=["contacts"]))] == [CONTACTS.values]
