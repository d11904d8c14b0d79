"""What the best accounts by a score bring and cost, with resamples."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from threadpoolctl import threadpool_limits

AT_ONCE, LEAST_CELLS = 50, 300_000  # resamples in memory; of few accounts as many more
MOST_STEPS = 1_000  # of a score; a finer one is read in this many steps of equal count
TENTHS = tuple(n / 10 for n in range(1, 11))
KEPT = (0.9, 0.95)
MEASURES = {"value_captured": TENTHS, "pursuits_skippable": KEPT, "spend_skippable": KEPT}
SKIPPED = "deprioritized"  # beside the scores: the accounts that would have been skipped
SKIPPED_MEASURES = {"deprioritized_pursuits": "pursuits", "deprioritized_value": "value", "deprioritized_spend": "spend"}
RANDOM = "random"


class Window(NamedTuple):
    """A cut-off, what was learned at it, and the accounts that its scores are tried on.

    `accounts` has the index `account_id` and the columns `pursuits` (1 if its pursuit began in the window, else 0), `value`
    (what that brought), `is_won`, `spend` (on the account, in the window) and `is_skipped` (in a deprioritized segment; missing
    where no tiers were given); `scores` has a column per scorer, and those of earlier windows are in all later ones.
    """

    cutoff: pd.Timestamp
    learned_pursuits: int
    accounts: pd.DataFrame
    scores: pd.DataFrame


def estimates(windows: list[Window], resamples: int, seed: int) -> dict[tuple[int, str], dict[str, np.ndarray]]:
    """By window (-1: over all) and scorer, each measure as shares × (1 + resamples); the first column is the data's own.

    An account is drawn, or not, in all windows at once.
    """
    rng = np.random.default_rng(seed)
    everyone = sorted(set().union(*(w.accounts.index for w in windows)))
    place = pd.Series(np.arange(len(everyone)), index=everyone)
    drawn = np.ones((resamples + 1, len(everyone)), dtype=np.uint8)
    order = np.empty((resamples, len(everyone)), dtype=np.float32)
    for b in range(resamples):
        drawn[b + 1] = np.bincount(rng.integers(0, len(everyone), len(everyone)), minlength=len(everyone))
        order[b] = rng.random(len(everyone), dtype=np.float32)
    totals: dict[tuple[int, str], list[np.ndarray]] = {}
    for number, window in enumerate(windows):
        at = place[window.accounts.index].to_numpy()
        lucky = _in_parts(window.accounts, lambda part, at=at: (order[part][:, at], None), resamples)
        alike = _in_parts(window.accounts, lambda part, at=at: (np.zeros(len(at)), drawn[part][:, at]), 1)
        totals[number, RANDOM] = [np.concatenate(pair, axis=-1) for pair in zip(alike, lucky, strict=True)]
        for scorer, score in window.scores.items():
            at_step = steps(score.to_numpy(dtype=float))
            if len(np.unique(at_step)) == 1:
                totals[number, scorer] = totals[number, RANDOM]
                continue
            totals[number, scorer] = _in_parts(
                window.accounts, lambda part, at=at, at_step=at_step: (at_step, drawn[part][:, at]), resamples + 1
            )
    for scorer in [RANDOM, *windows[0].scores]:
        each = [totals[number, scorer] for number in range(len(windows))]
        totals[-1, scorer] = [np.sum(parts, axis=0) for parts in zip(*each, strict=True)]
    found = {key: _as_shares(*parts) for key, parts in totals.items()}
    if "is_skipped" in windows[0].accounts:
        parts = np.stack([_skipped_amounts(w.accounts, drawn[:, place[w.accounts.index].to_numpy()]) for w in windows])
        for number, part in [*enumerate(parts), (-1, parts.sum(axis=0))]:
            found[number, SKIPPED] = _skipped_shares(part)
    return found


def _skipped_amounts(accounts: pd.DataFrame, weight: np.ndarray) -> np.ndarray:
    """Pursuits, value and spend × of the skipped accounts and of all × replicates (the rows of `weight`)."""
    amounts = accounts[list(SKIPPED_MEASURES.values())].to_numpy(dtype=float)
    both = np.stack([amounts * accounts[["is_skipped"]].to_numpy(), amounts])
    with threadpool_limits(limits=1):
        parts = [weight[start : start + AT_ONCE].astype(float) @ both for start in range(0, len(weight), AT_ONCE)]
    return np.concatenate(parts, axis=1).transpose(2, 0, 1)


def _skipped_shares(amounts: np.ndarray) -> dict[str, np.ndarray]:
    """Shares of the totals; missing where nothing of value was won, or nothing spent."""
    skipped, everyone = amounts[:, 0], amounts[:, 1]
    shares = np.divide(skipped, everyone, out=np.full(skipped.shape, np.nan), where=everyone > 0)
    return dict(zip(SKIPPED_MEASURES, shares[:, None], strict=True))


def steps(score: np.ndarray) -> np.ndarray:
    """Scores as whole numbers in their order; differences in the last digits are none."""
    rounded = np.array([float(f"{s:.10g}") for s in np.nan_to_num(score)])
    step = np.unique(rounded, return_inverse=True)[1]
    if step.max(initial=0) >= MOST_STEPS:
        rank = np.searchsorted(np.sort(step), step)
        step = rank * MOST_STEPS // len(step)
    return step


def _in_parts(accounts: pd.DataFrame, given: Callable, replicates: int) -> list[np.ndarray]:
    step = max(AT_ONCE, LEAST_CELLS // max(len(accounts), 1))
    parts = [slice(start, min(start + step, replicates)) for start in range(0, replicates, step)]
    made = [_amounts(accounts, *given(part)) for part in parts]
    return [np.concatenate(several, axis=-1) for several in zip(*made, strict=True)]


def _amounts(accounts: pd.DataFrame, score: np.ndarray, weight: np.ndarray | None) -> list[np.ndarray]:
    """What the best accounts bring and cost, for each replicate (a row of `weight`, or of `score`).

    Returns captured value (shares × replicates), kept pursuits and kept spend (shares kept × replicates), and the totals of
    value, pursuits and spend (replicates).
    """
    each = np.stack([accounts[name].to_numpy(dtype=float) for name in ("pursuits", "value", "spend")])
    if weight is None:
        # Whole numbers are sorted faster, and their last digits say whose they are; single precision has 24 bits.
        keys = ((1 - score) * 2**24).astype(np.uint64) << 32 | np.arange(score.shape[1], dtype=np.uint64)
        by_score = np.sort(keys, axis=1) & (2**32 - 1)
        count, value, spend = (np.cumsum(figure[by_score], axis=1) for figure in each)
    else:
        by_score = np.argsort(-score, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(score[by_score]) != 0])
        weighted = weight[:, by_score].astype(float)
        count, value, spend = (np.cumsum(np.add.reduceat(weighted * f[by_score], starts, axis=1), axis=1) for f in each)
    captured = np.stack([_read(value, *_crossing(count, share * count[:, -1])) for share in TENTHS])
    kept = [_crossing(value, share * value[:, -1]) for share in KEPT]
    return [
        captured,
        np.stack([_read(count, *at) for at in kept]),
        np.stack([_read(spend, *at) for at in kept]),
        value[:, -1],
        count[:, -1],
        spend[:, -1],
    ]


def _crossing(running: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step in which a running sum first reaches its target, by row, and the part of the step that it takes."""
    close = np.abs(running[:, -1:]) * 1e-12
    step = np.argmax(running >= target[:, None] - close, axis=1)
    rows = np.arange(len(running))
    before = np.where(step > 0, running[rows, step - 1], 0.0)
    rise = running[rows, step] - before
    part = np.divide(target - before, rise, out=np.ones(len(rows)), where=rise > 0)
    return step, np.clip(part, 0.0, 1.0)


