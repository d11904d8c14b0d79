"""`icp hubspot diff | apply | revert` against a portal on loopback: a real server that validates every request."""

import copy
import errno
import json
import multiprocessing
import os
import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import duckdb
import pytest
from typer.testing import CliRunner, Result

from hubspot_portal import TOKEN, Fault, HubSpotPortal, SimulatedClock, bad_gateway, too_many_requests
from icp_refinery.cli import app
from icp_refinery.hubspot import client, journal, plan
from icp_refinery.hubspot.apply import Outcome, apply_plan
from icp_refinery.hubspot.client import Portal, TokenBucket
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.errors import (
    BadAddress,
    DailyQuota,
    HubSpotError,
    MissingScope,
    PlanError,
    Refused,
    Unauthorized,
    Unreachable,
)
from icp_refinery.hubspot.journal import journal_of, read_lines
from icp_refinery.hubspot.plan import read_plan, write_plan
from icp_refinery.hubspot.revert import revert
from run_icp import run_icp

SEGMENTS = {"seg_a": "Energy", "seg_b": "Retail; 200 or more employees"}
TODAY = date(2026, 11, 22)
OWN = ("icp_tier", "icp_segment", "icp_fit_score", "icp_reasons", "icp_changed_on")


def row(tier: str = "tier_1", segment: str = "seg_a", score: str | None = "72.5", reasons: str = "energy (+30)", **other: Any):
    values = {"icp_tier": tier, "icp_segment": segment, "icp_fit_score": score, "icp_reasons": reasons}
    return {"account_id": None, "account_name": None, "withheld_reason": None} | values | other


@dataclass
class Desk:
    """The portal, the published marts, and what a person at this machine does with both."""

    hubspot: HubSpotPortal
    folder: Path
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    published: int = 0
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def plan(self) -> Path:
        return self.folder / "runs" / "plan.jsonl"

    @property
    def state(self) -> Path:
        return self.folder / "published" / "current"

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.state / "manifest.json").read_text())

    def publish(self, rows: dict[str, dict[str, Any]], segments: dict[str, str] | None = None) -> None:
        """Publish marts with these company records."""
        self.published += 1
        state = self.folder / "published" / str(self.published)
        state.mkdir(parents=True)
        with duckdb.connect(str(state / "icp.duckdb")) as marts:
            marts.execute("begin")
            marts.execute("create schema marts")
            marts.execute("create table marts.icp_segments (segment_id varchar, segment_name varchar, tier varchar)")
            marts.executemany("insert into marts.icp_segments values (?, ?, 'tier_3')", list((segments or SEGMENTS).items()))
            rule = ("segment_id", "condition_number", "attribute", "operator", "value")
            marts.execute(f"create table marts.icp_segment_rules ({' varchar, '.join(rule)} varchar)")
            names = ["account_id", "account_name", "withheld_reason", *plan.VALUES]
            columns = ", ".join(f"{name} varchar" for name in ["hubspot_company_id", *names])
            marts.execute(f"create table marts.sync_hubspot_companies ({columns})")
            records = [[i, v["account_id"] or f"A{i}", *(v[name] for name in names[1:])] for i, v in rows.items()]
            if records:
                marts.executemany(f"insert into marts.sync_hubspot_companies values ({'?, ' * 7}?)", records)
            marts.execute("commit")
        manifest = {"as_of": "2026-11-20", "published_at": f"2026-11-22T00:00:{self.published:02}+00:00"}
        (state / "manifest.json").write_text(json.dumps(manifest))
        link = self.folder / "published" / "current"
        link.unlink(missing_ok=True)
        link.symlink_to(state.name)

    def settings(self) -> Config:
        return Config(requests_per_10_seconds=190, **self.config)

    def portal(self) -> Portal:
        """A client whose waiting takes no time."""
        return Portal(
            self.hubspot.url, TOKEN, requests_per_10_seconds=190, sleep=self.clock.sleep, clock=self.clock.now, backoff_seconds=1
        )

    def diff(self) -> dict[str, Any]:
        with self.portal() as portal, duckdb.connect(str(self.state / "icp.duckdb"), read_only=True) as marts:
            return write_plan(portal, marts, self.manifest, self.settings(), self.plan)

    def apply(self, **other: Any) -> Outcome:
        with self.portal() as portal, duckdb.connect(str(self.state / "icp.duckdb"), read_only=True) as marts:
            arguments = {"today": TODAY} | other
            return apply_plan(portal, marts, self.manifest, self.settings(), self.plan, **arguments)[0]

    def sync(self, **other: Any) -> Outcome:
        self.diff()
        return self.apply(**other)

    def revert(self, journal: Path | None = None, write: bool = True) -> Outcome:
        with self.portal() as portal:
            return revert(portal, self.settings(), journal or self.journal, write)[0]

    @property
    def journal(self) -> Path:
        return journal_of(self.plan, read_plan(self.plan)[0]["made_at"])

    def lines(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in read_lines(self.plan) if line["kind"] == kind]

    def reasons(self) -> dict[str, str]:
        return {line["hubspot_company_id"]: line["reason"] for line in self.lines("withheld")}

    def held(self, *records: str) -> dict[str, dict[str, str]]:
        """The own values that HubSpot has."""
        found = {c: {n: self.hubspot.value(c, n) or "" for n in OWN} for c in records or self.hubspot.companies}
        return {c: {n: value for n, value in values.items() if value} for c, values in found.items()}

    def updates(self) -> list[Any]:
        return [call for call in self.hubspot.calls if call.path.endswith("batch/update")]

    def write_settings(self) -> Path:
        path = self.folder / "hubspot.yml"
        settings = {"requests_per_10_seconds": 190, **self.config}
        path.write_text(json.dumps(settings))
        return path

    def command(self, *arguments: str, token: str = TOKEN) -> Result:
        """The command line, as a person uses it."""
        places = ["--config", str(self.write_settings()), "--base-url", self.hubspot.url]
        if arguments[0] != "revert":
            places += ["--plan", str(self.plan)]
        env = {"HUBSPOT_TOKEN": token, "ICP_PUBLISHED": str(self.folder / "published"), "COLUMNS": "200"}
        return CliRunner().invoke(app, ["hubspot", *arguments, *places], env=env)


