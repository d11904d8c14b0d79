"""Effects averaged over rules: of few pursuits they find what some levels have in common, and little where nothing is."""

from __future__ import annotations

import numpy as np
import pandas as pd

from icp_refinery.learning.averaged import averaged_effects
from icp_refinery.learning.pooled import Levels, levels_of, outcome_of, own_effects
from icp_refinery.learning.traits import coded_traits

SIZE = 300
GOOD = ["b", "d", "e", "h"]  # of ten industries


def company(seed: int, *, lift: float = 1.0, price: float = 1.0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Traits, who won, and values: in four of ten industries, above 100 employees, more is won (`lift`) or paid (`price`)."""
    rng = np.random.default_rng(seed)
    traits = pd.DataFrame(
        {
            "employees": np.ceil(rng.lognormal(5, 1, SIZE)),
            "industry": rng.choice(list("abcdefghij"), SIZE).astype(object),
            "source": rng.choice(list("uvwxyz"), SIZE).astype(object),
        }
    )
    hit = (traits["industry"].isin(GOOD) & (traits["employees"] > 100)).to_numpy()
    won = rng.random(SIZE) < 0.2 * np.where(hit, lift, 1.0)
    return traits, won, np.where(won, 10_000 * rng.lognormal(0, 0.7, SIZE) * np.where(hit, price, 1.0), 0.0)


def learned(
    traits: pd.DataFrame, won: np.ndarray, value: np.ndarray, part: np.ndarray | None = None
) -> tuple[dict[str, tuple[Levels, np.ndarray]], np.ndarray]:
    """By trait its levels and their effects, and what was foretold of each pursuit without its part."""
    levels = [levels_of(trait) for trait in coded_traits(traits)]
    outcome = outcome_of(won, value, np.zeros(len(won), dtype=int))
    part = np.arange(len(won)) % 3 if part is None else part
    effects, told = averaged_effects(levels, outcome, part, 3, 0)
    return {one.trait.name: (one, its) for one, its in zip(levels, effects, strict=True)}, told


def gap(effects: np.ndarray, one: Levels) -> float:
    """By how much the industries of the rule are worth more than the others."""
    is_good = np.isin(one.trait.values, GOOD)
    by_value = effects[: len(is_good)]
    return by_value[is_good].mean() - by_value[~is_good].mean()


def test_the_levels_of_a_rule_are_told_from_the_others() -> None:
    many = [learned(*company(seed, lift=3.0))[0] for seed in range(1, 5)]
    assert min(gap(found["industry"][1], found["industry"][0]) for found in many) > 0.2
    smallest, largest = np.mean([found["employees"][1][[0, -2]] for found in many], axis=0)
    assert largest - smallest > 0.15
    assert np.mean([np.ptp(found["source"][1]) for found in many]) < 0.5 * np.mean(
        [np.ptp(found["industry"][1]) for found in many]
    )


def test_a_level_that_is_won_less_often_and_brings_more_is_worth_what_both_say() -> None:
    found = [learned(*company(seed, lift=0.5, price=6.0))[0]["industry"] for seed in range(4)]
    assert np.mean([gap(effects, one) for one, effects in found]) > 0.2


def test_where_nothing_tells_little_is_foretold() -> None:
    spread = {lift: np.median([learned(*company(seed, lift=lift))[1].std() for seed in range(4)]) for lift in (1.0, 4.0)}
    assert spread[1.0] < 0.4 * spread[4.0]


def test_what_is_foretold_of_a_part_is_learned_without_it() -> None:
    traits, won, value = company(1, lift=3.0)
    part = np.arange(SIZE) % 3
    other = won.copy()
    other[part == 0] = ~other[part == 0]
    changed = learned(traits, other, np.where(other, 20_000.0, 0.0) * (part == 0) + value * (part != 0), part)[1]
    once = learned(traits, won, value, part)[1]
    # Amounts are centred on all, which moves the chains a little: the order of the part is kept.
    assert np.corrcoef(once[part == 0], changed[part == 0])[0, 1] > 0.8


def test_all_won_and_a_trait_of_one_band_are_learned_from() -> None:
    traits, _, value = company(2, price=3.0)
    traits["flag"] = np.where(np.arange(SIZE) % 2 == 0, 1.0, np.nan)
    value = np.where(value > 0, value, 9_000.0)
    found, told = learned(traits, np.ones(SIZE, dtype=bool), value)
    assert all(np.isfinite(effects).all() for _, effects in found.values())
    assert np.isfinite(told).all()


def test_a_single_value_that_stands_out_has_an_effect_of_its_own_and_the_others_next_to_none() -> None:
    rng = np.random.default_rng(1)
    trait = pd.DataFrame({"industry": rng.choice(list("abcdefghijklmn"), 2000)}, dtype=object)
    [one] = [levels_of(trait) for trait in coded_traits(trait)]
    lowered = {}
    for rate in (0.05, 0.25):
        won = rng.random(2000) < np.where(trait["industry"] == "c", rate, 0.25)
        outcome = outcome_of(won, np.where(won, rng.lognormal(9, 0.5, 2000), 0.0), np.zeros(2000, dtype=int))
        [lowered[rate]] = own_effects([one], outcome, [np.zeros(one.size)], np.arange(2000))
    at = one.trait.values.index("c")
    assert lowered[0.05][at] < -0.8
    assert np.abs(np.delete(lowered[0.05], at)).max() < 0.25
    assert np.abs(lowered[0.25]).max() < 0.25
    all_won = outcome_of(won | True, np.full(2000, 9.0), np.zeros(2000, dtype=int))
    assert not own_effects([one], all_won, [lowered[0.05]], np.arange(2000))[0].any()
