"""`icp hubspot apply` and `revert` that are killed, interrupted, or run twice at once."""

import copy
import errno
import json
import multiprocessing
import os
import signal
from collections import Counter
from contextlib import nullcontext
from datetime import date
from typing import Any
from unittest.mock import Mock

import pytest

from hubspot_desk import Desk, contact, row
from hubspot_portal import TOKEN, Fault
from icp_refinery.hubspot import journal
from icp_refinery.hubspot.apply import Outcome
from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.errors import PlanError
from run_icp import run_icp


def test_what_a_killed_run_wrote_is_not_written_again_over_a_person(synced: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.publish({record: row(tier="tier_2", reasons=f"reason {record}") for record in ("101", "102", "103")})
    synced.diff()
    update = Portal.update_records

    def killed_after(self: Portal, of: str, values: dict[str, dict[str, str]]) -> None:
        update(self, of, values)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Portal, "update_records", killed_after)
        with pytest.raises(KeyboardInterrupt):
            synced.apply()
    assert synced.apply() == Outcome(already=3)
    synced.hubspot.edit("101", "icp_tier", "tier_1")
    assert synced.apply() == Outcome(already=3)
    assert synced.hubspot.value("101", "icp_tier") == "tier_1"


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["apply", "revert"])
def test_killed_between_any_two_calls_the_next_run_ends_right(desk: Desk, ending: str) -> None:
    hubspot = desk.hubspot
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["icp_refinery.cli", "pytest"])
    desk.config = {"objects": ["companies", "contacts", "deals"]}
    for record in range(1001, 1104):
        hubspot.add_company(str(record), name=f"Company {record}")
    # Under the same numbers: what is known of one object says nothing of another.
    for of in ("contacts", "deals"):
        for record in ("1001", "1002"):
            hubspot.add_record(of, record)
    desk.publish({"1001": row(), "1002": row("tier_3")}, contacts={"1002": contact("tier_3")}, deals={"1002": row("tier_3")})
    desk.sync(today=date(2026, 1, 1))
    hubspot.edit("1003", "icp_fit_score", "99")
    if ending == "apply":
        hubspot.delete_option("icp_segment", "seg_b")
    rows = {str(record): row("tier_2", "seg_b") for record in range(1002, 1104)}
    few = {record: contact("tier_2") for record in ("1001", "1002")}
    desk.publish(rows, contacts=few, deals=few)
    assert desk.diff()["changes"] == 103 + 2 + 2
    original, state = hubspot.everything(), copy.deepcopy(hubspot.objects)
    wanted = {"icp_tier": "tier_2", "icp_segment": "seg_b", "icp_fit_score": "72.5", "icp_reasons": "energy (+30)"}
    arguments = ["hubspot", "apply", "--apply", "--config", str(desk.write_settings()), "--plan", str(desk.plan)]
    arguments += ["--base-url", hubspot.url]
    env = {"HUBSPOT_TOKEN": TOKEN, "ICP_PUBLISHED": str(desk.folder / "published"), "XDG_STATE_HOME": str(desk.folder / "state")}
    whole_plan = desk.plan.read_text()
    killed = 0
    for after in (False, True):
        for number in range(1, 99):
            hubspot.objects = copy.deepcopy(state)
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
                for of in ("contacts", "deals"):
                    found = {record: values["icp_tier"] for record, values in desk.held(of=of).items()}
                    assert found == {"1001": "tier_2", "1002": "tier_2"}
                assert max(Counter((c.of, c.company_id, c.property) for c in hubspot.commits).values()) == 1
                assert desk.diff()["changes"] == 0
                desk.plan.write_text(whole_plan)
            elif desk.journal.exists():
                desk.revert()
                assert hubspot.everything() == original
            if process.exitcode == 0:
                break
            killed += 1
    assert killed >= 2 * 11


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
        patch.setattr(Portal, "update_records", Mock(side_effect=KeyboardInterrupt))
        stopped = synced.command("apply", "--apply")
    assert stopped.exit_code == 130
    assert "Interrupted. The same command again does the rest" in stopped.output
    assert synced.apply() == Outcome(written=3)


def test_old_values_are_on_disk_before_hubspot_is_asked(synced: Desk) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    synced.diff()
    journaled: list[str] = []
    synced.hubspot.faults.append(Fault(hook=lambda: journaled.append(synced.journal.read_text()), path="batch/update"))
    synced.apply()
    last = json.loads(journaled[0].splitlines()[-1])
    assert last["records"]["101"]["icp_tier"] == ["tier_1", "tier_2"]
    assert last["records"]["101"]["icp_reasons"] == ["reason 101", "new"]
