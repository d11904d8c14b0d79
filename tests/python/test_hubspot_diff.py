"""`icp hubspot diff`: what a plan holds, and what it withholds."""

import csv
import json
import re
from datetime import date
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from hubspot_desk import Desk, row
from hubspot_portal import TOKEN, Fault
from icp_refinery.cli import app
from icp_refinery.hubspot.apply import Outcome
from icp_refinery.hubspot.errors import PlanError
from icp_refinery.hubspot.journal import read_lines


def test_diff_shows_what_would_change_and_writes_nothing(desk: Desk) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row(account_name="[bold]Ann & [/bold] <b>\x1b[31m株式会社")})
    shown = desk.command("diff")
    assert shown.exit_code == 0, shown.output
    assert desk.hubspot.writes() == []
    assert "[bold]Ann & [/bold] <b>�[31m株式会社" in shown.output
    assert "first values: energy (+30)" in shown.output
    assert re.search("companies +│ icp_tier +│ 1 +│ first values: 1", shown.output)
    assert "create the company property icp_tier (enumeration)" in shown.output
    counts = {"schema": 7, "changes": 1, "cleared": 0, "found": 1, "unknown": 0, "keep": 0, "withheld": 0}
    [summary] = desk.lines("summary")
    assert {row["property"] for row in summary.pop("overview")["changes"]} > {"icp_tier", "icp_reasons"}
    assert summary == {"kind": "summary", "lists": 1, "objects": {"companies": counts}} | counts
    (change,) = desk.lines("change")
    assert change["set"] == {
        "icp_tier": ["", "tier_1"],
        "icp_segment": ["", "seg_a"],
        "icp_fit_score": ["", "72.5"],
        "icp_reasons": ["", "energy (+30)"],
    }
    assert desk.command("apply").exit_code == 0
    assert desk.hubspot.writes() == []
    assert not desk.journal.exists()


def test_without_a_subcommand_it_is_diff(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["hubspot"], env={"ICP_PUBLISHED": str(tmp_path), "HUBSPOT_TOKEN": TOKEN})
    assert shown.exit_code == 1
    assert "There are no published marts" in shown.output
    (tmp_path / "current").mkdir()
    (tmp_path / "current" / "manifest.json").write_text('{"as_of": ')
    shown = CliRunner().invoke(app, ["hubspot"], env={"ICP_PUBLISHED": str(tmp_path), "HUBSPOT_TOKEN": TOKEN})
    assert "manifest.json is damaged" in shown.output
    (tmp_path / "current" / "manifest.json").write_text('{"tables": []}')
    shown = CliRunner().invoke(app, ["hubspot"], env={"ICP_PUBLISHED": str(tmp_path), "HUBSPOT_TOKEN": TOKEN})
    assert "tables of Spark's catalog" in shown.output


def test_values_that_hubspot_keeps_in_its_own_way_are_not_written_again(desk: Desk) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row(score="70.50", reasons=" two  blanks;\tand a tab ")})
    assert desk.sync() == Outcome(written=1)
    desk.hubspot.companies["101"].values["icp_reasons"] = "two blanks; and a tab"
    assert desk.hubspot.value("101", "icp_fit_score") == "70.5"
    assert desk.diff()["changes"] == 0
    # More than HubSpot takes.
    desk.publish({"101": row(score="70.5", reasons="é " * 40_000)})
    assert desk.sync() == Outcome(written=1)
    assert desk.diff()["changes"] == 0


def test_companies_that_left_the_marts_are_cleared(synced: Desk) -> None:
    synced.publish({"101": row(score=None, reasons="reason 101"), "102": row(reasons="reason 102")})
    assert synced.diff()["cleared"] == 1
    assert {c["record_id"]: c["reason"] for c in synced.lines("change")} == {
        "101": "other score: reason 101",
        "103": "no longer in the marts",
    }
    assert synced.apply(today=date(2026, 12, 1)) == Outcome(written=2)
    assert synced.held("101", "103") == {
        "101": {"icp_tier": "tier_1", "icp_segment": "seg_a", "icp_reasons": "reason 101", "icp_changed_on": "2026-12-01"},
        "103": {"icp_changed_on": "2026-12-01"},
    }
    assert synced.diff()["changes"] == 0