@pytest.fixture(autouse=True)
def own_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of a portal is the user's: here each test's own, as the stand-ins share a portal's number."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with HubSpotPortal() as hubspot:
        yield Desk(hubspot, tmp_path)


@pytest.fixture
def synced(desk: Desk) -> Desk:
    """Three companies with our values, and one that is not ours."""
    for record in ("101", "102", "103", "900"):
        desk.hubspot.add_company(record, name=f"Company {record}", domain="same.example")
    desk.publish({record: row(reasons=f"reason {record}") for record in ("101", "102", "103")})
    assert desk.sync() == Outcome(written=3)
    desk.hubspot.calls.clear()
    desk.hubspot.commits.clear()
    return desk


VALUES_OF_A_ROW = {"icp_tier": "tier_1", "icp_segment": "seg_a", "icp_fit_score": "72.5", "icp_changed_on": "2026-11-22"}


def test_diff_shows_what_would_change_and_writes_nothing(desk: Desk) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row(account_name="[bold]Ann & [/bold] <b>\x1b[31m株式会社")})
    shown = desk.command("diff")
    assert shown.exit_code == 0, shown.output
    assert desk.hubspot.writes() == []
    assert "[bold]Ann & [/bold] <b>�[31m株式会社" in shown.output
    assert "first values: energy (+30)" in shown.output
    assert "icp_tier: (empty) → tier_1: 1" in shown.output
    assert "create the company property icp_tier (enumeration)" in shown.output
    counts = {"schema": 6, "changes": 1, "cleared": 0, "found": 1, "unknown": 0, "keep": 0, "withheld": 0, "lists": 0}
    assert desk.lines("summary") == [{"kind": "summary"} | counts]
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


def test_without_a_subcommand_it_is_diff(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["hubspot"], env={"ICP_PUBLISHED": str(tmp_path), "HUBSPOT_TOKEN": TOKEN})
    assert shown.exit_code == 1
    assert "There are no published marts" in shown.output
    (tmp_path / "current").mkdir()
    (tmp_path / "current" / "manifest.json").write_text('{"as_of": ')
    shown = CliRunner().invoke(app, ["hubspot"], env={"ICP_PUBLISHED": str(tmp_path), "HUBSPOT_TOKEN": TOKEN})
    assert "manifest.json is damaged" in shown.output


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


