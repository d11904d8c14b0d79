"""Study of the fit score on simulated worlds: does it rank, mean what it says, stay silent without signal, and follow a market
that moves?

`python -m icp_refinery.studies.scores` prints its section of the report.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from icp_refinery.learning.boosting import boosted_scores
from icp_refinery.learning.conditions import assign
from icp_refinery.learning.effects.leaks import leak_verdicts
from icp_refinery.learning.recency import recent_pursuits
from icp_refinery.learning.scorecard import expected_values, fit_scores, learn_scorecard
from icp_refinery.learning.segments import learn_segments
from icp_refinery.studies.worlds import World, additive_world, captured, world

CELLS = ("plain", "hard", "many small effects")
SIZES = (3000, 1200, 600, 300)
PLANTED = 1.2  # times as much as the lower half by truth that the upper half of tier 1 is worth, where its accounts differ
LEAST_ALIKE = 0.05  # standard deviation of the logarithm of what scores stand for, for a slope


class Ranking(NamedTuple):
    """What score, segments and boosting make of one world's prospects.

    `score`, `segments`, `boosting`: value captured in the best 20 %, as a share of what ranking by the truth gets. `slope`: of
    the logarithm of true lift on that of the lift that the score stands for (NaN where scores hardly differ). `spread`: between
    the 2.5th and 97.5th percentile of scores. `distinct`: scores among 1,500 prospects. `is_in_order`: whether the upper half of
    `tier_1` by score is worth more than the lower half (NaN without), `apart` how many times as much its upper half by truth is
    worth. `precision`: the share of `tier_1` that is planted (NaN
    without). `segment_count`, `covered`: segments, and those whose interval of lift holds the truth, where any is claimed.
    """

    score: float
    segments: float
    boosting: float
    slope: float
    spread: float
    distinct: int
    is_in_order: float
    apart: float
    precision: float
    segment_count: int
    covered: int
    has_claim: bool
    is_cut: bool


def rank(it: World) -> Ranking:
    """Learn one world as a build does, and set its scores against the truth."""
    leaks = leak_verdicts(it.pursuits, it.traits)
    recent = recent_pursuits(it.pursuits, it.traits, leaks=leaks)
    learned = learn_segments(recent.pursuits, it.traits, leaks=leaks)
    segment = assign(it.traits, learned.rules)
    listed = learned.segments.set_index("segment_id")
    score = fit_scores(it.traits, learn_scorecard(recent.pursuits, it.traits, learned, leaks=leaks), segment)
    new = it.is_prospect
    truth, given = it.expected_value[new], score[new]
    said = np.log(expected_values(given, 1.0).to_numpy())
    slope = np.polyfit(said, np.log(truth / truth.mean()), 1)[0] if said.std() >= LEAST_ALIKE else np.nan
    first = segment.map(listed["tier"]).eq("tier_1")[new]
    lift = (it.expected_value.groupby(segment).mean() / it.expected_value.mean()).reindex(listed.index)
    claimed = bool((listed["tier"] != "tier_3").any())
    covered = (listed["lift_low"] <= lift) & (lift <= listed["lift_high"])
    return Ranking(
        captured(given, truth),
        captured(segment[new].map(listed["value_per_pursuit"]), truth),
        captured(boosted_scores(it.pursuits, it.traits, leaks)[new], truth),
        slope,
        float(np.diff(np.quantile(given, [0.025, 0.975]))[0]),
        given.iloc[:1500].nunique(),
        _is_in_order(given[first], truth[first]),
        _halves(truth[first]),
        float(it.is_planted[new][first].mean()) if first.any() else np.nan,
        len(listed) if claimed else 0,
        int(covered.sum()) if claimed else 0,
        claimed,
        recent.since is not None,
    )


def _is_in_order(score: pd.Series, truth: pd.Series) -> float:
    upper, lower = truth[score > score.median()], truth[score <= score.median()]
    return float(upper.mean() >= lower.mean()) if min(len(upper), len(lower)) >= 20 else np.nan


def _halves(truth: pd.Series) -> float:
    """How many times as much as its lower half the upper half is worth (NaN without)."""
    best = np.sort(truth.to_numpy())[::-1]
    return best[: len(best) // 2].mean() / best[len(best) // 2 :].mean() if len(best) >= 2 else np.nan


def of_cell(pursuits: int, cell: str, seeds: Iterable[int]) -> pd.DataFrame:
    """One row per world, by seed."""
    made = {
        "plain": world,
        "hard": lambda n, seed: world(n, seed, hard=True),
        "many small effects": additive_world,
        "moving": lambda n, seed: world(n, seed, trouble="move"),
        "no signal": lambda n, seed: world(n, seed, signal=False),
        "mix and win rate change": lambda n, seed: world(n, seed, signal=False, trouble="time"),
        "filled in after the sale": lambda n, seed: world(n, seed, signal=False, trouble="leak"),
    }[cell]
    return pd.DataFrame({seed: rank(made(pursuits, seed)) for seed in seeds}, index=Ranking._fields).T.astype(float)


def scores_study(seeds: int = 30, quiet_seeds: int = 30, start: int = 90_000) -> str:
    """Returns a section in Markdown. Takes the number of worlds of each kind with and without signal, and the first seed."""
    lines = ["## Scores", ""]
    lines += [
        f"{seeds} worlds each, seeds from {start:,}; tuned on seeds below 1,000. *Captured*: expected value in the best 20 %",
        "of 5,000 new prospects, as a share of what ranking by truth gets; median (lower quartile). *Slope*: of the logarithm",
        "of the true lift on that which the score stands for; median (quartiles). *In order*: worlds in which the upper half of",
        "`tier_1` by score is worth at least as much as the lower half, of those with a `tier_1` that scores divide. *Where",
        f"planted*: of those whose halves by truth differ by {PLANTED - 1:.0%} or more; lead sources alone make less.",
        "",
        "| pursuits | worlds | captured: score | segments | boosting | score - boosting, mean | slope "
        "| distinct in 1,500 | in order | where planted |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for cell in CELLS:
        lines += [_line(pursuits, cell, of_cell(pursuits, cell, range(start, start + seeds))) for pursuits in SIZES]
    found = of_cell(4000, "moving", range(start, start + seeds))
    announced = found["precision"].notna()
    lines += [
        "",
        f"A market that moves ({seeds} worlds of 4,000 pursuits; the rules are drawn anew after 35 to 75 % of the time): today's",
        f"value captured {_median(found['score'])}, by segments {_median(found['segments'])}, by boosting on all deals",
        f"{_median(found['boosting'])}. Earlier deals are left out in {found['is_cut'].mean():.0%}. A `tier_1` is announced in",
        f"{announced.mean():.0%}, and {found['precision'].median():.0%} of it (median) are today's good accounts. Intervals of",
        f"lift cover today's in {found['covered'].sum() / max(found['segment_count'].sum(), 1):.1%} of"
        f" {found['segment_count'].sum():.0f} segments.",
        "",
        "| nothing to find | pursuits | number | with a claim | deals left out | spread of the score: median | 90th percentile |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for cell, pursuits in (
        ("no signal", 600),
        ("no signal", 3000),
        ("mix and win rate change", 3000),
        ("filled in after the sale", 1500),
    ):
        found = of_cell(pursuits, cell, range(start + 10_000, start + 10_000 + quiet_seeds))
        lines.append(
            f"| {cell} | {pursuits:,} | {quiet_seeds} | {found['has_claim'].mean():.1%} | {found['is_cut'].mean():.1%} "
            f"| {found['spread'].median():.1f} | {found['spread'].quantile(0.9):.1f} |"
        )
    return "\n".join(lines) + "\n"


def _line(pursuits: int, cell: str, found: pd.DataFrame) -> str:
    gap = (found["score"] - found["boosting"]).mean()
    low, middle, high = found["slope"].quantile([0.25, 0.5, 0.75])
    ordered = found["is_in_order"].dropna()
    planted = found.loc[found["apart"] >= PLANTED, "is_in_order"].dropna()
    return (
        f"| {pursuits:,} | {cell} | {_median(found['score'])} | {_median(found['segments'])} | {_median(found['boosting'])} "
        f"| {gap:+.3f} | {middle:.2f} ({low:.2f} to {high:.2f}) | {found['distinct'].median():.0f} "
        + "".join(f"| {f'{its.mean():.0%} of {len(its)}' if len(its) else '-'} " for its in (ordered, planted))
        + "|"
    )


def _median(values: pd.Series) -> str:
    return f"{values.median():.3f} ({values.quantile(0.25):.3f})"


if __name__ == "__main__":
    sys.stdout.write(scores_study())
