"""Since when pursuits tell of today: where what traits are worth changed at some date, only later ones are learned from.

Two questions. Whether anything changed, tested by permutation within periods over all dates and levels at once. And whether it
pays to forget: what is learned from pursuits since then must foretell others since then better than what is learned from all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from threadpoolctl import threadpool_limits

from icp_refinery.learning.effects.leaks import leak_verdicts, suspected
from icp_refinery.learning.periods import centred, time_cells
from icp_refinery.learning.pooled import Levels, Outcome, levels_of, outcome_of, pooled_effects, summed
from icp_refinery.learning.segments import LEAST_PURSUITS, LEAST_WINS, checked
from icp_refinery.learning.signal import permuted, sampled, tail
from icp_refinery.learning.traits import coded_trait
from icp_refinery.learning.value import expected_value, log_score, winsorised

LEVEL = 0.01  # of the test that anything changed
PERMUTATIONS = 199
LEAST_SINCE = 200  # pursuits after a date, and before it, for it to be tried
MOST_DATES = 12
BLOCKS = 3  # of the pursuits since a date, each foretold from the others
GROUPS = 5  # of pursuits of like expectation, whose outcomes scatter alike


class Recent(NamedTuple):
    """The `pursuits` to learn from, the day on which the first of them began (None where all are), and `notes` as of a model."""

    pursuits: pd.DataFrame
    since: pd.Timestamp | None
    notes: list[tuple[str, str]]


def recent_pursuits(pursuits: pd.DataFrame, traits: pd.DataFrame, *, seed: int = 0, leaks: pd.DataFrame | None = None) -> Recent:
    """The pursuits that tell of today; all, unless something changed.

    `pursuits`, `traits` and `leaks` as `learn_segments` takes them. 200 pursuits or more are left.
    """
    frame = checked(pursuits, traits)
    everything = Recent(pursuits, None, [])
    won = frame["is_won"].to_numpy(dtype=bool)
    if len(frame) < 2 * LEAST_SINCE or won.sum() < 2 * LEAST_WINS:
        return everything
    leaks = leak_verdicts(frame, traits) if leaks is None else leaks
    table = traits.loc[frame["account_id"]].drop(columns=suspected(leaks), errors="ignore")
    coded = [t for name in sorted(table.columns) if (t := coded_trait(table[name])) is not None]
    cells = time_cells(frame)
    period = cells // 3
    dates = [d for d in _dates(period) if won[period >= d].sum() >= LEAST_WINS]
    if not coded or not dates:
        return everything
    value = winsorised(expected_value(frame)[0].to_numpy(), won)
    with threadpool_limits(limits=1):
        levels, outcome = [levels_of(trait) for trait in coded], outcome_of(won, value, cells)
        seen = centred(log_score(won, value), cells)
        told = summed(levels, pooled_effects(levels, outcome), np.arange(len(won)))
        rows = sampled(len(won), seed)
        contrasts = [_contrast(period >= date) for date in dates]
        rests = [_standardised(centred(won.astype(float), cells), told), _standardised(seen, told)]
        changes = [centred((rest * contrast)[rows], cells[rows]) for contrast in contrasts for rest in rests]
        statistic = permuted(coded, rows, changes, cells[rows], seed, PERMUTATIONS, has_pairs=False)
        if len(statistic) < len(changes) or tail(logsumexp(statistic, axis=0)) > LEVEL:
            return everything
        date = dates[int(logsumexp(statistic[:, 0].reshape(-1, len(rests)), axis=1).argmax())]
        is_late = period >= date
        if not _pays(levels, outcome, seen, np.flatnonzero(is_late), period):
            return everything
    began = pd.to_datetime(frame["began_on"]).fillna(pd.to_datetime(frame["closed_on"]))[is_late]
    since = began.min().normalize()
    note = (
        f"what traits are worth changed: learned from the {is_late.sum():,} of {len(frame):,} first deals since {since:%Y-%m-%d}"
    )
    return Recent(frame[is_late].reset_index(drop=True), since, [("recent", note)])


def _dates(period: np.ndarray) -> list[int]:
    """Periods at which a change is looked for: enough pursuits on both sides."""
    counts = np.bincount(period)
    after = counts[::-1].cumsum()[::-1]
    least = max(LEAST_SINCE, LEAST_PURSUITS)
    tried = [d for d in range(1, len(counts)) if after[d] >= least and len(period) - after[d] >= least]
    return (
        tried if len(tried) <= MOST_DATES else [tried[i] for i in np.linspace(0, len(tried) - 1, MOST_DATES).round().astype(int)]
    )


def _contrast(is_late: np.ndarray) -> np.ndarray:
    share = is_late.mean()
    return np.where(is_late, np.sqrt((1 - share) / share), -np.sqrt(share / (1 - share)))


def _standardised(seen: np.ndarray, told: np.ndarray) -> np.ndarray:
    """What was not foretold, in units of its spread among pursuits of like expectation."""
    told = told - told.mean()
    rest = seen - told * max(float(told @ seen), 0.0) / max(float(told @ told), 1e-12)
    group = (pd.Series(told).rank(method="first").to_numpy() - 1) * GROUPS // len(told)
    spread = np.array([rest[group == number].std() for number in range(GROUPS)])
    return rest / np.maximum(spread, 1e-12)[group.astype(int)]


def _pays(levels: list[Levels], outcome: Outcome, seen: np.ndarray, late: np.ndarray, period: np.ndarray) -> bool:
    """Whether pursuits since a date are foretold better by others since then than by all others."""
    block = (np.searchsorted(np.sort(period[late]), period[late]) * BLOCKS // len(late)).clip(0, BLOCKS - 1)
    gain = 0.0
    for number in range(BLOCKS):
        held = late[block == number]
        others = np.setdiff1d(np.arange(len(seen)), held)
        if not len(held) or outcome.won[np.setdiff1d(late, held)].sum() < 5:
            continue
        told = [summed(levels, pooled_effects(levels, outcome, rows), held) for rows in (np.setdiff1d(late, held), others)]
        if outcome.is_ratio:
            told = [np.expm1(its) for its in told]
        recent, both = ((seen[held] - seen[held].mean() - (its - its.mean())) ** 2 for its in told)
        gain += float((both - recent).sum())
    return gain > 0