def test_250_changes_are_three_calls(desk: Desk) -> None:
    for record in range(1001, 1251):
        desk.hubspot.add_company(str(record))
    desk.publish({str(record): row() for record in range(1001, 1251)})
    assert desk.sync() == Outcome(written=250)
    assert [len(call.body["inputs"]) for call in desk.updates()] == [100, 100, 50]


def test_companies_that_left_the_marts_are_cleared(synced: Desk) -> None:
    synced.publish({"101": row(score=None, reasons="reason 101"), "102": row(reasons="reason 102")})
    assert synced.diff()["cleared"] == 1
    assert {c["hubspot_company_id"]: c["reason"] for c in synced.lines("change")} == {
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


@pytest.mark.parametrize("retry_after", ["7", None, "Sun, 22 Nov 2020 00:00:00 GMT", "soon", "nan"])
def test_too_many_requests_are_waited_for(desk: Desk, retry_after: str | None) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row()})
    desk.hubspot.faults += [too_many_requests(retry_after=retry_after, path=p, times=2) for p in ("batch/update", "/companies$")]
    assert desk.sync() == Outcome(written=1)
    assert [call.status for call in desk.updates()] == [429, 429, 200]
    # Two waits for each of two calls; without a number to go by they are random, but not nothing.
    assert desk.clock.seconds >= (28 if retry_after == "7" else 0 if retry_after and "2020" in retry_after else 0.2)


def test_more_429s_than_patience_stop_the_run(desk: Desk) -> None:
    desk.publish({})
    desk.hubspot.faults.append(too_many_requests(times=99))
    with pytest.raises(Unreachable, match=r"429 .*limit.*6 times"):
        desk.diff()
    desk.hubspot.faults = [too_many_requests(retry_after="86400", times=1)]
    with pytest.raises(Unreachable, match="wait 86400 seconds"):
        desk.diff()


def test_the_daily_quota_stops_the_run_and_says_so(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    synced.hubspot.faults.append(too_many_requests("DAILY", path="batch/update"))
    before = len(synced.hubspot.calls)
    stopped = synced.command("apply", "--apply")
    assert stopped.exit_code == 1
    assert "used up its API calls of today" in stopped.output
    assert synced.hubspot.calls[-1].status == 429
    assert len(synced.hubspot.calls) > before
    assert synced.hubspot.commits == []
    synced.hubspot.faults.append(too_many_requests("DAILY"))
    with pytest.raises(DailyQuota):
        synced.apply()
    assert synced.apply() == Outcome(written=3)


def lost_answers() -> list[Fault]:
    """Ways in which an update happens, or does not, without an answer that says which."""
    broken = [
        {"drop": True},
        {"status": 500},
        {"status": 502, "body": "<html>Bad Gateway</html>"},
        {"status": 200, "body": '{"res'},
    ]
    return [Fault(path="batch/update", after=after, **how) for how in broken for after in (True, False)]


@pytest.mark.parametrize("number", range(len(lost_answers())))
def test_a_write_whose_answer_is_lost_is_not_made_twice(synced: Desk, number: int) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    fault = lost_answers()[number]
    synced.hubspot.faults.append(fault)
    assert synced.apply(today=date(2026, 12, 1)) == Outcome(written=3)
    assert len(synced.updates()) == (1 if fault.after else 2)
    assert Counter((c.company_id, c.property) for c in synced.hubspot.commits) == {
        (record, name): 1 for record in ("101", "102", "103") for name in ("icp_tier", "icp_changed_on")
    }
    assert synced.apply(today=date(2026, 12, 2)) == Outcome(already=3)


def test_reading_goes_on_after_broken_connections_and_errors(synced: Desk) -> None:
    synced.hubspot.faults += [
        bad_gateway(path="/companies$", method="GET"),
        Fault(drop=True, path="/details"),
        Fault(status=503, headers={"Retry-After": "3"}, path="/groups"),
        Fault(status=200, body='{"results": [', path="objects.*companies$"),
    ]
    assert synced.diff()["changes"] == 0
    synced.hubspot.faults.append(bad_gateway(path="/details", times=99))
    with pytest.raises(Unreachable, match=r"502 \(no JSON: '<html>"):
        synced.diff()


NOT_HUBSPOTS = ["{}", "", "[]", '{"results": null, "errors": null}']


def test_an_answer_without_what_was_asked_for_does_not_mean_that_there_is_nothing(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    for path in ("details", "/groups$", "properties/.*/companies$", "objects/.*/companies$", "batch/read"):
        for body in NOT_HUBSPOTS:
            synced.hubspot.faults = [Fault(status=200, body=body, path=path, times=99)]
            with pytest.raises(Unreachable, match=r"the answer has no|200 \(no JSON"):
                synced.diff()
    # The plan of before is still there.
    assert read_plan(synced.plan)[1]["withheld"] == 0


@pytest.mark.parametrize("body", NOT_HUBSPOTS)
def test_an_update_whose_answer_does_not_say_what_was_written_is_looked_up(synced: Desk, body: str) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    synced.hubspot.faults.append(Fault(status=200, body=body, path="batch/update", after=True))
    assert synced.apply() == Outcome(written=3)
    assert len(synced.updates()) == 1


def test_a_portal_that_is_not_there_is_said(desk: Desk) -> None:
    desk.publish({})
    with Portal("http://127.0.0.1:9", TOKEN, sleep=lambda _: None) as nowhere, pytest.raises(Unreachable, match="no connection"):
        nowhere.portal_id()


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


def test_a_revoked_token_is_said(synced: Desk) -> None:
    synced.hubspot.is_revoked = True
    with pytest.raises(Unauthorized, match=r"EXPIRED_AUTHENTICATION.*revoked or expired"):
        synced.diff()
    shown = synced.command("diff", token="")
    assert shown.exit_code == 1
    assert "HUBSPOT_TOKEN" in shown.output


@pytest.mark.parametrize("kind", ["objects", "schemas"])
@pytest.mark.parametrize("way", ["read", "write"])
def test_a_missing_scope_is_named(desk: Desk, kind: str, way: str) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row()})
    desk.hubspot.scopes.remove(f"crm.{kind}.companies.{way}")
    with pytest.raises(MissingScope, match=f"crm.{kind}.companies.{way} "):
        desk.sync()
    assert desk.hubspot.commits == []


