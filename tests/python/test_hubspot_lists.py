"""Lists, score criteria and nurture plans for HubSpot, from the demo company and against a portal on loopback."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from conftest import ROOT, BuildResult
from hubspot_portal import Fault, HubSpotPortal, SimulatedClock, bad_gateway
from icp_refinery import nurture
from icp_refinery.cli import app
from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.config import Config, ConfigError, Lists, Nurture, load_config
from icp_refinery.hubspot.errors import HubSpotError
from icp_refinery.hubspot.filters import CannotSay, Rule, filter_branch, list_name, look_alike, meaning, wanted_lists
from icp_refinery.hubspot.journal import alone
from icp_refinery.hubspot.lists import apply_lists, plan_lists, read_journal
from icp_refinery.hubspot.scoring import expected_scores, score_criteria
from icp_refinery.project import TIERS

pytestmark = pytest.mark.usefixtures("own_locks")
CONFIG = load_config(ROOT / "activation" / "hubspot.yml")
TRAITS = ["industry", "country", "employee_count", "annual_revenue"]
SEGMENTS = {
    "seg_1": ("Large banks", "tier_1", [("industry", "=", "Financial Services"), ("employee_count", ">=", "200")]),
    "seg_2": ("Energy", "tier_2", [("industry", "in", '["Energy"]')]),
    "seg_3": ("Small banks", "tier_3", [("industry", "=", "Financial Services"), ("employee_count", "<", "200")]),
    "seg_4": ("Others", "deprioritized", [("industry", "not_in", '["Energy", "Financial Services"]')]),
}

LISTS = 7
REASONS = ["nobody", "only_marketing", "only_sales", "deprioritized_costs_money"]


def marts_of(segments: dict[str, tuple] = SEGMENTS) -> duckdb.DuckDBPyConnection:
    """Segments and their rules, as published."""
    marts = duckdb.connect()
    marts.execute("create schema marts")
    marts.execute("create table marts.icp_segments (segment_id varchar, segment_name varchar, tier varchar)")
    marts.execute("create table marts.icp_disagreements (account_id varchar, reason varchar)")
    marts.execute(
        "create table marts.icp_segment_rules"
        " (segment_id varchar, attribute varchar, operator varchar, value varchar, condition_number integer)"
    )
    for segment_id, (name, tier, rules) in segments.items():
        marts.execute("insert into marts.icp_segments values (?, ?, ?)", [segment_id, name, tier])
        for number, rule in enumerate(rules, 1):
            marts.execute("insert into marts.icp_segment_rules values (?, ?, ?, ?, ?)", [segment_id, *rule, number])
    return marts


def open_portal(stand_in: HubSpotPortal) -> Portal:
    clock = SimulatedClock()
    return Portal(stand_in.url, stand_in.token, clock=clock.now, sleep=clock.sleep)


def prepare(stand_in: HubSpotPortal, config: Config = CONFIG, segments: list[str] | tuple[str, ...] = tuple(SEGMENTS)) -> None:
    """What a portal has after the first apply: our properties, and HubSpot's industries."""
    stand_in.add_property("icp_tier", "enumeration", ["tier_1", "tier_2", "tier_3", "deprioritized"])
    stand_in.add_property("icp_segment", "enumeration", segments)
    stand_in.add_property("icp_disagreement", "enumeration", REASONS)
    industries = [name for names in config.lists.traits["industry"].values.values() for name in names]
    stand_in.add_property("industry", "enumeration", [*industries, "WINE_AND_SPIRITS"])


@pytest.fixture
def stand_in() -> Iterator[HubSpotPortal]:
    with HubSpotPortal() as portal:
        prepare(portal)
        yield portal


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "lists.jsonl"


def run(stand_in: HubSpotPortal, journal: Path, marts: duckdb.DuckDBPyConnection | None = None, config: Config = CONFIG) -> dict:
    """Plan and apply; what was done by list key."""
    marts = marts or marts_of()
    with open_portal(stand_in) as portal:
        done = apply_lists(portal, plan_lists(portal, marts, config, journal), journal)
    return {line["key"]: line for line in done}


def planned(
    stand_in: HubSpotPortal, journal: Path, marts: duckdb.DuckDBPyConnection | None = None, config: Config = CONFIG
) -> dict:
    with open_portal(stand_in) as portal:
        return {line["key"]: line for line in plan_lists(portal, marts or marts_of(), config, journal)}


# ---------------------------------------------------------------------------------------------- members


def add_accounts(stand_in: HubSpotPortal, accounts: pd.DataFrame) -> dict[str, str]:
    """A company per account, as HubSpot would hold it; the account of each company id."""
    names = CONFIG.lists.traits["industry"].values
    ids: dict[str, str] = {}
    for number, row in enumerate(accounts.itertuples(index=False), 1):
        industry = names.get(row.industry, ["WINE_AND_SPIRITS"])
        values = {
            "industry": None if row.industry is None else industry[number % len(industry)],
            "country": row.country,
            "numberofemployees": row.employee_count,
            "annualrevenue": row.annual_revenue,
        }
        stand_in.add_company(str(number), **{name: str(value) for name, value in values.items() if value is not None})
        ids[str(number)] = row.account_id
    return ids


