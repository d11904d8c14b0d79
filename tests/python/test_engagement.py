"""The engagement score says who is about to begin, and nothing where what accounts did says nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from icp_refinery.learning.backtest import backtest, cutoffs
from icp_refinery.learning.engagement import described_signals, engagement_windows, learn_engagement
from icp_refinery.studies.worlds import world

MOMENTS = pd.date_range("2024-01-01", periods=4, freq="90D")
QUARTERS = pd.date_range("2021-10-01", "2024-07-01", freq="QS")


def company(
    seed: int, *, accounts: int = 600, chance: float = 0.08, lift: float = 4.0, at: pd.DatetimeIndex = MOMENTS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accounts that are looked at several times; after a demo one begins `lift` times as often, after an email as ever."""
    rng = np.random.default_rng(seed)
    moments = pd.DataFrame([(f"a{n:04d}", moment) for n in range(accounts) for moment in at], columns=["account_id", "moment_at"])
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


def tried(lift: float, seed: int) -> pd.DataFrame:
    """The backtest's rows of engagement over all cut-offs, by share."""
    it = world(400, 7, prospects=20)
    alike = pd.Series(1.0, index=it.traits.index)
    engaged = company(seed, accounts=250, chance=0.06, lift=lift, at=QUARTERS)
    found = backtest(
        it.pursuits, it.traits, it.sales, as_of=it.as_of, scores=lambda _: {"segments": alike}, engaged=engaged, resamples=200
    )
    began = engaged[0].query("is_followed")
    began = began[began["moment_at"].isin(cutoffs(it.pursuits, it.as_of))]
    found = found[found["measure"] == "opportunities_captured"]
    assert found["scorer"].eq("engagement").all()
    assert found["cutoff"].nunique() == 9
    assert found.loc[found["cutoff"] == "all", ["pursuits", "accounts"]].values.tolist() == [[len(began), 250]] * 2
    return found[found["cutoff"] == "all"].set_index("share")


def test_the_backtest_finds_an_engagement_that_precedes_opportunities() -> None:
    row = tried(4.0, 1).loc[0.2]
    # A fifth of accounts has a demo, and half of those that begin: 4 / (4 + 4).
    assert 0.4 < row["value"] < 0.6
    assert row["low"] > 0.3
    assert row["note"] == ""


def test_the_backtest_of_an_engagement_that_says_nothing_is_as_random() -> None:
    for seed in (2, 3):
        row = tried(1.0, seed).loc[0.2]
        assert row["low"] <= 0.2 <= row["high"]


def test_what_follows_a_cutoff_changes_no_engagement_score_at_it() -> None:
    moments, signals = company(3, at=QUARTERS)
    cutoff = QUARTERS[6]

    def window(moments: pd.DataFrame, signals: pd.DataFrame) -> tuple[int, pd.DataFrame]:
        [found] = engagement_windows(moments, signals, [cutoff])
        return found.learned_pursuits, found.scores

    learned, scores = window(moments, signals)
    assert learned == 4 * 600
    assert scores["engagement"].nunique() > 2
    later = moments["is_followed"].where(moments["moment_at"] < cutoff, ~moments["is_followed"])
    after = signals["number"].where(signals["moment_at"] <= cutoff, 99.0)
    again, same = window(moments.assign(is_followed=later), signals.assign(number=after))
    assert again == learned
    pd.testing.assert_frame_equal(scores, same)
    # What happened in the 90 days before the cut-off counts.
    without = signals[signals["moment_at"] != cutoff]
    assert not window(moments, without)[1].equals(scores)