@pytest.mark.parametrize("way", ["read", "write"])
def test_a_missing_scope_is_named_where_hubspot_does_not(desk: Desk, way: str) -> None:
    desk.hubspot.add_company("101")
    desk.publish({"101": row()})
    method = {"read": "GET", "write": "POST"}[way]
    desk.hubspot.faults.append(Fault(status=403, body="<html>no</html>", path="companies/groups", method=method))
    with pytest.raises(MissingScope, match=f"crm.schemas.companies.{way} "):
        desk.sync()


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


def test_a_property_that_others_made_is_not_taken_for_ours(synced: Desk) -> None:
    synced.hubspot.properties["icp_tier"]["groupName"] = "companyinformation"
    with pytest.raises(PlanError, match="icp_tier is there already, in the group companyinformation: it is not taken for ours"):
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


def test_what_a_killed_run_wrote_is_not_written_again_over_a_person(synced: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    update = Portal.update_companies

    def killed_after(self: Portal, values: dict[str, dict[str, str]]) -> None:
        update(self, values)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Portal, "update_companies", killed_after)
        with pytest.raises(KeyboardInterrupt):
            synced.apply()
    assert synced.apply() == Outcome(already=3)
    synced.hubspot.edit("101", "icp_tier", "tier_1")
    assert synced.apply() == Outcome(already=3)
    assert synced.hubspot.value("101", "icp_tier") == "tier_1"


def test_a_plan_writes_a_record_once_even_if_somebody_puts_the_old_value_back(synced: Desk) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    assert synced.sync() == Outcome(written=3)
    synced.hubspot.edit("101", "icp_tier", "tier_1")
    assert synced.apply() == Outcome(already=3)
    assert synced.hubspot.value("101", "icp_tier") == "tier_1"


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
    for setting in ({"human_edits": "overwrite"}, {"clearing": "keep"}):
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


