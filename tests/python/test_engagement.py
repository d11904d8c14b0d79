"""The engagement score says who is about to begin, and nothing where what accounts did says nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from icp_refinery.learning.engagement import described_signals, learn_engagement

MOMENTS = pd.date_range("2024-01-01", periods=4, freq="90D")


def company(seed: int, *, accounts: int = 600, chance: float = 0.08, lift: float = 4.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accounts that are looked at four times; after a demo one begins `lift` times as often, after an email as often as ever."""
    rng = np.random.default_rng(seed)
    moments = pd.DataFrame(
        [(f"a{n:04d}", moment) for n in range(accounts) for moment in MOMENTS], columns=["account_id", "moment_at"]
    )
    did = {"engagement_demo": rng.random(len(moments)) < 0.2, "engagement_email": rng.random(len(moments)) < 0.4}
    moments["is_followed"] = rng.random(len(moments)) < chance * np.where(did["engagement_demo"], lift, 1.0)
    signals = [
        moments.loc[who, ["account_id", "moment_at"]].assign(attribute=name, number=rng.integers(1, 4, who.sum()).astype(float))
        for name, who in did.items()
    ]
    return moments, pd.concat(signals)


def points_of(card: pd.DataFrame, attribute: str) -> pd.Series:
    return card[card["attribute"] == attribute].set_index(["operator", "value"])["points"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_precedes_opportunities_has_points_and_what_does_not_has_next_to_none(seed: int) -> None:
    card = learn_engagement(*company(seed))
    demo, email = points_of(card, "engagement_demo"), points_of(card, "engagement_email")
    gap = demo.xs("between").mean() - demo.xs("is_missing").mean()
    assert 24 < gap < 48  # 40 points are a factor of four
    assert email.abs().max() < 4 if len(email) else True
    base = card[card["attribute"].isna()].iloc[0]
    assert base["n"] == 2400


def test_without_a_relation_the_score_is_flat() -> None:
    spreads = [learn_engagement(*company(seed, lift=1.0))["points"].iloc[1:].abs().max() for seed in range(6)]
    assert np.nanmedian(spreads) < 4


def test_of_too_few_opportunities_nothing_is_learned() -> None:
    moments, signals = company(1, accounts=60, chance=0.0)
    card = learn_engagement(moments, signals)
    assert card["attribute"].isna().tolist() == [True]
    assert card["points"].tolist() == [50.0]


def test_signals_of_other_moments_are_not_learned_from() -> None:
    moments, signals = company(1)
    late = signals.assign(moment_at=signals["moment_at"] + pd.Timedelta(days=1), number=9.0)
    pd.testing.assert_frame_equal(learn_engagement(moments, signals), learn_engagement(moments, pd.concat([signals, late])))


def test_without_engagements_nothing_is_learned() -> None:
    moments, signals = company(1)
    assert len(learn_engagement(moments, signals.iloc[:0])) == 1


def test_without_accounts_there_is_the_base() -> None:
    moments, signals = company(1)
    card = learn_engagement(moments.iloc[:0], signals.iloc[:0])
    assert card[["points", "n", "wins"]].values.tolist() == [[50.0, 0, 0]]
    assert described_signals(card)["definition"].tolist() == ["everyone (50 is the chance of all)"]