def accounts_of(marts: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    query = f"select account_id, segment_id, tier, is_customer, {', '.join(TRAITS)} from marts.dim_accounts order by account_id"
    frame = marts.execute(query).fetchall()
    return pd.DataFrame(frame, columns=["account_id", "segment_id", "tier", "is_customer", *TRAITS], dtype=object)


def test_look_alike_lists_hold_exactly_the_members_of_the_warehouse(demo: BuildResult, journal: Path) -> None:
    with duckdb.connect(str(demo.database), read_only=True) as marts, HubSpotPortal() as stand_in:
        accounts = accounts_of(marts)
        prospects = accounts[~accounts["is_customer"].astype(bool)]
        segments = marts.execute("select segment_id, tier from marts.icp_segments").fetchall()
        prepare(stand_in, segments=[segment_id for segment_id, _ in segments])
        ids = add_accounts(stand_in, prospects)
        done = run(stand_in, journal, marts)
        found = {key: {ids[i] for i in stand_in.members(line["name"])} for key, line in done.items() if key.startswith("like ")}
    expected = {
        f"like {segment_id}": set(prospects.loc[prospects["segment_id"] == segment_id, "account_id"])
        for segment_id, tier in segments
        if tier in ("tier_1", "tier_2")
    }
    expected["like deprioritized"] = set(prospects.loc[prospects["tier"] == "deprioritized", "account_id"])
    assert len(prospects) > 1000
    assert all(expected.values())
    assert found == expected


def holds(rule: Rule, account: dict) -> bool:
    """A condition as docs/input_contract.md has it: a missing value is on the side of not_in, != and <."""
    value = account[rule.attribute]
    values = json.loads(rule.value) if rule.operator in ("in", "not_in") else [rule.value]
    return {
        "=": lambda: value in values,
        "in": lambda: value in values,
        "!=": lambda: value not in values,
        "not_in": lambda: value not in values,
        ">=": lambda: value is not None and float(value) >= float(rule.value),
        "<": lambda: value is None or float(value) < float(rule.value),
        "is_missing": lambda: value is None,
        "is_not_missing": lambda: value is not None,
    }[rule.operator]()


def random_rule(rng: random.Random) -> list[Rule]:
    """A rule of one to four conditions, several of them perhaps on one trait."""
    rules = []
    for _ in range(rng.randint(1, 4)):
        attribute = rng.choice(TRAITS)
        if rng.random() < 0.2:
            rules.append(Rule(attribute, rng.choice(["is_missing", "is_not_missing"]), None))
        elif attribute in ("employee_count", "annual_revenue"):
            limit = rng.choice([10, 50, 200, 999.5, 30_000_000])
            rules.append(Rule(attribute, rng.choice([">=", "<"]), str(limit)))
        else:
            known = list(CONFIG.lists.traits["industry"].values) if attribute == "industry" else ["US", "DE", "GB", "FR", "SG"]
            some = rng.sample(known, rng.randint(1, 4))
            operator = rng.choice(["=", "!=", "in", "not_in"])
            rules.append(Rule(attribute, operator, some[0] if operator in ("=", "!=") else json.dumps(some)))
    return rules


def is_refused(rules: list[Rule], stand_in: HubSpotPortal) -> bool:
    """Whether the rule is found to contradict itself."""
    try:
        look_alike([rules], CONFIG, stand_in.properties)
    except CannotSay:
        return True
    return False


def test_every_operator_keeps_missing_values_on_their_side(demo: BuildResult) -> None:
    rng = random.Random(11)
    with duckdb.connect(str(demo.database), read_only=True) as marts, HubSpotPortal() as stand_in:
        accounts = accounts_of(marts)
        accounts.loc[rng.sample(list(accounts.index), 150), "country"] = None
        prepare(stand_in)
        ids = add_accounts(stand_in, accounts)
        by_id = {row["account_id"]: row for row in accounts.to_dict("records")}
        seen, empty = set(), 0
        for _ in range(150):
            rules = random_rule(rng)
            expected = {account_id for account_id, account in by_id.items() if all(holds(rule, account) for rule in rules)}
            if not expected and is_refused(rules, stand_in):
                empty += 1
                continue
            branch = filter_branch(look_alike([rules], CONFIG, stand_in.properties))
            stand_in.check_filters(branch)
            assert {ids[i] for i in stand_in.evaluate({"filterBranch": branch})} == expected, rules
            seen |= {(rule.operator, bool(expected)) for rule in rules}
    assert len({operator for operator, is_some in seen if is_some}) == 8
    assert empty < 20


def test_filters_do_not_rely_on_how_hubspot_takes_missing_values(stand_in: HubSpotPortal) -> None:
    """HubSpot's flag is never needed: missing values have a branch of their own."""
    filters = look_alike(
        [[Rule("industry", "not_in", '["Energy"]'), Rule("employee_count", "<", "200")]], CONFIG, stand_in.properties
    )
    asked = [[(part["property"], part["operation"]["operator"]) for part in group] for group in filters]
    assert asked == [
        [("industry", "IS_NONE_OF"), ("numberofemployees", "IS_LESS_THAN")],
        [("industry", "IS_NONE_OF"), ("numberofemployees", "IS_UNKNOWN")],
        [("industry", "IS_UNKNOWN"), ("numberofemployees", "IS_LESS_THAN")],
        [("industry", "IS_UNKNOWN"), ("numberofemployees", "IS_UNKNOWN")],
    ]


def test_branches_that_contradict_themselves_are_left_out(stand_in: HubSpotPortal) -> None:
    """Between 50 and 200 is one branch: nobody is both at least 50 and unknown."""
    filters = look_alike([[Rule("employee_count", ">=", "50"), Rule("employee_count", "<", "200")]], CONFIG, stand_in.properties)
    assert [[part["operation"]["value"] for part in group] for group in filters] == [[50, 200]]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (("topic_security", ">=", "1"), "topic_security is not mapped to a company property (lists.traits)"),
        (("industry", "=", "Fishing"), "the industry 'Fishing' has no value of industry (lists.traits.industry.values)"),
        (("country", ">=", "3"), "country is of type string in HubSpot, where `>=` needs a number"),
        (("employee_count", "=", "3"), "numberofemployees is of type number in HubSpot, where `=` needs a text or a choice"),
        (("employee_count", ">=", "many"), "'many' is not a number"),
        (("region", "=", "EMEA"), "HubSpot has no company property continent"),
        (("stage", "=", "Seed"), "funding has no option Seed in HubSpot"),
        (("tools", "=", "A"), "tools holds several values at once"),
        (None, "its rule holds every company"),
    ],
)
def test_a_rule_that_hubspot_cannot_say_is_withheld_with_a_reason(
    stand_in: HubSpotPortal, journal: Path, rule: tuple | None, reason: str
) -> None:
    stand_in.add_property("funding", "enumeration", ["A", "B"])
    stand_in.add_property("tools", "enumeration", ["A", "B"])
    stand_in.properties["tools"]["fieldType"] = "checkbox"
    more = {"region": {"property": "continent"}, "stage": {"property": "funding"}, "tools": {"property": "tools"}}
    traits = CONFIG.lists.model_dump()["traits"] | more
    config = Config(lists=Lists.model_validate({"traits": traits}))
    done = run(stand_in, journal, marts_of({"seg_1": ("Some", "tier_1", [rule] if rule else [])}), config)
    assert {key: line["action"] for key, line in done.items()} == {"seg_1": "created", "like seg_1": "withheld"}
    assert done["like seg_1"]["reason"] == reason


def test_without_our_properties_in_hubspot_the_lists_on_them_wait(journal: Path) -> None:
    with HubSpotPortal() as stand_in:
        plan = planned(stand_in, journal)
    said = {key: (plan[key]["action"], plan[key]["reason"]) for key in ("seg_1", "seg_2", "tier_3")}
    assert said == {
        "seg_1": ("after apply", "will be created after `icp hubspot apply --apply`, which makes seg_1 of icp_segment"),
        "seg_2": ("after apply", "will be created after `icp hubspot apply --apply`, which makes seg_2 of icp_segment"),
        "tier_3": ("after apply", "will be created after `icp hubspot apply --apply`, which makes tier_3 of icp_tier"),
    }


