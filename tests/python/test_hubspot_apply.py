"""`icp hubspot apply` writes what the plan showed, and nothing that HubSpot or a person says no to."""

import re
from collections import Counter

import pytest

from hubspot_desk import SEGMENTS, VALUES_OF_A_ROW, Desk, row
from hubspot_portal import Fault, bad_gateway
from icp_refinery.hubspot.apply import Outcome
from icp_refinery.hubspot.errors import HubSpotError, PlanError, Refused
from icp_refinery.hubspot.journal import read_lines


def test_apply_writes_what_diff_showed_and_a_second_run_writes_nothing(desk: Desk) -> None:
    for record in ("101", "102"):
        desk.hubspot.add_company(record, domain="same.example")
    desk.publish({"101": row(score="72.0")})
    desk.command("diff")
    written = desk.command("apply", "--apply")
    assert written.exit_code == 0, written.output
    assert "1 companies written" in written.output
    assert f"icp hubspot revert {desk.journal}" in written.output
    # The other company with the same domain is left alone.
    today = desk.hubspot.value("101", "icp_changed_on")
    assert desk.held() == {
        "101": VALUES_OF_A_ROW | {"icp_fit_score": "72", "icp_reasons": "energy (+30)", "icp_changed_on": today},
        "102": {},
    }
    assert desk.hubspot.properties["icp_tier"]["groupName"] == "icp"
    assert [option["label"] for option in desk.hubspot.properties["icp_segment"]["options"]] == list(SEGMENTS.values())
    count = len(desk.hubspot.writes())
    desk.command("apply", "--apply")
    desk.command("diff")
    assert "0 companies would change" in desk.command("apply").output
    assert desk.command("apply", "--apply").exit_code == 0
    assert len(desk.hubspot.writes()) == count


def test_250_changes_are_three_calls(desk: Desk) -> None:
    for record in range(1001, 1251):
        desk.hubspot.add_company(str(record))
    desk.publish({str(record): row() for record in range(1001, 1251)})
    assert desk.sync() == Outcome(written=250)
    assert [len(call.body["inputs"]) for call in desk.updates()] == [100, 100, 50]


