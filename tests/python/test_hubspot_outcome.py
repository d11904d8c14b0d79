"""What happened since to what was written, and what a workflow did: from journals and marts that are made by hand."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from icp_refinery.hubspot.config import Config, Nurture
from icp_refinery.hubspot.objects import draw
from icp_refinery.hubspot.outcome import lift, outcome, ratio, sentences, written_since

DAY = date(2026, 3, 1)
CONFIG = Config(nurture=Nurture(emails={"all": [1]}, switched_on={"seg_a": DAY}, goal_stage="sql"))


def marts_of(contacts: list[tuple[str, str, str]], entries: list[tuple[str, str, str]]) -> duckdb.DuckDBPyConnection:
    """Contacts (account, segment, role) and entries (account, stage, day); the record of account A1 is 1."""
    marts = duckdb.connect()
    marts.execute("create schema marts")
    marts.execute("create table marts.sync_hubspot_contacts (account_id varchar, icp_segment varchar, icp_role varchar)")
    marts.execute("create table marts.fct_stage_entries (account_id varchar, stage varchar, entered_on date, tier varchar)")
    marts.execute("create table marts.sync_hubspot_companies (hubspot_company_id varchar, account_id varchar)")
    for table, rows in (("sync_hubspot_contacts", contacts), ("fct_stage_entries", entries)):
        for row in rows:
            columns = [name for (name, *_) in marts.execute(f"describe marts.{table}").fetchall()][:3]
            marts.execute(f"insert into marts.{table} ({', '.join(columns)}) values (?, ?, ?)", list(row))
    marts.execute("insert into marts.sync_hubspot_companies select cast(i as varchar), concat('A', i) from range(1, 9) as t(i)")
    return marts


def journal(folder: Path, name: str, begun_at: str, *lines: dict) -> None:
    first = {"kind": "journal", "format": 1, "portal_id": 1, "what": "plan", "begun_at": begun_at}
    (folder / f"journal-{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (first, *lines)))


def written(at: str, tiers: dict[str, str], of: str = "companies", refused: tuple[str, ...] = ()) -> list[dict]:
    records = {record: {"icp_tier": ["", tier]} for record, tier in tiers.items()}
    result = {"kind": "result", "object": of, "at": at, "written": [r for r in records if r not in refused]}
    return [{"kind": "batch", "object": of, "at": at, "records": records}, result]


def test_a_company_counts_from_the_day_it_was_first_written_to(tmp_path: Path) -> None:
    tiers = {"1": "tier_1", "2": "tier_1", "3": "deprioritized", "4": "tier_1"}
    journal(tmp_path, "a", "2026-01-05", *written("2026-01-05T10:00:00", tiers, refused=("4",)))
    journal(tmp_path, "b", "2026-02-01", *written("2026-02-01T10:00:00", {"1": "tier_2", "9": "tier_1"}))
    journal(tmp_path, "c", "2026-02-02", *written("2026-02-02T10:00:00", {"5": "tier_1"}, of="contacts"))
    journal(tmp_path, "a-reverted", "2026-01-20", *written("2026-01-20T10:00:00", {"2": ""}))
    assert written_since(tmp_path, CONFIG) == {
        "1": ("2026-01-05", "tier_1"),
        "3": ("2026-01-05", "deprioritized"),
        "9": ("2026-02-01", "tier_1"),
    }
    entries = [("A1", "mql", "2026-01-05"), ("A1", "sql", "2026-01-06"), ("A1", "sql", "2026-02-06"), ("A3", "won", "2026-03-01")]
    found = outcome(marts_of([], entries), CONFIG, tmp_path)
    figures = {row["tier"]: [row[name] for name in ("companies", "mql", "sql", "opportunity", "won")] for row in found["written"]}
    assert figures == {"tier_1": [1, 0, 1, 0, 0], "deprioritized": [1, 0, 0, 0, 1]}
    assert (
        "Best fit: 1 companies were first written to in HubSpot, from 2026-01-05 on; since then 0 mql, 1 sql, 0"
        in sentences(found)[0]
    )


def test_nothing_written_is_nothing_said(tmp_path: Path) -> None:
    found = outcome(marts_of([], []), Config(), tmp_path)
    assert sentences(found) == []
    journal(tmp_path, "a", "2026-01-05", *written("2026-01-05T10:00:00", {"1": "tier_1"}))
    [told] = sentences(outcome(marts_of([], [("A1", "mql", "2025-12-31")]), Config(), tmp_path))
    assert told.endswith("from 2026-01-05 on; the marts end before, on 2025-12-31.")


def drawn(share: float, companies: int) -> dict[str, bool]:
    """Whether each company is held out."""
    rows = duckdb.execute(f"select a, {draw('a')} < {share} from (select concat('A', i) as a from range({companies}) as t(i))")
    return dict(rows.fetchall())


def test_the_lift_compares_the_groups_that_were_drawn(tmp_path: Path) -> None:
    is_held_out = drawn(0.2, 1000)
    assert 160 < sum(is_held_out.values()) < 240
    nurtured = [account for account, out in is_held_out.items() if not out]
    held_out = [account for account, out in is_held_out.items() if out]
    contacts = [(account, "seg_a", role) for account in is_held_out for role in ("decision_maker", "influencer")]
    # Who is not let in, and who had reached the goal before, takes no part.
    contacts += [("other", "seg_b", "decision_maker"), ("user", "seg_a", "user"), ("before", "seg_a", "influencer")]
    entries = [(account, "sql", "2026-04-01") for account in (*nurtured[:300], *held_out[:40], "other", "user", "before")]
    entries += [("before", "sql", "2026-02-01"), (nurtured[-1], "sql", "2026-02-28"), (nurtured[-1], "sql", "2026-04-01")]
    row = lift(marts_of(contacts, entries), CONFIG, "seg_a", DAY)
    assert row["nurtured"] == len(nurtured) - 1
    assert (row["nurtured_reached"], row["held_out"], row["held_out_reached"]) == (300, len(held_out), 40)
    assert row["lift"] == pytest.approx((300 / (len(nurtured) - 1)) / (40 / len(held_out)))
    assert row["low"] < row["lift"] < row["high"]


def test_the_interval_holds_the_true_lift_19_times_in_20() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(400):
        reached, without = rng.binomial(160, 0.3), rng.binomial(40, 0.2)
        _, low, high = ratio(reached, 160, without, 40)
        inside += low <= 1.5 <= high
    assert 0.92 < inside / 400 < 0.98


@pytest.mark.parametrize(
    ("reached", "without", "said"),
    [(0, 0, "nothing to compare yet"), (5, 0, "or more: it cannot tell yet"), (90, 1, "it raises"), (5, 30, "it lowers")],
)
def test_an_outcome_is_said_in_words(reached: int, without: int, said: str) -> None:
    is_held_out = drawn(0.2, 200)
    groups = [[a for a, out in is_held_out.items() if out is group] for group in (False, True)]
    entries = [(account, "sql", "2026-04-01") for account in (*groups[0][:reached], *groups[1][:without])]
    row = lift(marts_of([(account, "seg_a", "influencer") for account in is_held_out], entries), CONFIG, "seg_a", DAY)
    [sentence] = sentences({"written": [], "flows": [row]})
    assert said in sentence
    assert sentence.startswith("Nurture of seg_a since 2026-03-01")