def test_revert_puts_back_what_is_as_we_left_it(synced: Desk) -> None:
    before = synced.held()
    synced.publish({record: row("tier_2", "seg_b", reasons="new") for record in ("101", "102")})
    assert synced.sync(today=date(2026, 12, 1)) == Outcome(written=3)
    synced.hubspot.edit("101", "icp_tier", "deprioritized")
    synced.hubspot.archive("102")
    count = len(synced.hubspot.writes())
    assert synced.revert(write=False) == Outcome(
        written=2, kept=1, said=["101: changed since: icp_tier", "102: changed since: gone"]
    )
    assert len(synced.hubspot.writes()) == count
    journal = synced.journal
    outcome = synced.revert()
    assert (outcome.written, outcome.kept) == (2, 1)
    assert synced.held("101") == {"101": before["101"] | {"icp_tier": "deprioritized"}}
    assert synced.held("103") == {"103": before["103"]}
    count = len(synced.hubspot.writes())
    assert synced.revert().written == 0
    assert len(synced.hubspot.writes()) == count
    # And the way back can be taken back.
    back = synced.command("revert", str(journal.with_name(f"{journal.stem}-reverted.jsonl")), "--apply")
    assert back.exit_code == 0, back.output
    assert synced.held("103") == {"103": {"icp_changed_on": "2026-12-01"}}