def _read(running: np.ndarray, step: np.ndarray, part: np.ndarray) -> np.ndarray:
    rows = np.arange(len(running))
    before = np.where(step > 0, running[rows, step - 1], 0.0)
    return before + part * (running[rows, step] - before)


def _as_shares(
    captured: np.ndarray, pursuits: np.ndarray, spend: np.ndarray, value: np.ndarray, count: np.ndarray, cost: np.ndarray
) -> dict[str, np.ndarray]:
    """Shares of the totals; missing where nothing of value was won, or nothing spent."""
    won = value > 0
    return {
        "value_captured": np.where(won, captured / np.where(won, value, 1.0), np.nan),
        "pursuits_skippable": np.where(won, 1 - pursuits / np.maximum(count, 1), np.nan),
        "spend_skippable": np.where(won & (cost > 0), 1 - spend / np.where(cost > 0, cost, 1.0), np.nan),
    }


def interval_of(figures: np.ndarray, is_shifted: bool) -> tuple[float, float]:
    """The 95 % interval of the first figure from its resamples, the others.

    Percentiles, shifted for bias and skew (BCa, Efron 1987; the acceleration is a sixth of the skewness of the resamples, as
    for a linear statistic): with a few large deals, plain percentiles lie too low.
    """
    known = figures[1:][np.isfinite(figures[1:])]
    if not len(known):
        return np.nan, np.nan
    spread = known.std()
    levels = np.array([0.025, 0.975])
    if is_shifted and spread > 1e-12:
        below = (known < figures[0]).mean() + (known == figures[0]).mean() / 2
        bias = ndtri(np.clip(below, 0.5 / len(known), 1 - 0.5 / len(known)))
        acceleration = ((known - known.mean()) ** 3).mean() / spread**3 / 6
        z = bias + ndtri(levels)
        levels = np.sort(ndtr(bias + z / (1 - acceleration * z)))
    low, high = np.quantile(known, levels)
    return digits(low), digits(high)


def digits(number: float) -> float:
    return float(f"{number:.9g}")
