"""What was learned is a claim about now: deals from before a change are left out, and nothing else is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from icp_refinery.learning import recency
from icp_refinery.learning.intervals import CHANGED, TIER_2, contradicts
from icp_refinery.learning.recency import recent_pursuits
from icp_refinery.learning.segments import learn_segments
from icp_refinery.studies.scores import rank
from icp_refinery.studies.worlds import world


def test_where_the_good_accounts_change_older_deals_are_left_out_and_todays_are_found():
    found = pd.DataFrame([rank(world(4000, seed, trouble="move")) for seed in (100, 101, 106)])
    assert found["is_cut"].all()
    assert found["score"].median() > 0.93
    assert found["precision"].dropna().median() > 0.8
    assert (found["score"] > found["boosting"]).all()


@pytest.mark.parametrize("kind", ["steady", "no signal", "mix"])
def test_where_nothing_changes_nothing_is_left_out(kind: str, monkeypatch: pytest.MonkeyPatch):
    signal, trouble = kind == "steady", "time" if kind == "mix" else "none"
    worlds = [world(1500, seed, prospects=10, signal=signal, trouble=trouble) for seed in range(3)]
    for it in worlds:
        recent = recent_pursuits(it.pursuits, it.traits)
        assert (recent.since, recent.notes, len(recent.pursuits)) == (None, [], 1500)
    # The test of a change says so by itself, but for a false alarm.
    monkeypatch.setattr(recency, "_pays", lambda *given: (given[4][0], 0.5))
    assert sum(recent_pursuits(it.pursuits, it.traits).since is not None for it in worlds) <= 1


def test_the_note_says_since_when_and_of_how_many_deals():
    it = world(3000, 1, kind="set", strength=5, trouble="move", prospects=10)
    recent = recent_pursuits(it.pursuits, it.traits)
    assert recent.since == recent.pursuits["began_on"].min().normalize()
    [(topic, note)] = recent.notes
    assert topic == "recent"
    assert f"{len(recent.pursuits):,} of 3,000 first deals since {recent.since:%Y-%m-%d}" in note


def test_a_change_that_does_not_pay_to_forget_is_kept(monkeypatch: pytest.MonkeyPatch):
    it = world(3000, 1, kind="set", strength=5, trouble="move", prospects=10)
    monkeypatch.setattr(recency, "_pays", lambda *given: (given[4][0], -0.5))
    assert recent_pursuits(it.pursuits, it.traits).since is None


def test_a_tier_that_the_latest_deals_contradict_is_no_claim():
    """None of the good accounts buys in the latest third: the whole history would still claim them."""
    it = world(3000, 3, kind="set", strength=5, prospects=10)
    late = it.pursuits["began_on"] >= it.pursuits["began_on"].quantile(2 / 3)
    lost = late & it.is_planted[it.pursuits["account_id"]].to_numpy()
    frame = it.pursuits.assign(
        is_won=it.pursuits["is_won"] & ~lost,
        value=it.pursuits["value"].mask(lost, 0.0),
        months_observed=it.pursuits["months_observed"].mask(lost),
    )
    steady = learn_segments(it.pursuits, it.traits).segments
    assert "tier_1" in set(steady["tier"])
    assert CHANGED not in set(steady["evidence"])
    changed = learn_segments(frame, it.traits).segments
    lost = changed[changed["evidence"] == CHANGED]
    assert len(lost)
    assert lost["tier"].eq("tier_3").all()
    assert ((lost["lift_low"] < TIER_2) & (lost["lift_high"] > TIER_2)).all()  # the interval says no more than the tier


@pytest.mark.parametrize(
    ("tier", "low", "high", "is_contradicted"),
    [
        ("tier_1", 0.8, 1.2, True),
        ("tier_1", 0.8, 1.3, False),
        ("tier_2", 0.8, 0.99, True),
        ("tier_2", 0.8, 1.2, False),
        ("deprioritized", 1.01, 2.0, True),
        ("deprioritized", 0.9, 2.0, False),
        ("tier_3", 2.0, 3.0, False),
        ("tier_1", np.nan, np.nan, False),
    ],
)
def test_what_contradicts_a_tier(tier: str, low: float, high: float, is_contradicted: bool):
    assert contradicts(tier, low, high) == is_contradicted