def test_companies_that_left_the_marts_are_kept_where_the_settings_say_so(synced: Desk) -> None:
    synced.publish({"101": row(reasons="reason 101")})
    synced.config = {"clearing": "keep"}
    assert synced.diff()["changes"] == 0


def test_records_that_are_not_there_are_withheld_with_the_reason(desk: Desk) -> None:
    for record in ("101", "102", "103", "104", "105"):
        desk.hubspot.add_company(record)
    desk.hubspot.merge("102", into="101")
    desk.hubspot.archive("103")
    rows = {record: row() for record in ("101", "102", "103", "777", "abc", "0105", "-5", "1" * 30)}
    rows |= {"104": row(withheld_reason="claimed_by_several_accounts"), "105": row()}
    desk.publish(rows)
    desk.diff()
    assert desk.reasons() == {
        "102": "merged into 101 in HubSpot: name that record in account_external_ids",
        "103": "archived in HubSpot",
        "777": "unknown to this portal: deleted for good, or the id of another portal",
        "104": "several accounts name this record: it is not clear whose values it should have",
        **dict.fromkeys(["abc", "0105", "-5", "1" * 30], "not a HubSpot record id"),
    }
    assert desk.apply() == Outcome(written=2)
    assert {record for record, values in desk.held().items() if values} == {"101", "105"}
    assert desk.diff()["changes"] == 0


def test_both_records_of_an_account_get_its_values(desk: Desk) -> None:
    for record in ("101", "102"):
        desk.hubspot.add_company(record)
    desk.publish({record: row(account_id="A1") for record in ("101", "102")})
    assert desk.sync() == Outcome(written=2)
    held = desk.held()
    assert held["101"] == held["102"] != {}


def test_a_record_that_two_rows_claim_is_withheld(desk: Desk) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row()})
    with duckdb.connect(str(desk.state / "icp.duckdb")) as marts:
        marts.execute("insert into marts.sync_hubspot_companies select * from marts.sync_hubspot_companies")
    assert desk.diff()["changes"] == 0
    assert "several accounts" in desk.reasons()["101"]