# ---------------------------------------------------------------------------------------------- contacts, and who works them

ROLES = ["decision_maker", "influencer", "user"]
PEOPLE = Config(objects=["companies", "contacts"], lists=CONFIG.lists)


@pytest.fixture
def with_contacts(stand_in: HubSpotPortal) -> HubSpotPortal:
    stand_in.add_property("icp_disagreement", "enumeration", REASONS, of="contacts")
    stand_in.add_property("icp_tier", "enumeration", ["tier_1", "tier_2", "tier_3", "deprioritized"], of="contacts")
    stand_in.add_property("icp_role", "enumeration", ROLES, of="contacts")
    for number, role in enumerate([*ROLES, ""], 1):
        stand_in.add_record("contacts", str(number), icp_tier="tier_1", icp_role=role, icp_disagreement="nobody")
        stand_in.add_record("contacts", str(number + 10), icp_tier="deprioritized", icp_role=role)
    stand_in.add_company("1", icp_tier="tier_1", icp_disagreement="nobody")
    stand_in.add_company("3", icp_tier="tier_3")
    stand_in.add_company("4", icp_tier="deprioritized", icp_disagreement="deprioritized_costs_money")
    return stand_in


def test_lists_hold_contacts_by_tier_and_role_and_what_nobody_works(with_contacts: HubSpotPortal, journal: Path) -> None:
    marts = marts_of()
    marts.execute("insert into marts.icp_disagreements values ('A1', 'nobody')")
    done = run(with_contacts, journal, marts, PEOPLE)
    assert {line["action"] for line in done.values()} == {"created"}
    members = {key: (line["name"], with_contacts.members(line["name"])) for key, line in done.items()}
    assert {key: found for key, found in members.items() if key.startswith(("contacts_", "disagreement_", "tier_"))} == {
        "contacts_tier_1_decision_maker": ("ICP contacts: decision makers, best fit", ["1"]),
        "contacts_tier_1_influencer": ("ICP contacts: influencers, best fit", ["2"]),
        "contacts_tier_1_user": ("ICP contacts: users, best fit", ["3"]),
        "contacts_tier_2_decision_maker": ("ICP contacts: decision makers, good fit", []),
        "contacts_tier_2_influencer": ("ICP contacts: influencers, good fit", []),
        "contacts_tier_2_user": ("ICP contacts: users, good fit", []),
        "contacts_suppress": ("ICP contacts: low fit, leave out of campaigns", ["11", "12", "13", "14"]),
        "contacts_nobody": ("ICP contacts: nobody works them", ["1", "2", "3", "4"]),
        "disagreement_nobody": ("ICP nobody works them", ["1"]),
        "disagreement_only_marketing": ("ICP only Marketing works them", []),
        "disagreement_only_sales": ("ICP only Sales works them", []),
        "disagreement_deprioritized_costs_money": ("ICP low fit, but cost money", ["4"]),
        "tier_3": ("ICP neutral", ["3"]),
    }
    kept = read_journal(journal, with_contacts.portal_id)["contacts_tier_1_user"]
    assert (kept["object"], with_contacts.lists[kept["list_id"]]["objectTypeId"]) == ("contacts", "0-1")
    written = len(with_contacts.writes())
    assert {line["action"] for line in run(with_contacts, journal, marts, PEOPLE).values()} == {"none"}
    assert len(with_contacts.writes()) == written


@pytest.mark.parametrize(
    "fault", [{"drop": True, "after": True}, {"status": 429}, {"status": 502, "after": True}, {"drop": True}]
)
def test_a_list_of_contacts_is_made_once_whatever_happens(with_contacts: HubSpotPortal, journal: Path, fault: dict) -> None:
    with_contacts.faults = [Fault(method="POST", path="/crm/lists/2026-09$", times=2, **fault)]
    config = PEOPLE.model_copy(update={"objects": ["contacts"]})
    done = run(with_contacts, journal, config=config)
    assert {line["action"] for line in done.values()} == {"created"}
    assert len(with_contacts.lists) == len(done) == 7
    theirs = with_contacts.lists[done["contacts_suppress"]["list_id"]]
    theirs["filterBranch"] = filter_branch([[part("jobtitle", "Owner")]])
    again = run(with_contacts, journal, config=config)["contacts_suppress"]
    assert again["reason"] == "a person changed its filters in HubSpot: kept"
    with_contacts.scopes = {scope for scope in with_contacts.scopes if "lists" in scope or "contacts" in scope}
    assert {line["action"] for line in run(with_contacts, journal, config=config).values()} == {"none", "withheld"}


def test_segments_of_the_same_name_have_lists_of_their_own(stand_in: HubSpotPortal, journal: Path) -> None:
    same = {"seg_1": ("Banks", "tier_1", SEGMENTS["seg_1"][2]), "seg_2": ("Banks", "tier_1", SEGMENTS["seg_2"][2])}
    done = run(stand_in, journal, marts_of(same))
    assert done["seg_1"]["name"] == "ICP best fit: Banks [seg_1]"
    assert len({line["name"] for line in done.values()}) == len(done) == 4


# ---------------------------------------------------------------------------------------------- making and keeping


def test_a_plan_writes_nothing_and_a_second_run_writes_nothing(stand_in: HubSpotPortal, journal: Path) -> None:
    stand_in.add_company("1", icp_segment="seg_1", icp_tier="tier_1")
    stand_in.add_company("2", icp_segment="seg_4", icp_tier="deprioritized")
    stand_in.add_company("3", industry="OIL_ENERGY")
    plan = planned(stand_in, journal)
    assert {line["action"] for line in plan.values()} == {"create"}
    assert stand_in.writes() == []
    assert not journal.exists()

    done = run(stand_in, journal)
    members = {line["name"]: stand_in.members(line["name"]) for line in done.values()}
    assert members == {
        "ICP best fit: Large banks": ["1"],
        "ICP like best fit: Large banks": [],
        "ICP good fit: Energy": [],
        "ICP like good fit: Energy": ["3"],
        "ICP low fit": ["2"],
        "ICP like low fit": ["1", "2"],
        "ICP neutral": [],
    }
    assert len(stand_in.writes()) == LISTS

    for found in stand_in.lists.values():  # HubSpot gives them back in another order, with more
        branch = json.loads(json.dumps(found["filterBranch"]))
        branch["filterBranches"].reverse()
        for group in branch["filterBranches"]:
            for part in group["filters"]:
                part["operation"]["propertyParser"] = None
                part["operation"].get("values", []).reverse()
        found["filterBranch"] = branch
    written = journal.read_text()
    assert {line["action"] for line in run(stand_in, journal).values()} == {"none"}
    assert len(stand_in.writes()) == LISTS
    assert journal.read_text() == written


