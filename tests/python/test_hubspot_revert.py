"""`icp hubspot revert` puts back what a journal says, where it is as we left it."""

import re
from datetime import date

import pytest

from hubspot_desk import Desk, row
from icp_refinery.hubspot.apply import Outcome
from icp_refinery.hubspot.errors import PlanError


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
    assert "not a journal" in shown.output
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
        assert re.search("is damaged|not a journal of this version|journal is of portal None", shown.output)
    assert len(synced.hubspot.writes()) == count


def test_revert_leaves_out_properties_that_are_gone(synced: Desk) -> None:
    synced.publish({record: row("tier_2", reasons="new") for record in ("101", "102", "103")})
    synced.sync()
    synced.hubspot.delete_property("icp_reasons")
    assert synced.revert() == Outcome(written=3)
    assert synced.hubspot.value("101", "icp_tier") == "tier_1"
