"""Intervals of win rates, of lifts and of means, and the tier that follows from a lift."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from icp_refinery.learning.periods import centred

CONFIDENCE = 0.95  # simultaneous, over the nodes of one tree
TIER_1, TIER_2 = 1.25, 1.0
RESAMPLES = 999
CHANGED = "changed, not enough recent evidence"
LATEST = 1 / 3  # of the pursuits, that may not contradict a tier
ONE_SIDED = 0.9  # intervals of which one end is asked for, at 95 % for all segments together


class Figures(NamedTuple):
    """Per leaf: estimate and interval of the lift, or of 1 + difference / spread where there is no lift."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    is_ratio: bool
    overall: float
    unit: float


def segment_figures(
    leaves: list[int],
    looked_at: int,
    shrinkage: float,
    leaf: np.ndarray,
    robust: np.ndarray,
    value: np.ndarray,
    won: np.ndarray,
    cells: np.ndarray,
    confidence: float = CONFIDENCE,
) -> Figures:
    """Compare segments within periods: least squares on segment and period, robust standard errors.

    Intervals are simultaneous (Sidak) over all nodes that the tree had before pruning and, where no value is negative,
    symmetric on the scale of the square root, on which the spread of a sum of rare and skewed amounts is about constant.
    """
    n = len(leaf)
    member = (leaf[:, None] == np.array(leaves)[None, :]).astype(float)
    count = member.sum(axis=0)
    d = np.stack([centred(m, cells) for m in member.T], axis=1)
    y = centred(robust, cells)
    inverse = np.linalg.pinv(d.T @ d, rcond=1e-10)
    effect = inverse @ (d.T @ y)
    centre = np.eye(len(leaves)) - np.outer(np.ones(len(leaves)), count / n)
    residual = y - d @ effect
    degrees = n / max(n - len(np.unique(cells)) - len(leaves), 1)
    meat = (d * residual[:, None] ** 2).T @ d * degrees
    effect = shrinkage * (centre @ effect)
    half = centre @ inverse
    variance = np.diag(half @ meat @ half.T).copy()
    overall = float(robust.mean())
    spread = float(robust.std())
    is_ratio = overall > 0 and float(value.mean()) > 0
    nonnegative = bool((robust >= 0).all())
    if nonnegative and overall > 0:
        # A segment that happens to lack a large win has both a low mean and a low variance; so the variance is
        # averaged with what a sum of wins of the usual spread would have, one win more than seen.
        per_win = (robust[won] ** 2).sum() / robust[won].sum()
        one = 1 / max(won.mean(), 1e-9)
        mean = np.maximum(overall + effect, 0)
        mean = (mean * count + overall) / (count + one)
        expected = np.maximum(mean * per_win - mean**2 * (won.mean() >= 0.999), 0) / np.maximum(count, 1)
    else:
        expected = robust.var() / np.maximum(count, 1)
    se = np.sqrt(np.maximum(variance, (variance + expected) / 2))
    z = ndtri(1 - (1 - confidence ** (1 / looked_at)) / 2)
    unit = overall if is_ratio else spread or 1.0  # where all have one value, nothing differs
    estimate = 1 + effect / unit
    if is_ratio and nonnegative:
        estimate = np.maximum(estimate, 0)
        root = np.sqrt(estimate)
        step = z * se / unit / (2 * np.sqrt(np.maximum(np.maximum(estimate, expected**0.5 / unit), 1e-12)))
        low, high = np.maximum(root - step, 0) ** 2, (root + step) ** 2
    else:
        low, high = estimate - z * se / unit, estimate + z * se / unit
    unknown = count == 0
    low, high = np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)
    return Figures(estimate, low, high, is_ratio, float(value.mean()), unit)


def tier_of(low: float, high: float) -> str:
    """The tier that follows from the interval of a lift."""
    if low >= TIER_1:
        return "tier_1"
    if low > TIER_2:
        return "tier_2"
    return "deprioritized" if high < TIER_2 else "tier_3"


def contradicted(tiers: list[str], leaves: list[int], *seen: np.ndarray, is_ratio: bool) -> list[bool]:
    """Which tiers of the `leaves` the latest third of the pursuits contradicts; where it has no ratios and all have, none.

    `seen` as `segment_figures` takes it: leaf, robust, value, won, cells.
    """
    latest = _latest(leaves, len(leaves), ONE_SIDED, *seen)
    if latest.is_ratio != is_ratio:
        return [False] * len(leaves)
    return [contradicts(*each) for each in zip(tiers, latest.low, latest.high, strict=True)]


def reaching_today(figures: Figures, leaves: list[int], *seen: np.ndarray) -> Figures:
    """The figures with intervals of today's lift: where the latest third of the pursuits, by itself, leaves out what all say, an
    interval holds its interval as well. `seen` as for `contradicted`."""
    latest = _latest(leaves, 1, CONFIDENCE, *seen)
    if latest.is_ratio != figures.is_ratio:
        return figures
    moved = (latest.low > figures.estimate) | (latest.high < figures.estimate)
    low, high = np.minimum(figures.low, latest.low), np.maximum(figures.high, latest.high)
    return figures._replace(low=np.where(moved, low, figures.low), high=np.where(moved, high, figures.high))


def _latest(leaves: list[int], intervals: int, confidence: float, *seen: np.ndarray) -> Figures:
    """Figures of the latest third of the pursuits, whose `intervals` hold together."""
    cells = seen[-1]
    late = cells >= np.quantile(cells, 1 - LATEST, method="lower")
    return segment_figures(leaves, intervals, 1.0, *(part[late] for part in seen), confidence=confidence)


def contradicts(tier: str, low: float, high: float) -> bool:
    """Whether an interval of what was seen lately leaves out the lift that a tier stands for."""
    if tier == "deprioritized":
        return low > TIER_2
    return (tier == "tier_1" and high < TIER_1) or (tier == "tier_2" and high < TIER_2)


def wilson_interval(wins: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval of a share; missing where n is 0."""
    z = ndtri(0.975)
    wins, n = np.asarray(wins, dtype=float), np.asarray(n, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = wins / n
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def bootstrapped_mean(value: np.ndarray, seed: int) -> tuple[float, float]:
    """A 95 % interval of a mean, by bootstrap."""
    rng = np.random.default_rng(seed)
    means = [value[rng.integers(len(value), size=len(value))].mean() for _ in range(RESAMPLES)]
    return tuple(float(end) for end in np.quantile(means, [0.025, 0.975]))