def test_a_list_that_a_person_made_under_the_name_is_kept(stand_in: HubSpotPortal, journal: Path) -> None:
    name = list_name(CONFIG, "best fit", "Large banks", "seg_1")
    theirs = filter_branch([[part("country", "DE")]])
    stand_in.add_list(name, theirs)
    for _ in range(2):
        done = run(stand_in, journal)
        assert done["seg_1"]["action"] == "withheld"
        assert done["seg_1"]["reason"] == "the name is taken by a list that this project did not make: kept"
    [kept] = [found for found in stand_in.lists.values() if found["name"] == name]
    assert kept["filterBranch"] == theirs
    assert len(stand_in.lists) == LISTS


def part(name: str, value: str) -> dict:
    operation = {"operationType": "MULTISTRING", "operator": "IS_EQUAL_TO", "values": [value]}
    return {"filterType": "PROPERTY", "property": name, "operation": operation | {"includeObjectsWithNoValueSet": False}}


def other_industries(energy: str = "OIL_ENERGY") -> Config:
    """The settings with another value of HubSpot's for Energy."""
    lists = CONFIG.lists.model_dump()
    lists["traits"]["industry"]["values"]["Energy"] = [energy]
    return Config(lists=Lists.model_validate(lists))


def test_our_list_follows_the_settings(stand_in: HubSpotPortal, journal: Path) -> None:
    first = run(stand_in, journal)
    done = run(stand_in, journal, config=other_industries())
    assert {key for key, line in done.items() if line["action"] == "updated"} == {"like seg_2", "like deprioritized"}
    [energy] = [found for found in stand_in.lists.values() if found["listId"] == first["like seg_2"]["list_id"]]
    assert energy["filterBranch"]["filterBranches"][0]["filters"][0]["operation"]["values"] == ["OIL_ENERGY"]
    assert {line["action"] for line in run(stand_in, journal, config=other_industries()).values()} == {"none"}


@pytest.mark.parametrize("edit", ["filters", "static", "name"])
def test_what_a_person_changed_in_our_list_is_kept(stand_in: HubSpotPortal, journal: Path, edit: str) -> None:
    made = run(stand_in, journal)["like seg_2"]
    found = stand_in.lists[made["list_id"]]
    if edit == "filters":
        found["filterBranch"] = filter_branch([[part("country", "DE")]])
    elif edit == "static":
        found["processingType"] = "SNAPSHOT"
    else:
        found["name"] = "My energy list"
    before = json.dumps(found, sort_keys=True)
    done = run(stand_in, journal, config=other_industries() if edit != "name" else CONFIG)["like seg_2"]
    assert (done["action"], done["reason"]) == {
        "filters": ("withheld", "a person changed its filters in HubSpot: kept"),
        "static": ("withheld", "a person made it static: kept"),
        "name": ("none", "is as it should be; a person renamed it"),
    }[edit]
    assert json.dumps(found, sort_keys=True) == before
    assert len(stand_in.lists) == LISTS


def test_an_edit_between_plan_and_apply_is_kept(stand_in: HubSpotPortal, journal: Path) -> None:
    made = run(stand_in, journal)["like seg_2"]
    with open_portal(stand_in) as portal:
        plan = plan_lists(portal, marts_of(), other_industries(), journal)
        theirs = filter_branch([[part("country", "DE")]])
        stand_in.lists[made["list_id"]]["filterBranch"] = theirs
        done = {line["key"]: line for line in apply_lists(portal, plan, journal)}
    assert (done["like seg_2"]["action"], done["like seg_2"]["reason"]) == (
        "withheld",
        "it changed in HubSpot since the plan: kept",
    )
    assert stand_in.lists[made["list_id"]]["filterBranch"] == theirs


def test_a_segment_in_another_tier_keeps_its_list_under_a_new_name(stand_in: HubSpotPortal, journal: Path) -> None:
    first = run(stand_in, journal)
    moved = SEGMENTS | {"seg_2": ("Energy", "tier_1", SEGMENTS["seg_2"][2])}
    done = run(stand_in, journal, marts_of(moved))
    assert done["seg_2"] | {"reason": ""} == done["seg_2"] | {
        "action": "updated",
        "list_id": first["seg_2"]["list_id"],
        "reason": "",
    }
    assert stand_in.lists[first["seg_2"]["list_id"]]["name"] == "ICP best fit: Energy"
    assert {line["action"] for line in run(stand_in, journal, marts_of(moved)).values()} == {"none"}


def test_a_list_whose_segment_is_gone_is_kept_and_reported(stand_in: HubSpotPortal, journal: Path) -> None:
    run(stand_in, journal)
    left = {segment_id: segment for segment_id, segment in SEGMENTS.items() if segment_id != "seg_2"}
    done = run(stand_in, journal, marts_of(left))
    reason = "no segment, tier or setting asks for it any more: kept; delete it in HubSpot if nothing uses it"
    assert {done[key]["reason"] for key in ("seg_2", "like seg_2")} == {reason}
    assert len(stand_in.lists) == LISTS


def test_a_list_that_was_deleted_is_made_again(stand_in: HubSpotPortal, journal: Path) -> None:
    made = run(stand_in, journal)["seg_2"]
    del stand_in.lists[made["list_id"]]
    done = run(stand_in, journal)
    assert [key for key, line in done.items() if line["action"] == "created"] == ["seg_2"]
    assert read_journal(journal, stand_in.portal_id)["seg_2"]["list_id"] == done["seg_2"]["list_id"] != made["list_id"]


@pytest.mark.parametrize("path", [r"/crm/lists/2026-09$", r"update-list-filters$", r"update-list-name$"])
@pytest.mark.parametrize("fault", ["drop", "bad gateway", "drop before", "strange"])
def test_a_call_whose_fate_is_unknown_is_done_once(stand_in: HubSpotPortal, journal: Path, path: str, fault: str) -> None:
    moved = SEGMENTS | {"seg_2": ("Energy", "tier_1", SEGMENTS["seg_2"][2])}
    if "update" in path:
        run(stand_in, journal)
    match = {"method": "POST" if path.endswith("09$") else "PUT", "path": path}
    faults = {"drop": Fault(drop=True, after=True, **match), "drop before": Fault(drop=True, **match)}
    faults["strange"] = Fault(status=200, body="{}", after=True, **match)
    stand_in.faults.append(faults.get(fault) or bad_gateway(after=True, **match))
    run(stand_in, journal, marts_of(moved), other_industries())
    assert stand_in.faults[0].times == 0
    assert len(stand_in.lists) == LISTS
    written = len(stand_in.writes())
    assert {line["action"] for line in run(stand_in, journal, marts_of(moved), other_industries()).values()} == {"none"}
    assert len(stand_in.writes()) == written