def test_records_that_hubspot_refuses_singly_are_reported_and_the_others_written(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    synced.hubspot.refused["102"] = "This company is under a legal hold"
    outcome = synced.apply()
    assert outcome == Outcome(written=2, refused=1, said=["102: HubSpot refuses: This company is under a legal hold"])
    assert len(synced.updates()) == 1
    assert [synced.hubspot.value(r, "icp_tier") for r in ("101", "102", "103")] == ["tier_2", "tier_1", "tier_2"]
    # What was written is not written again; what was refused is tried again.
    synced.hubspot.refused.clear()
    assert synced.apply() == Outcome(written=1, already=2)


def test_a_batch_that_fails_whole_is_split_down_to_the_bad_record(desk: Desk) -> None:
    records = [str(record) for record in range(1001, 1101)]
    for record in records:
        desk.hubspot.add_company(record)
    desk.publish({record: row() for record in records})
    desk.hubspot.locked.add("1037")
    outcome = desk.sync()
    assert (outcome.written, outcome.refused) == (99, 1)
    assert re.match("1037: HubSpot refuses: POST .*409", outcome.said[0])
    assert len(desk.updates()) == 1 + 2 * 7  # halving 100 down to one record
    assert max(Counter((c.company_id, c.property) for c in desk.hubspot.commits).values()) == 1


def test_a_rule_of_the_portal_that_refuses_everything_stops_the_run(desk: Desk) -> None:
    records = [str(record) for record in range(1001, 1301)]
    for record in records:
        desk.hubspot.add_company(record)
    desk.publish({record: row() for record in records})
    desk.hubspot.required.add("country")
    with pytest.raises(HubSpotError, match=r"Stopped: HubSpot refused 200 records, and took 0.*required properties.*country"):
        desk.sync()
    assert desk.hubspot.commits == []


def test_a_required_property_names_itself(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.hubspot.required.add("country")
    synced.hubspot.edit("101", "country", "NO")
    outcome = synced.sync()
    assert (outcome.written, outcome.refused) == (1, 2)
    assert re.search("required properties.*country", outcome.said[0])


def test_a_record_that_is_merged_or_archived_after_the_plan_is_left_alone(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    synced.hubspot.merge("102", into="900")
    synced.hubspot.archive("103")
    outcome = synced.apply()
    assert (outcome.written, outcome.kept) == (1, 2)
    assert sorted(outcome.said) == [
        "102: merged into 900 in HubSpot: name that record in account_external_ids",
        "103: archived in HubSpot",
    ]
    assert {commit.company_id for commit in synced.hubspot.commits if commit.call} == {"101"}


def test_a_property_that_is_deleted_during_the_run_stops_it(synced: Desk) -> None:
    synced.publish({record: row(segment="seg_b", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    synced.hubspot.faults.append(Fault(hook=lambda: synced.hubspot.delete_property("icp_segment"), path="batch/update"))
    with pytest.raises(Refused, match="PROPERTY_DOESNT_EXIST"):
        synced.apply()
    assert len(synced.updates()) == 1


def test_an_option_that_is_deleted_during_the_run_is_said_for_each_record(synced: Desk) -> None:
    rows = {record: row(segment="seg_b", reasons=f"reason {record}") for record in ("101", "102")}
    synced.publish(rows | {"103": row(tier="tier_2", reasons="reason 103")})
    synced.diff()
    synced.hubspot.faults.append(Fault(hook=lambda: synced.hubspot.delete_option("icp_segment", "seg_b"), path="batch/update"))
    outcome = synced.apply()
    assert (outcome.written, outcome.refused) == (1, 2)
    assert "INVALID_OPTION" in outcome.said[0]


@pytest.mark.parametrize("after", [True, False])
def test_what_is_made_meanwhile_or_without_an_answer_is_made_once(desk: Desk, after: bool) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row()})
    desk.diff()
    desk.hubspot.faults += [
        Fault(drop=True, after=after, method="POST", path="/groups$"),
        bad_gateway(after=after, method="POST", path="properties.*/companies$"),
    ]
    assert desk.apply() == Outcome(written=1)
    # Another run, or an admin, is a moment faster.
    desk.publish({"101": row("tier_2", "seg_c")}, {"seg_c": "Fishing"})
    definition = desk.hubspot.properties["icp_reasons"]
    desk.hubspot.delete_property("icp_reasons")
    desk.diff()

    def make_property() -> None:
        desk.hubspot.properties["icp_reasons"] = definition

    desk.hubspot.faults += [
        Fault(hook=make_property, method="POST", path="properties.*/companies$"),
        Fault(drop=True, after=after, method="PATCH"),
    ]
    assert desk.apply() == Outcome(written=1)
    assert [option["value"] for option in desk.hubspot.properties["icp_segment"]["options"]] == ["seg_a", "seg_b", "seg_c"]


def test_a_read_only_property_is_said(synced: Desk) -> None:
    synced.hubspot.properties["icp_tier"]["modificationMetadata"]["readOnlyValue"] = True
    with pytest.raises(PlanError, match="icp_tier is read-only"):
        synced.diff()


def test_what_a_person_changes_between_plan_and_apply_is_kept_and_reported(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    synced.hubspot.edit("101", "icp_tier", "deprioritized")
    synced.hubspot.edit("102", "icp_tier", "")
    outcome = synced.apply()
    assert (outcome.written, outcome.kept) == (1, 2)
    assert "101: changed in HubSpot since (icp_tier is 'deprioritized'): kept" in outcome.said
    assert [synced.hubspot.value(r, "icp_tier") for r in ("101", "102", "103")] == ["deprioritized", "", "tier_2"]
    kept = [line["kept"] for line in read_lines(synced.journal) if line.get("kept")]
    assert set(kept[0]) == {"101", "102"}


def test_a_plan_writes_a_record_once_even_if_somebody_puts_the_old_value_back(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    assert synced.sync() == Outcome(written=3)
    synced.hubspot.edit("101", "icp_tier", "tier_1")
    assert synced.apply() == Outcome(already=3)
    assert synced.hubspot.value("101", "icp_tier") == "tier_1"


def test_a_plan_that_no_longer_holds_is_not_carried_out(synced: Desk) -> None:
    rows = {record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")}
    synced.publish(rows)
    synced.diff()
    whole = synced.plan.read_text()
    synced.plan.write_text(whole[: whole.rindex('{"kind": "summary"')])
    with pytest.raises(PlanError, match="not a whole plan"):
        synced.apply()
    synced.plan.write_text(whole)
    synced.publish(rows)
    with pytest.raises(PlanError, match="newer marts have been published"):
        synced.apply()
    synced.diff()
    synced.config = {"native": {"hs_ideal_customer_profile": {"tier_1": "tier_1"}}}
    with pytest.raises(PlanError, match="native properties have been changed"):
        synced.apply()
    others = {"objects": ["companies", "deals"], "id_properties": {"deals": "x"}, "human_edits": "overwrite", "clearing": "keep"}
    for setting in ({name: value} for name, value in others.items()):
        synced.config = setting
        with pytest.raises(PlanError, match=f"the setting {next(iter(setting))} has been changed"):
            synced.apply()
    synced.config = {}
    synced.hubspot.portal_id = 7
    with pytest.raises(PlanError, match="another portal"):
        synced.apply()
    synced.config = {"portal_id": 4242}
    with pytest.raises(PlanError, match=r"portal 7; .* names portal 4242"):
        synced.diff()
    assert synced.hubspot.writes() == []
    synced.plan.unlink()
    assert "There is no plan" in synced.command("apply", "--apply").output
