"""Figures of a partition that was fixed beforehand, where the truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from icp_refinery.learning.intervals import CHANGED
from icp_refinery.learning.measure import COLUMNS, measure_segments, measured_in_force
from icp_refinery.learning.segments import as_table, learn_segments
from icp_refinery.studies.worlds import World, world


def industries(it: World) -> pd.Series:
    return it.traits["industry"].astype(object).where(it.traits["industry"].notna(), "none")


def misses(it: World) -> tuple[bool, bool]:
    """Whether any interval misses the true lift of its segment, and whether any segment is told from all others."""
    own = industries(it)
    measured = measure_segments(it.pursuits, own).set_index("segment_id")
    truth = it.expected_value[it.pursuits["account_id"]]
    lift = (truth.groupby(own[truth.index]).mean() / truth.mean()).reindex(measured.index)
    known = measured["lift_low"].notna()
    outside = (lift < measured["lift_low"]) | (lift > measured["lift_high"])
    told = (measured["lift_low"] > 1) | (measured["lift_high"] < 1)
    return bool(outside[known].any()), bool(told.any())


@pytest.mark.parametrize("signal", [True, False])
def test_the_intervals_hold_together(signal: bool) -> None:
    found = [misses(world(2000, seed, signal=signal, prospects=10)) for seed in range(60)]
    missed, told = np.mean(found, axis=0)
    assert missed <= 0.1
    assert told <= 0.1 if not signal else told >= 0.5


def test_a_segment_of_few_pursuits_gets_no_bounds_and_an_empty_one_no_figures() -> None:
    it = world(300, 1, prospects=10)
    own = pd.Series("many", index=it.traits.index)
    own[it.pursuits["account_id"].iloc[:29]] = "few"
    measured = measure_segments(it.pursuits, own, segments=["few", "many", "none"]).set_index("segment_id")
    assert measured["pursuits"].to_dict() == {"few": 29, "many": 271, "none": 0}
    assert measured.loc["few", ["lift_low", "lift_high"]].isna().all()
    assert measured.loc["few", "lift"] > 0
    assert measured.loc["none", ["win_rate", "value_per_pursuit", "lift"]].isna().all()
    assert set(measured["measured_tier"]) == {"tier_3"}


def test_more_comparisons_make_wider_intervals() -> None:
    it = world(1000, 2, prospects=10)
    few, many = (measure_segments(it.pursuits, industries(it), family=n) for n in (1, 100))
    width = (many["lift_high"] - many["lift_low"]) / (few["lift_high"] - few["lift_low"])
    assert (width.dropna() > 1.2).all()


def test_the_order_of_rows_changes_nothing() -> None:
    it = world(600, 3, prospects=10)
    shuffled = it.pursuits.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(measure_segments(it.pursuits, industries(it)), measure_segments(shuffled, industries(it)))


@pytest.mark.parametrize("segments", [["all"], ["in", "out"]])
def test_without_pursuits_there_are_rows_without_figures(segments: list[str]) -> None:
    it = world(300, 1, prospects=10)
    measured = measure_segments(it.pursuits.iloc[:0], pd.Series([], dtype=object), segments=segments)
    assert list(measured["segment_id"]) == segments
    assert measured[["win_rate", "lift", "lift_low"]].isna().all(axis=None)
    assert measured.dtypes.astype(str).to_dict() == COLUMNS | {"segment_id": str(measured["segment_id"].dtype)} | {
        "measured_tier": str(measured["measured_tier"].dtype)
    }


def test_an_account_without_a_segment_is_refused() -> None:
    it = world(300, 1, prospects=10)
    with pytest.raises(ValueError, match="have no segment"):
        measure_segments(it.pursuits, industries(it).iloc[:5])


def adopted(learned: pd.DataFrame) -> pd.DataFrame:
    """What was learned, as adopted."""
    kept = learned[["segment_id", "segment_name", "definition", "tier", "rules"]]
    return kept.assign(evidence="adopted 1", learned_as_of=pd.Timestamp("2024-01-01"), recorded_value_per_pursuit=1.0)


def test_an_adopted_tier_that_the_latest_deals_contradict_is_no_claim_and_stays() -> None:
    it = world(3000, 3, kind="set", strength=5, prospects=10)
    learned = as_table(learn_segments(it.pursuits, it.traits, permutations=99), [])
    before = measured_in_force(learned, adopted(learned), it.pursuits, it.traits)
    assert not before["is_contradicted"].any()
    assert "tier_1" in set(before["measured_tier"])
    late = it.pursuits["began_on"] >= it.pursuits["began_on"].quantile(2 / 3)
    lost = late & it.is_planted[it.pursuits["account_id"]].to_numpy()
    frame = it.pursuits.assign(
        is_won=it.pursuits["is_won"] & ~lost,
        value=it.pursuits["value"].mask(lost, 0.0),
        months_observed=it.pursuits["months_observed"].mask(lost),
    )
    after = measured_in_force(learned, adopted(learned), frame, it.traits)
    assert (after["tier"] == before["tier"]).all()
    claimed = after[after["tier"] == "tier_1"]
    assert claimed["is_contradicted"].all()
    assert (claimed["measured_tier"] != "tier_1").all()
    assert claimed["evidence"].eq(f"adopted 1; {CHANGED}").all()


@pytest.mark.parametrize("is_adopted", [True, False])
def test_a_tier_that_the_review_revises_is_no_claim(is_adopted: bool) -> None:
    it = world(3000, 3, kind="set", strength=5, prospects=10)
    learned = as_table(learn_segments(it.pursuits, it.traits, permutations=99), [])
    definition = adopted(learned) if is_adopted else adopted(learned).iloc[:0]
    first = learned.loc[learned["tier"] == "tier_1", "segment_id"].iloc[0]
    made = measured_in_force(learned, definition, it.pursuits, it.traits, [first, "gone"]).set_index("segment_id")
    assert made.index[made["is_contradicted"]].tolist() == [first]
    assert made.loc[first, "measured_tier"] == "tier_3"
    assert made.loc[first, "evidence"].endswith(CHANGED)
    assert made.loc[first, "tier"] == ("tier_1" if is_adopted else "tier_3")
    assert (made.drop(index=first)["tier"] == learned.set_index("segment_id")["tier"].drop(first)).all()