@pytest.mark.parametrize("call", range(1, 7))
def test_a_crash_after_any_list_is_made_and_a_rerun_is_right(stand_in: HubSpotPortal, journal: Path, call: int) -> None:
    class Crash(BaseException):
        pass

    with open_portal(stand_in) as portal:
        plan = plan_lists(portal, marts_of(), CONFIG, journal)
        request, made = portal.request, []

        def crashing(method: str, *arguments: object, **more: object) -> dict:
            answer = request(method, *arguments, **more)
            made.append(method)
            if made.count("POST") == call:
                raise Crash
            return answer

        portal.request = crashing
        with pytest.raises(Crash):
            apply_lists(portal, plan, journal)
    with journal.open("ab") as file:
        file.write(b'{"portal_id": 4242, "key": "se\xe6')  # and the line that it was writing, within a letter
    run(stand_in, journal)
    assert len(stand_in.lists) == LISTS
    done = run(stand_in, journal, config=other_industries())  # all six are known as ours
    assert {key for key, line in done.items() if line["action"] == "updated"} == {"like seg_2", "like deprioritized"}
    assert all(line["list_id"] for line in read_journal(journal, stand_in.portal_id).values())


def test_the_journal_of_another_portal_counts_for_nothing(stand_in: HubSpotPortal, journal: Path) -> None:
    run(stand_in, journal)
    with HubSpotPortal(portal_id=77) as other:
        prepare(other)
        for number in range(6):  # the same numbers, but lists of somebody else's
            other.add_list(f"Theirs {number}", filter_branch([[part("country", "DE")]]))
        assert {line["action"] for line in run(other, journal).values()} == {"created"}
    assert {line["action"] for line in run(stand_in, journal).values()} == {"none"}


def test_an_answer_without_a_list_does_not_mean_that_there_is_none(stand_in: HubSpotPortal, journal: Path) -> None:
    stand_in.faults.append(Fault(status=200, body="{}", path="/name/"))
    with pytest.raises(HubSpotError, match="the answer has no list"):
        run(stand_in, journal)
    assert stand_in.lists == {}


def test_a_value_with_a_line_separator_does_not_break_the_journal(stand_in: HubSpotPortal, journal: Path) -> None:
    strange = "OIL\u2028AND\x85ENERGY"
    stand_in.properties["industry"]["options"].append({"label": "Oil", "value": strange, "displayOrder": 99, "hidden": False})
    run(stand_in, journal, config=other_industries(strange))
    done = run(stand_in, journal, config=other_industries())
    assert {line["action"] for line in done.values()} == {"none", "updated"}


def test_a_list_that_hubspot_refuses_does_not_stop_the_others(stand_in: HubSpotPortal, journal: Path) -> None:
    refusal = {"status": "error", "message": "Filters are too many", "category": "VALIDATION_ERROR"}
    stand_in.faults.append(Fault(status=400, body=refusal, method="POST", path="/crm/lists/2026-09$"))
    done = run(stand_in, journal)
    assert [line["action"] for line in done.values()] == ["refused", *["created"] * (LISTS - 1)]
    assert "Filters are too many" in next(iter(done.values()))["reason"]


def test_a_missing_scope_is_named(stand_in: HubSpotPortal, journal: Path) -> None:
    stand_in.scopes.discard("crm.lists.write")
    with pytest.raises(HubSpotError, match=r"crm\.lists\.write"):
        run(stand_in, journal)
    assert stand_in.lists == {}


def test_names_are_one_line_and_tell_segments_apart(stand_in: HubSpotPortal, journal: Path) -> None:
    hostile = "a/b\n'; drop table x; <script> {version} 銀行?#%2F" + "x" * 300
    segments = {f"seg_{n}": (hostile, "tier_1", SEGMENTS["seg_2"][2]) for n in (1, 2)}
    done = run(stand_in, journal, marts_of(segments))
    names = {line["name"] for line in done.values()}
    assert len(names) == 4
    assert all(len(name) <= 200 and name.isprintable() for name in names)
    assert {line["action"] for line in run(stand_in, journal, marts_of(segments)).values()} == {"none"}


def test_filters_that_are_not_ours_have_no_meaning() -> None:
    ours = filter_branch([[part("country", "DE")]])
    assert meaning(ours) is not None
    assert meaning(None) is None
    assert meaning(ours | {"filterBranchType": "AND"}) is None
    nested = json.loads(json.dumps(ours))
    nested["filterBranches"][0]["filterBranches"] = [ours]
    assert meaning(nested) is None
    refined = json.loads(json.dumps(ours))
    refined["filterBranches"][0]["filters"][0]["operation"]["pruningRefineBy"] = {"type": "SET_OCCURRENCES"}
    assert meaning(refined) != meaning(ours)


# ---------------------------------------------------------------------------------------------- settings


def test_the_settings_of_the_repository_are_the_defaults() -> None:
    assert Config(lists=CONFIG.lists) == CONFIG