def test_revert_leaves_a_persons_value_that_is_the_same_as_ours(synced: Desk) -> None:
    synced.publish({record: row("tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    # Refused, and then set by a person: the journal has it, but it was never ours. Or set away and back again.
    synced.hubspot.refused["101"] = "legal hold"
    assert synced.apply().written == 2
    synced.hubspot.edit("101", "icp_tier", "tier_2")
    synced.hubspot.edit("102", "icp_tier", "tier_3")
    synced.hubspot.edit("102", "icp_tier", "tier_2")
    said = [f"{record}: icp_tier was set to the same value by somebody else since: kept" for record in ("101", "102")]
    assert synced.revert(write=False).said == said
    assert synced.revert().said == said
    assert synced.hubspot.values("icp_tier") == {"101": "tier_2", "102": "tier_2", "103": "tier_1"}
    synced.config = {"human_edits": "overwrite"}
    synced.hubspot.refused.clear()
    synced.revert()
    assert set(synced.hubspot.values("icp_tier").values()) == {"tier_1"}


def test_revert_needs_a_journal_of_this_portal(synced: Desk) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    synced.sync()
    shown = synced.command("revert", str(synced.plan))
    assert shown.exit_code == 1
    assert "no journal" in shown.output
    synced.hubspot.portal_id = 7
    with pytest.raises(PlanError, match="The journal is of portal 4242, the token of portal 7"):
        synced.revert()


def test_a_damaged_journal_is_not_put_back_in_part(synced: Desk) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    synced.sync()
    count = len(synced.hubspot.writes())
    journal = synced.journal.read_text()
    first, batch, _ = journal.splitlines(keepends=True)
    for text in (
        first + batch + batch[:40] + "\n" + batch,
        batch,
        "[1]\n",
        "",
        "\0" * 99 + "\n",
        journal.replace("portal_id", "x"),
    ):
        synced.journal.write_text(text)
        shown = synced.command("revert", str(synced.journal), "--apply")
        assert shown.exit_code == 1
        assert re.search("is damaged|no journal of this version|journal is of portal None", shown.output)
    assert len(synced.hubspot.writes()) == count


def test_revert_leaves_out_properties_that_are_gone(synced: Desk) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    synced.sync()
    synced.hubspot.delete_property("icp_reasons")
    assert synced.revert() == Outcome(written=3)
    assert synced.hubspot.value("101", "icp_tier") == "tier_1"


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


# Killed anywhere.


@pytest.mark.parametrize("ending", ["apply", "revert"])
def test_killed_between_any_two_calls_the_next_run_ends_right(desk: Desk, ending: str) -> None:
    hubspot = desk.hubspot
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["icp_refinery.cli", "pytest"])
    for record in range(1001, 1104):
        hubspot.add_company(str(record), name=f"Company {record}")
    desk.publish({"1001": row(), "1002": row("tier_3")})
    desk.sync(today=date(2026, 1, 1))
    hubspot.edit("1003", "icp_fit_score", "99")
    if ending == "apply":
        hubspot.delete_option("icp_segment", "seg_b")
    desk.publish({str(record): row("tier_2", "seg_b") for record in range(1002, 1104)})
    assert desk.diff()["changes"] == 103
    original, state = desk.held(), copy.deepcopy((hubspot.companies, hubspot.properties))
    wanted = {"icp_tier": "tier_2", "icp_segment": "seg_b", "icp_fit_score": "72.5", "icp_reasons": "energy (+30)"}
    arguments = [
        "hubspot",
        "apply",
        "--apply",
        "--config",
        str(desk.write_settings()),
        "--plan",
        str(desk.plan),
        "--base-url",
        hubspot.url,
    ]
    env = {"HUBSPOT_TOKEN": TOKEN, "ICP_PUBLISHED": str(desk.folder / "published"), "XDG_STATE_HOME": str(desk.folder / "state")}
    whole_plan = desk.plan.read_text()
    killed = 0
    for after in (False, True):
        for number in range(1, 99):
            hubspot.companies, hubspot.properties = copy.deepcopy(state)
            desk.journal.unlink(missing_ok=True)
            hubspot.commits.clear()
            process = context.Process(target=run_icp, args=(arguments, env))

            def kill(process: Any = process) -> None:
                os.kill(process.pid, signal.SIGKILL)

            hubspot.faults = [Fault(hook=kill, drop=True, call=next(hubspot.numbers) + number, after=after)]
            process.start()
            process.join(60)
            assert process.exitcode in (0, -signal.SIGKILL)
            hubspot.faults = []
            if ending == "apply":
                desk.apply(today=date(2026, 12, 1))
                held = desk.held()
                assert "2026-01-01" not in {values.pop("icp_changed_on") for values in held.values()}
                assert held.pop("1003") == wanted | {"icp_fit_score": "99"}
                assert held == {"1001": {}} | {str(record): wanted for record in range(1002, 1104) if record != 1003}
                assert max(Counter((c.company_id, c.property) for c in hubspot.commits).values()) == 1
                assert desk.diff()["changes"] == 0
                desk.plan.write_text(whole_plan)
            elif desk.journal.exists():
                desk.revert()
                assert desk.held() == original
            if process.exitcode == 0:
                break
            killed += 1
    assert killed >= 2 * 7


def test_a_journal_line_that_a_crash_cut_off_is_taken_away(synced: Desk) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    synced.diff()
    synced.journal.write_text('{"kind": "journal", "format": 1, "portal_id": 4242}\n{"kind": "batch", "rec')
    assert synced.apply() == Outcome(written=3)
    assert [json.loads(line)["kind"] for line in synced.journal.read_text().splitlines()] == ["journal", "batch", "result"]


def test_only_one_run_at_a_time(synced: Desk) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    synced.diff()
    others: list[BaseException] = []

    def run_another() -> None:
        for run in (synced.diff, synced.apply):
            with pytest.raises(PlanError, match="Another run is at work in") as refused:
                run()
            others.append(refused.value)

    # While the plan is checked, while it is carried out, and while another is made.
    synced.hubspot.faults.append(Fault(hook=run_another, path="/details"))
    synced.hubspot.faults.append(Fault(hook=run_another, path="batch/update"))
    synced.hubspot.lock = nullcontext()
    assert synced.apply() == Outcome(written=3)
    synced.hubspot.faults.append(Fault(hook=run_another, path="objects.*companies$"))
    assert synced.diff()["changes"] == 0
    assert len(others) == 6


def test_a_full_disk_stops_the_run_before_hubspot_is_asked(synced: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    synced.diff()
    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "fsync", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
        stopped = synced.command("apply", "--apply")
    assert stopped.exit_code == 1
    assert "cannot be written: No space left on device" in stopped.output
    assert "Run the same command again" in stopped.output
    assert synced.hubspot.writes() == []
    assert synced.apply() == Outcome(written=3)


def test_an_interrupted_run_says_how_to_go_on(synced: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    synced.diff()
    with monkeypatch.context() as patch:
        patch.setattr(Portal, "update_companies", Mock(side_effect=KeyboardInterrupt))
        stopped = synced.command("apply", "--apply")
    assert stopped.exit_code == 130
    assert "Interrupted. The same command again does the rest" in stopped.output
    assert synced.apply() == Outcome(written=3)


def test_a_terminal_without_the_letters_shows_a_question_mark(synced: Desk) -> None:
    synced.publish({"101": row("tier_2", account_name="株式会社"), "102": row(), "103": row()})
    env = {"HUBSPOT_TOKEN": TOKEN, "ICP_PUBLISHED": str(synced.folder / "published")}
    arguments = ["hubspot", "diff", "--config", str(synced.write_settings()), "--plan", str(synced.plan)]
    arguments += ["--base-url", synced.hubspot.url]
    shown = CliRunner(charset="ascii").invoke(app, arguments, env=env)
    assert shown.exit_code == 0, shown.exception
    assert "| ???? | 101 " in shown.output
    assert "icp_tier: tier_1 ? " in shown.output


def test_old_values_are_on_disk_before_hubspot_is_asked(synced: Desk) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    synced.diff()
    journaled: list[str] = []
    synced.hubspot.faults.append(Fault(hook=lambda: journaled.append(synced.journal.read_text()), path="batch/update"))
    synced.apply()
    last = json.loads(journaled[0].splitlines()[-1])
    assert last["records"]["101"]["icp_tier"] == ["tier_1", "tier_2"]
    assert last["records"]["101"]["icp_reasons"] == ["reason 101", "new"]


# The token.


def test_the_token_is_in_no_output_and_no_file(synced: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    echo = {"status": "error", "message": f"bad header Authorization: Bearer {TOKEN}", "errors": [{"message": TOKEN}]}
    said = ""
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    for status in (400, 401, 403, 429, 500):
        for body in (echo, f"<pre>{TOKEN}</pre>"):
            for path in ("details", "batch/update"):
                synced.hubspot.faults = [Fault(status=status, body=body, path=path, headers={"Retry-After": "0"}, times=99)]
                try:
                    synced.sync()
                except Exception as problem:
                    said += f"{problem!r} {problem} {problem.__cause__!r} {problem.__dict__!r}"
    synced.hubspot.faults = [Fault(status=400, body=echo, path="details")]
    said += synced.command("diff").output
    said += synced.command("diff").output
    written = synced.command("apply", "--apply")
    assert written.exit_code == 0, written.output
    said += written.output + synced.command("revert", str(synced.journal), "--apply").output
    with synced.portal() as portal:
        said += f"{portal!r} {portal} {vars(portal)!r}"
    said += caplog.text
    files = [path for path in synced.folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    secrets = [TOKEN, TOKEN[-12:]]
    assert "[token]" in said
    assert not [secret for secret in secrets if secret in said]
    assert not [path for path in files for secret in secrets if secret.encode() in path.read_bytes()]


def test_the_token_is_only_sent_over_https_or_to_this_machine() -> None:
    with pytest.raises(BadAddress, match="https"):
        Portal("http://api.hubapi.com", TOKEN)
    # The settings allow each address of this machine, and so does the client.
    Portal("http://127.0.0.2:9", TOKEN)
    for token in ("", "two words", "line\nbreak", "schlüssel"):
        with pytest.raises(Unauthorized) as refused:
            Portal("https://api.hubapi.com", token)
        assert not token or token not in str(refused.value)


def test_a_proxy_in_the_environment_never_gets_the_token_unencrypted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with HubSpotPortal() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        with desk.portal() as portal:
            assert portal.portal_id() == 4242
        assert proxy.calls == []
    for unusable in ("socks5://127.0.0.1:9", "http://[::1", "127.0.0.1:9:9"):
        monkeypatch.setenv("HTTPS_PROXY", unusable)
        monkeypatch.setenv("https_proxy", unusable)
        with pytest.raises(HubSpotError, match="proxy in the environment"):
            Portal("https://api.hubapi.com", TOKEN)


@pytest.mark.parametrize("limit", [1, 10, 100, 190])
def test_no_window_of_ten_seconds_sees_more_calls_than_the_limit(limit: int) -> None:
    clock = SimulatedClock()
    bucket = TokenBucket(limit, clock=clock.now, sleep=clock.sleep)
    at = []
    for number in range(5 * limit):
        bucket.take()
        at.append(clock.now())
        if number == limit:
            clock.sleep(100)
    assert all(later - earlier >= 10 - 1e-6 for earlier, later in zip(at, at[limit:], strict=False))
    if limit >= 100:
        assert at[-1] - at[limit + 1] < 4 * 10 * 1.1


def test_the_client_knows_no_way_to_create_or_delete_a_company() -> None:
    source = Path(client.__file__).read_text()
    assert not [word for word in ("batch/create", "batch/upsert", "batch/archive", 'merge"', "DELETE") if word in source]