@pytest.mark.parametrize("what", ["property", "option"])
def test_what_an_admin_deletes_is_made_again_only_after_being_shown(synced: Desk, what: str) -> None:
    synced.publish({record: row(segment="seg_b", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    if what == "property":
        synced.hubspot.delete_property("icp_segment")
    else:
        synced.hubspot.delete_option("icp_segment", "seg_b")
    with pytest.raises(PlanError, match="Since the plan somebody took away in HubSpot, or from it: icp_segment"):
        synced.apply()
    assert synced.hubspot.writes() == []
    assert synced.diff()["schema"] == 1
    assert synced.apply() == Outcome(written=3)
    assert synced.held("101")["101"]["icp_segment"] == "seg_b"


def test_a_new_segment_becomes_an_option_and_the_others_stay_as_they_are(synced: Desk) -> None:
    options = synced.hubspot.properties["icp_segment"]["options"]
    options[0]["label"] = "Renamed by an admin"
    options.append({"label": "ENERGY", "value": "an admin's", "displayOrder": 7, "hidden": True})
    before = [dict(option) for option in options]
    segments = {"seg_a": "Energy", "seg_c": "Energy"}
    synced.publish({record: row(segment="seg_c", reasons=f"reason {record}") for record in ("101", "102", "103")}, segments)
    assert synced.sync() == Outcome(written=3)
    after = synced.hubspot.properties["icp_segment"]["options"]
    assert after[:3] == before
    assert [(option["value"], option["label"]) for option in after[3:]] == [("seg_c", "Energy (seg_c)")]


def test_a_property_of_the_same_name_and_another_type_is_not_touched(desk: Desk) -> None:
    desk.publish({})
    desk.hubspot.add_property("icp_tier", "string")
    with pytest.raises(PlanError, match="icp_tier is there already, as string in place of enumeration"):
        desk.diff()


def test_a_property_that_others_made_is_not_taken_for_ours(synced: Desk) -> None:
    synced.hubspot.properties["icp_tier"]["groupName"] = "companyinformation"
    with pytest.raises(PlanError, match="icp_tier is there already, in the group companyinformation: it is not taken for ours"):
        synced.diff()


def test_what_a_person_set_before_the_plan_is_kept_until_the_field_is_emptied(synced: Desk) -> None:
    synced.hubspot.edit("101", "icp_tier", "deprioritized")
    synced.hubspot.edit("102", "icp_tier", "tier_3", source="IMPORT")
    synced.hubspot.edit("900", "icp_tier", "tier_3")
    synced.publish({record: row(score="50", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    assert {record: reason[:55] for record, reason in synced.reasons().items()} == {
        "101": "icp_tier was set to 'deprioritized' in HubSpot (CRM_UI,",
        "102": "icp_tier was set to 'tier_3' in HubSpot (IMPORT, 2026-1"[:55],
        "900": "icp_tier was set to 'tier_3' in HubSpot (CRM_UI, 2026-1"[:55],
    }
    assert synced.apply() == Outcome(written=3)
    assert synced.held("101")["101"]["icp_tier"] == "deprioritized"
    assert synced.held("101")["101"]["icp_fit_score"] == "50"
    synced.hubspot.edit("101", "icp_tier", "")
    synced.config = {"human_edits": "overwrite"}
    synced.hubspot.edit("103", "icp_tier", "tier_2")
    assert synced.sync() == Outcome(written=4)
    assert synced.held("101")["101"]["icp_tier"] == "tier_1"


def test_a_value_whose_history_hubspot_does_not_tell_is_kept(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.hubspot.edit("101", "icp_tier", "deprioritized")
    synced.hubspot.faults.append(Fault(status=200, body={"results": []}, path="batch/read"))
    assert synced.diff()["changes"] == 0
    assert synced.reasons()["101"] == "icp_tier was set to 'deprioritized' in HubSpot (its history does not say by whom): kept"


def test_an_empty_or_shrunken_mart_changes_nothing(synced: Desk) -> None:
    synced.publish({})
    shown = synced.command("diff")
    assert "Apply would refuse: The marts have no company with values at all" in shown.output
    with pytest.raises(PlanError, match="no company with values at all"):
        synced.apply()
    synced.publish({"101": row(withheld_reason="claimed_by_several_accounts")})
    with pytest.raises(PlanError, match="no company with values at all"):
        synced.sync()
    synced.publish({"101": row(reasons="reason 101")})
    with pytest.raises(PlanError, match=r"2 companies left the marts.*more than max_clears \(1\)"):
        synced.sync(max_clears=1)
    with pytest.raises(PlanError, match=r"2 companies would change, more than max_changes \(1\)"):
        synced.sync(max_changes=1)
    refused = synced.command("apply", "--apply", "--max-changes", "1")
    assert refused.exit_code == 1
    assert synced.hubspot.writes() == []
    shrunken = synced.command("apply", "--apply", "--max-changes", "2")
    assert "2 companies left the marts and would be cleared, more than keep a value (1)" in " ".join(shrunken.output.split())
    assert synced.hubspot.writes() == []
    assert synced.command("apply", "--apply", "--max-changes", "2", "--max-clears", "2").exit_code == 0


NATIVE = {"native": {"hs_ideal_customer_profile": {"tier_1": "tier_1", "tier_2": "tier_2", "tier_3": "tier_9"}, "hs_none": {}}}


def test_native_properties_are_written_where_they_are_empty_or_ours(synced: Desk) -> None:
    synced.config = NATIVE
    synced.hubspot.edit("102", "hs_ideal_customer_profile", "tier_3")
    for record in ("101", "103"):
        assert synced.hubspot.value(record, "hs_ideal_customer_profile") is None
    assert synced.sync(today=date(2026, 11, 25)) == Outcome(written=2)
    reasons = [line["reason"] for line in synced.lines("withheld")]
    assert "hs_ideal_customer_profile: this portal has no option tier_9 (for tier_3)" in reasons
    assert "hs_none: this portal has no such property" in reasons
    assert "hs_ideal_customer_profile is 'tier_3', which was not written by us: kept" in reasons
    # The day is that of our own properties.
    assert synced.held("101")["101"]["icp_changed_on"] == "2026-11-22"
    synced.publish({"101": row("tier_2", reasons="reason 101"), "102": row("tier_2"), "103": row("deprioritized")})
    assert synced.sync(today=date(2026, 12, 1)) == Outcome(written=3)
    assert synced.hubspot.values("hs_ideal_customer_profile") == {"101": "tier_2", "102": "tier_3"}
    synced.publish({"101": row("tier_2", reasons="reason 101")})
    synced.sync(max_clears=2)
    assert synced.hubspot.values("hs_ideal_customer_profile") == {"101": "tier_2", "102": "tier_3"}


def test_hubspots_own_tier_property_is_written_on_request_only(synced: Desk) -> None:
    tiers = {"101": "tier_1", "102": "tier_2", "103": "tier_3", "900": "deprioritized", "901": "tier_1"}
    synced.hubspot.add_company("901", hs_ideal_customer_profile="tier_3")
    synced.publish({record: row(tier, reasons="new") for record, tier in tiers.items()})
    assert "hs_ideal_customer_profile" not in synced.command("diff").output
    synced.command("diff", "--native-icp-tier")
    assert "native properties have been changed" in synced.command("apply", "--apply").output
    assert "5 companies written" in synced.command("apply", "--apply", "--native-icp-tier").output
    # What is neutral or fits badly stays empty, and what a person chose stays.
    wanted = {"101": "tier_1", "102": "tier_2", "901": "tier_3"}
    assert synced.hubspot.values("hs_ideal_customer_profile") == wanted


def test_the_diff_counts_by_property_and_tier_and_writes_all_of_it(desk: Desk) -> None:
    for record in range(1001, 1026):
        desk.hubspot.add_company(str(record))
    desk.hubspot.edit("1001", "description", "x")
    desk.publish({str(record): row() for record in range(1001, 1013)})
    desk.sync()
    desk.hubspot.edit("1001", "icp_tier", "tier_3")
    desk.hubspot.edit("1002", "icp_tier", "tier_3")
    rows = {str(record): row("tier_2", account_name="=cmd()") for record in range(1001, 1013)}
    desk.publish(rows | {str(record): row("tier_1", "seg_b") for record in range(1013, 1026)} | {"5001": row()})
    files = [desk.folder / "all.csv", desk.folder / "all.json"]
    shown = desk.command("diff", "--csv", str(files[0]), "--json", str(files[1])).output
    first, examples = shown.split("Examples of changes")
    assert re.search("icp_tier +│ 13 +│ 10 +│ first values: 13, its segment has another tier: 10", first)
    assert "each company record" not in first
    assert "23 companies show other values" in first
    assert re.search("companies +│ 2 +│ icp_tier was set to … in HubSpot", first)
    assert examples.count("icp_tier:") == 10
    assert "... the first 10 of 23 changes" in examples
    written = list(csv.DictReader(files[0].open(encoding="utf-8")))
    tiers = [line for line in written if line["property"] == "icp_tier"]
    assert len(tiers) == 23
    assert {line["name"] for line in tiers if line["tier"] == "tier_2"} == {"'=cmd()"}
    assert {line["record_id"] for line in written if line["kind"] == "withheld"} == {"1001", "1002", "5001"}
    whole = json.loads(files[1].read_text(encoding="utf-8"))
    assert whole["lines"] == desk.lines("plan") + [line for line in read_lines(desk.plan) if line["kind"] != "plan"]
    [tier] = [counted for counted in whole["overview"]["changes"] if counted["property"] == "icp_tier"]
    assert tier["tiers"] == {"tier_2": 10, "tier_1": 13}
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_what_is_said_of_more_records_than_fit_says_that_there_are_more(desk: Desk) -> None:
    records = [str(record) for record in range(1001, 1031)]
    for record in records:
        desk.hubspot.add_company(record)
    desk.publish({record: row() for record in records})
    desk.sync()
    for record in records:
        desk.hubspot.edit(record, "icp_tier", "tier_2")
    shown = desk.command("revert", str(desk.journal))
    assert shown.output.count("changed since: icp_tier") == 20
    assert "the first 20 of 30 not written, or not whole" in shown.output


def test_a_terminal_without_the_letters_shows_a_question_mark(synced: Desk) -> None:
    synced.publish({"101": row("tier_2", account_name="株式会社"), "102": row(), "103": row()})
    env = {"HUBSPOT_TOKEN": TOKEN, "ICP_PUBLISHED": str(synced.folder / "published")}
    arguments = ["hubspot", "diff", "--config", str(synced.write_settings()), "--plan", str(synced.plan)]
    arguments += ["--base-url", synced.hubspot.url]
    shown = CliRunner(charset="ascii").invoke(app, arguments, env=env)
    assert shown.exit_code == 0, shown.exception
    assert "| ???? | 101 " in shown.output
    assert "icp_tier: tier_1 ? " in shown.output