LINE = "properties: {icp_tier: a, icp_segment: a, icp_fit_score: c, icp_reasons: d, icp_changed_on: e}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_changes: many", ["line 1: `max_changes`: allowed is a whole number from 1"]),
        ("\nclearing: maybe", ["line 2: `clearing`: allowed is clear or keep"]),
        ("base_url: https://evil.example", ["line 1: `base_url`: there is no such setting; there are api_version,"]),
        ("api_version: v3", ["line 1: `api_version`: allowed is a year and month, as 2026-09"]),
        ("requests_per_10_seconds: 500", ["line 1: `requests_per_10_seconds`: allowed is 1 to 190"]),
        ("nurture:\n  holdout_share: 0.9", ["line 2: `nurture.holdout_share`: allowed is 0.05 to 0.5"]),
        ("nurture:\n\n  colour: red", ["line 3: `nurture.colour`: there is no such setting; there are owner,"]),
        ("lists:\n  traits:\n    a: {property: A!}", ["line 3: `lists.traits.a.property`: a HubSpot property's name has"]),
        ("lists: {traits: {a: {property: a, values: {X: [V], Y: [V]}}}}", ["one HubSpot value stands for two values"]),
        ("properties: {icp_mood: icp_mood}", ["line 1: `properties`: there are icp_tier, icp_segment"]),
        ("objects: [companies, tickets]", ["line 1: `objects.1`: allowed is a list of companies, contacts and deals"]),
        ("objects: []", ["line 1: `objects`: allowed is a list of companies, contacts and deals"]),
        ("objects: [deals, deals]", ["names one twice"]),
        ("id_properties: {contacts: email}", ["never found by e-mail"]),
        (LINE, ["two of its values to the same property"]),
        ("properties: {icp_tier: hs_x}", ["opt in under `native`"]),
        ("native: {hs_x: {tier_9: a}}", ["a tier is one of tier_1"]),
        ("max_changes: 1\nmax_changes: 2", ["line 2: `max_changes`: is there twice"]),
        ("lists: [", ["line 2: is not YAML"]),
        ("- a", ["line 1: settings are lines of `name: value`"]),
        ("token: pat-na1-1", ["line 1: `token`: a secret does not belong", "set the environment variable HUBSPOT_TOKEN"]),
        ("lists:\n  access_token: pat-na1-1", ["line 2: `lists.access_token`: a secret does not belong"]),
        ("group_label: x\nlists: {prefix: pat-na1-00000000-1111}", ["line 2: `lists.prefix`: a secret does not belong"]),
        ("pat-na1-1: x\nowner: pat-na1-1\nmax_clears: pat-na1-1", ["line 2: `owner`: there is no such setting"]),
    ],
)
def test_a_broken_setting_is_told_with_its_line_and_what_is_allowed(tmp_path: Path, text: str, said: list[str]) -> None:
    path = tmp_path / "hubspot.yml"
    path.write_text(text + "\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}, line ") for line in lines)
    for part in said:
        assert any(part in line for line in lines), lines
    assert "pat-na1" not in str(caught.value)


# ---------------------------------------------------------------------------------------------- scoring


def test_the_score_criteria_hold_every_whole_point_of_the_score(demo: BuildResult) -> None:
    with duckdb.connect(str(demo.database), read_only=True) as marts:
        criteria = score_criteria(marts, CONFIG)
        points = marts.execute(
            "select points from marts.icp_scorecard where abs(points) > 0.5 or coalesce(attribute, 'segment') = 'segment'"
        ).fetchall()
        by_segment = marts.execute("select points from marts.icp_scorecard where attribute = 'segment'").fetchall()
        expected = expected_scores(marts, CONFIG)
        accounts = marts.execute(
            "select a.tier, a.segment_id, a.industry, a.country, a.employee_count, a.annual_revenue from marts.dim_accounts as a"
        ).fetchall()
        scorecard = marts.execute("select attribute, operator, value, points from marts.icp_scorecard").fetchall()
    assert (criteria["property"] == "hs_object_id").sum() == 1
    assert not criteria["property"].str.contains("icp_").any()
    segments = criteria[criteria["criterion"].str.startswith("segment ")]
    assert sorted(segments["exact_points"]) == sorted(each for (each,) in by_segment)
    assert segments["property"].isin(["industry", "numberofemployees and industry", "industry and numberofemployees"]).all()
    # An account's points, added up anew: those of its segment by the segment itself, not by its rule.
    bands = Counter()
    for tier, segment, *traits in accounts:
        held = dict(zip(TRAITS, traits, strict=True))
        total = sum(
            round(points)
            for attribute, operator, value, points in scorecard
            if attribute is None
            or (value == segment if attribute == "segment" else attribute in held and meets(held[attribute], operator, value))
        )
        bands[tier, min(max(0, total), 100) // 20 * 20] += 1
    for row in expected.to_dict("records"):
        low = int(row["score"].split(" ")[0])
        for tier in TIERS:
            found = bands[tier, low] + (bands[tier, 100] if low == 80 else 0)
            assert row[tier] == found, (tier, low)
    assert expected["companies"].sum() == len(accounts)
    assert sorted(criteria["exact_points"]) == sorted(each for (each,) in points)
    assert (criteria["points"] - criteria["exact_points"]).abs().max() <= 0.5


def meets(held: str | float | None, operator: str, value: str | None) -> bool:
    if operator == "is_missing":
        return held is None
    if operator == "between":
        low, high = json.loads(value)
        return held is not None and (low is None or float(held) >= low) and (high is None or float(held) < high)
    return held is not None and {"=": lambda: held == value, "in": lambda: held in json.loads(value)}[operator]()


def test_score_criteria_name_hubspots_values_and_what_it_cannot_say() -> None:
    marts = marts_of({"seg_1": ("Large | banks", "tier_1", SEGMENTS["seg_1"][2]), "seg_9": ("?", "tier_3", [("mood", "=", "x")])})
    marts.execute(
        "create table marts.icp_scorecard as select * from (values"
        " ('all', null, null, null, 50.0, null, null), ('best', 'segment', '=', 'seg_1', 20.4, 56.4, 100.0),"
        " ('other', 'segment', '=', 'seg_9', 1.2, 0, 100.0),"
        " ('energy', 'industry', 'in', '[\"Energy\"]', 5.5, null, null),"
        " ('small', 'employee_count', '<', '50', -3.6, null, null),"
        " ('middle', 'employee_count', 'between', '[50.0, null]', 3.4, null, null),"
        " ('fish', 'industry', '=', 'Fishing', 2.0, null, null), ('demo', 'engagement_demo', '>=', '1', 4.0, null, null))"
        " as t (definition, attribute, operator, value, points, lowest, highest)"
    )
    rows = {row["criterion"]: row for row in score_criteria(marts, CONFIG).to_dict("records")}
    assert (rows["energy"]["property"], rows["energy"]["operator"]) == ("industry", "is any of")
    assert rows["energy"]["value"] == "OIL_ENERGY; RENEWABLES_ENVIRONMENT; UTILITIES"
    assert (rows["small"]["property"], rows["small"]["operator"], rows["small"]["points"]) == (
        "numberofemployees", "is less than, or is unknown", -4)  # fmt: skip
    assert (rows["middle"]["operator"], rows["middle"]["value"]) == ("is at least the first and below the second", "50; any")
    assert rows["best"]["note"] == "the fit score of the segment is at least 56.4, which HubSpot cannot say"
    banks = "FINANCIAL_SERVICES; BANKING; CAPITAL_MARKETS; INVESTMENT_BANKING; INVESTMENT_MANAGEMENT"
    assert (rows["best"]["property"], rows["best"]["operator"]) == ("industry and numberofemployees", "all of these")
    assert rows["best"]["value"] == f"industry is any of {banks} AND numberofemployees is greater than or equal to 200"
    assert rows["other"]["note"] == "mood is not a company property in HubSpot: leave it out"
    assert (rows["fish"]["property"], rows["fish"]["note"]) == ("", "industry has no value for Fishing: leave it out")
    assert (rows["demo"]["score"], rows["demo"]["operator"]) == ("engagement", "happened: is greater than or equal to")
    assert {row["score"] for name, row in rows.items() if name != "demo"} == {"fit"}


# ---------------------------------------------------------------------------------------------- nurture


@pytest.fixture(scope="module")
def demo_plan(demo: BuildResult) -> dict:
    """The plan of the demo company's best segment."""
    with duckdb.connect(str(demo.database), read_only=True) as marts:
        [plan] = nurture.plans(marts, CONFIG)
    return plan


def test_a_nurture_plan_says_what_the_marts_say(demo: BuildResult, demo_plan: dict) -> None:
    segment_id = demo_plan["segment"]["id"]
    with duckdb.connect(str(demo.database), read_only=True) as marts:
        [mql] = marts.execute(
            "select conversion_90_days_rate, matured_90_days_count, entered_count - reached_count, median_days_to_next"
            " from marts.icp_funnel where segment_id = ? and stage = 'mql'", [segment_id]
        ).fetchall()  # fmt: skip
        typical = marts.execute(
            "select dimension, value from marts.icp_segment_profiles"
            " where segment_id = ? and aspect = 'people' and share_low > overall_share", [segment_id]
        ).fetchall()  # fmt: skip
    goal = demo_plan["goal"]
    assert (goal["stage"], goal["from_stage"], goal["within_days"]) == ("sql", "mql", 90)
    assert (goal["rate_today"]["value"], goal["rate_today"]["n"], goal["waiting_now"]) == (round(mql[0], 3), mql[1], mql[2])
    days = {stage["stage"]: stage["median_days_to_next"] for stage in demo_plan["timing"]["stages"]}
    assert days["mql"] == mql[3]
    assert set(days) == {"lead", "mql", "sql", "opportunity"}
    roles = {
        (kind, role["role"]) for kind, roles in demo_plan["audience"].items() for role in roles if role["more_than_elsewhere"]
    }
    assert roles == set(typical) != set()
    assert demo_plan["entry"]["list"] == f"ICP best fit: {demo_plan['segment']['name']}"


def test_what_nothing_speaks_for_is_no_evidence(demo: BuildResult, demo_plan: dict) -> None:
    with duckdb.connect(str(demo.database), read_only=True) as marts:
        [(effects,)] = marts.execute(
            "select count(*) from marts.icp_attribute_effects where verdict <> 'no_evidence'"
            " and (attribute like '%topic_%' or attribute like '%engagement_%')"
        ).fetchall()
    assert effects == 0  # the demo company's planted webinar is too weak to be claimed
    assert demo_plan["topics"]["moves"] == demo_plan["formats"]["moves"] == "no evidence"
    assert demo_plan["topics"]["usual_here"][0]["what"] == "compliance"


def with_marts(effects: list[tuple], funnel: list[tuple] = ()) -> duckdb.DuckDBPyConnection:
    """What nurture plans read, for one segment: seg_1."""
    marts = marts_of({"seg_1": ("<b>Banks</b>", "tier_2", [("industry", "in", '["Banking", "Insurance"]')])})
    for name in ("definition varchar", "pursuit_count integer", "lift double", "lift_low double", "lift_high double"):
        marts.execute(f"alter table marts.icp_segments add column {name}")
    marts.execute(
        "create table marts.icp_attribute_effects (outcome varchar, attribute varchar, value varchar, verdict varchar,"
        " accounts integer, lift double, lift_low double, lift_high double, q_value double)"
    )
    for effect in effects:
        marts.execute("insert into marts.icp_attribute_effects values (?, ?, ?, ?, 90, 1.4, 1.2, 1.6, 0.01)", list(effect))
    marts.execute(
        "create table marts.icp_funnel (segment_id varchar, stage varchar, stage_number integer, entered_count integer,"
        " reached_count integer, open_count integer, median_days_to_next double, p75_days_to_next double,"
        " matured_90_days_count integer, conversion_90_days_rate double, conversion_90_days_low double,"
        " conversion_90_days_high double, as_of date)"
    )
    for row in funnel:
        marts.execute("insert into marts.icp_funnel values ('seg_1', ?, ?, ?, ?, 7, ?, ?, ?, ?, ?, ?, '2025-06-30')", list(row))
    marts.execute(
        "create table marts.icp_segment_profiles (segment_id varchar, aspect varchar, dimension varchar, value varchar,"
        " share double, share_low double, overall_share double, accounts integer, accounts_with integer)"
    )
    marts.execute(
        "create table marts.icp_seasonality (dimension varchar, value varchar, verdict varchar, reason varchar,"
        " calendar_month integer, is_season boolean)"
    )
    marts.execute(
        "create table marts.icp_product_mix (segment_id varchar, item_type varchar, item_name varchar, attach_rate double,"
        " attach_rate_low double, overall_attach_rate double, customer_count integer)"
    )
    marts.execute("create table marts.sync_hubspot_contacts (account_id varchar, icp_segment varchar, icp_role varchar)")
    marts.execute("create table marts.fct_stage_entries (account_id varchar, segment_id varchar, stage varchar, entered_on date)")
    marts.execute("insert into marts.icp_seasonality values ('segment', 'seg_1', 'seasonal', 'September: more', 9, true)")
    return marts


def test_only_effects_of_all_or_of_the_segments_own_traits_are_named() -> None:
    marts = with_marts(
        [
            ("won", "topic_security", "1", "raises"),
            ("won", "industry & topic_audit", "Banking & 2", "raises"),
            ("retained", "topic_price", "1", "lowers"),
            ("won", "industry & topic_crops", "Farming & 1", "raises"),
            ("won", "topic_leak", "1", "leak_suspected"),
            ("won", "topic_unproven", "1", "no_evidence"),
            ("won", "engagement_webinar & region", "3 & EMEA", "raises"),
        ]
    )
    [plan] = nurture.plans(marts, CONFIG)
    moves = {(move["what"], move["times"], move["verdict"], move["of"]) for move in plan["topics"]["moves"]}
    assert moves == {
        ("security", "1", "raises won", "all accounts"),
        ("audit", "2", "raises won", "industry Banking"),
        ("price", "1", "lowers retained", "all accounts"),
    }
    assert plan["formats"]["moves"] == "no evidence"
    assert plan["timing"]["season"] == {"months": [9], "reason": "September: more"}
    page = nurture.as_html([plan])
    assert "<b>" not in page
    assert 'data-segment="seg_1" data-tier="tier_2"' in page


def test_without_a_funnel_the_goal_and_the_holdout_say_so() -> None:
    [plan] = nurture.plans(with_marts([]), Config(nurture=Nurture(owner="Ops", owners={"seg_1": "Dana"})))
    assert plan["goal"]["rate_today"] == "no evidence"
    assert (plan["holdout"]["weeks"], plan["holdout"]["why"]) == (None, "nobody knows how many reach the goal today")
    assert (plan["audience"]["function"], plan["topics"]["usual_here"], plan["owner"]) == ("no evidence", "no evidence", "Dana")


def test_without_settings_a_plan_has_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dbt_project.yml").touch()
    monkeypatch.chdir(tmp_path)
    [plan] = nurture.plans(with_marts([]))
    assert plan["owner"] == Nurture().owner
    (tmp_path / "activation").mkdir()
    (tmp_path / "activation" / "hubspot.yml").write_text("nurture: {owner: Dana}")
    [plan] = nurture.plans(with_marts([]))
    assert plan["owner"] == "Dana"


def test_a_stage_that_is_not_recorded_is_passed_over() -> None:
    funnel = [("lead", 1, 100, 60, 20, 30, 90, 0.6, 0.5, 0.7), ("sql", 3, 60, 30, 10, 15, 50, 0.5, 0.4, 0.6)]
    [plan] = nurture.plans(with_marts([], funnel), CONFIG)
    assert (plan["goal"]["from_stage"], plan["goal"]["waiting_now"], plan["goal"]["rate_today"]["n"]) == ("lead", 40, 90)
    assert "30 days without the goal: three of four that reach it have done so by then" in plan["exit"]


@pytest.mark.parametrize(("rate", "effect", "share"), [(0.3, 0.2, 0.2), (0.745, 0.2, 0.2), (0.1, 0.5, 0.5)])
def test_the_holdout_sees_the_effect_four_times_in_five(rate: float, effect: float, share: float) -> None:
    needed = nurture.participants_needed(rate, effect, share)
    left_out = round(needed * share)
    rng = np.random.default_rng(5)
    tries = 20_000
    control = rng.binomial(left_out, rate, tries) / left_out
    treated = rng.binomial(needed - left_out, rate * (1 + effect), tries) / (needed - left_out)
    pooled = control * share + treated * (1 - share)
    error = np.sqrt(pooled * (1 - pooled) * (1 / left_out + 1 / (needed - left_out)))
    found = np.mean(np.abs(treated - control) > 1.96 * error)
    assert 0.77 < found < 0.84


def test_a_plan_for_wins_goes_on_while_an_opportunity_is_open() -> None:
    funnel = [("opportunity", 4, 60, 30, 60, 90, 50, 0.5, 0.4, 0.6), ("won", 5, 30, None, None, None, None, None, None, None)]
    exits = {}
    for stage in ("sql", "won"):
        [plan] = nurture.plans(with_marts([], funnel), Config(nurture=Nurture(goal_stage=stage)))
        waiting = plan["goal"]["waiting_now"]
        exits[stage] = plan["exit"][1]
    assert exits == {
        "sql": "the company becomes a customer, or an opportunity is opened",
        "won": "the company becomes a customer",
    }
    assert waiting == 7  # the open ones: those that were lost wait for nothing


def test_a_rate_that_cannot_grow_needs_no_number() -> None:
    assert nurture.participants_needed(0.9, 0.2, 0.2) is None
    assert nurture.participants_needed(0.0, 0.2, 0.2) is None


# ---------------------------------------------------------------------------------------------- the commands


def test_the_commands_end_to_end(demo: BuildResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dbt_project.yml").touch()
    current = tmp_path / "published" / "current"
    current.mkdir(parents=True)
    (current / "icp.duckdb").symlink_to(demo.database)
    (current / "manifest.json").write_text('{"published_at": "2025-07-01", "as_of": "2025-06-30"}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ICP_PUBLISHED", raising=False)
    settings = yaml.safe_load((ROOT / "activation" / "hubspot.yml").read_text())
    with HubSpotPortal() as stand_in:
        segments = (
            duckdb.connect(str(demo.database), read_only=True).execute("select segment_id from marts.icp_segments").fetchall()
        )
        prepare(stand_in, segments=[segment_id for (segment_id,) in segments])
        (tmp_path / "activation").mkdir()
        (tmp_path / "activation" / "hubspot.yml").write_text(yaml.safe_dump(settings))
        monkeypatch.setenv("HUBSPOT_TOKEN", stand_in.token)
        monkeypatch.setenv("COLUMNS", "200")
        at = ["--base-url", stand_in.url]
        shown = said("lists", *at)
        assert "Nothing was written" in shown
        assert stand_in.lists == {}
        with alone(tmp_path / "activation" / "runs"):
            refused = CliRunner().invoke(app, ["hubspot", "lists", "--apply", *at])
        assert (refused.exit_code, stand_in.lists) == (1, {})
        assert "Another run is at work" in refused.output
        made = said("lists", "--apply", *at)
        assert made.count("created") == len(stand_in.lists) == 9
        again = said("lists", "--apply", *at)
        assert "created" not in again
        assert len(stand_in.writes()) == 9
        said("nurture", "-o", "plans")
        for name in ("score.csv", "score.md"):
            assert said("score", "-o", name) == f"{name}\n"
        assert "HubSpot begins at 0" in said("score")
        [playbook, plan] = sorted((tmp_path / "plans").iterdir())
        assert yaml.safe_load(plan.read_text())["segment"]["id"] == plan.stem == playbook.stem
        assert 5 <= len(pd.read_csv("score.csv")) <= 40
        files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
        assert len(files) >= 6
        texts = [path.read_text() for path in files] + [shown, made, again]
        assert not any(stand_in.token in text for text in texts)


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["hubspot", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_wanted_lists_are_one_per_prioritized_segment_and_one_for_the_deprioritized(stand_in: HubSpotPortal) -> None:
    keys = [wanted.key for wanted in wanted_lists(marts_of(), CONFIG, stand_in.properties)]
    assert sorted(keys) == ["deprioritized", "like deprioritized", "like seg_1", "like seg_2", "seg_1", "seg_2", "tier_3"]
    quiet = Config(lists=Lists(look_alikes=False, traits=CONFIG.lists.traits))
    assert len(wanted_lists(marts_of(), quiet, stand_in.properties)) == 4
    assert wanted_lists(marts_of({"seg_1": ("All", "tier_3", [])}), CONFIG, stand_in.properties)[0].key == "tier_3"
