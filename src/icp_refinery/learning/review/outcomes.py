"""Whether an outcome of a segment has moved, with a year of looks paid for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm

from icp_refinery.learning.intervals import TIER_1, TIER_2
from icp_refinery.learning.review.looks import DRAWS, trailing

LEAST_REFERENCE, LEAST_WINDOW, LEAST_WINS = 20, 10, 5
WIN_RATE, FIRST_VALUE, DAYS = "win_rate", "first_order_value", "days_to_close"


class _Counts(NamedTuple):
    """By cycle and segment (and in the reference, by segment): how many, and the sum of what is measured."""

    n: np.ndarray
    total: np.ndarray
    n0: np.ndarray
    total0: np.ndarray


class Tested(NamedTuple):
    """`z`: outcome -> looks x windows x (segments, all), better is positive; `p`: of the same; and what is needed to speak."""

    windows: list[int]
    z: dict[str, np.ndarray]
    p: dict[str, np.ndarray]
    won: _Counts
    early_lift: np.ndarray  # looks x windows x segments


def _windows(a_year: int) -> list[int]:
    return [*(width for width in (1, 2, 3, 4, 6, 8, 16, 26) if width < a_year), a_year]


def tested_outcomes(
    pursuits: pd.DataFrame, old: np.ndarray, place: np.ndarray, codes: np.ndarray, looks: int, tiers: list[str], a_year: int
) -> Tested:
    """All tests. Those that can contradict a tier are one family, the others (time to close, all, what confirms) another."""
    windows, segments = _windows(a_year), len(tiers)
    won = pursuits["is_won"].to_numpy(dtype=bool)
    every = _counted(won.astype(float), np.ones(len(won), dtype=bool), old, place, codes, looks, segments)
    counts = {WIN_RATE: every}
    for outcome in (FIRST_VALUE, DAYS):
        value = pursuits[outcome].to_numpy(dtype=float)
        known = won & np.isfinite(value)
        score = _normal_scores(value, known & old) * (-1 if outcome == DAYS else 1)
        counts[outcome] = _counted(score, known, old, place, codes, looks, segments)
        mean = counts[outcome].total0 / np.maximum(counts[outcome].n0, 1)
        inside = score[known & old] - mean[codes[known & old]]
        # In units of the spread within segments, by which a sum of k has the variance k.
        spread = np.sqrt((inside**2).sum() / max(len(inside) - segments, 1)) if len(inside) > segments else 0.0
        scaled = counts[outcome].total / spread if spread else counts[outcome].total * 0
        scaled0 = counts[outcome].total0 / spread if spread else counts[outcome].total0 * 0
        counts[outcome] = counts[outcome]._replace(total=scaled, total0=scaled0)
    z = {name: (_win_scores if name == WIN_RATE else _mean_scores)(its, windows) for name, its in counts.items()}
    null = {name: _null_scores(name, its, windows, a_year) for name, its in counts.items()}
    decisive = np.array([[contradicts(tier, better) for tier in tiers] + [False] for better in (False, True)])
    p = {name: np.ones_like(its) for name, its in z.items()}
    for is_decisive in (True, False):

        def asked(name: str, its: np.ndarray, is_decisive: bool = is_decisive) -> np.ndarray:
            able = np.where(its > 0, decisive[1], decisive[0]) & (name != DAYS)
            return np.where(able == is_decisive, np.abs(its), 0.0)

        largest = np.maximum.reduce([asked(name, its).reshape(DRAWS, -1).max(axis=1) for name, its in null.items()])
        for name, its in z.items():
            size = asked(name, its)
            chance = (1 + (largest[:, None] >= size.reshape(1, -1) - 1e-9).sum(axis=0)) / (1 + DRAWS)
            p[name] = np.where(size > 0, chance.reshape(size.shape), p[name])
    lift = _early_lift(pursuits, won, old, place, codes, every, windows)
    return Tested(windows, z, p, every, lift)


def _counted(
    value: np.ndarray, known: np.ndarray, old: np.ndarray, place: np.ndarray, codes: np.ndarray, looks: int, segments: int
) -> _Counts:
    now, before = known & (place >= 0), known & old
    cell, size = place[now] * segments + codes[now], looks * segments
    return _Counts(
        np.bincount(cell, minlength=size).reshape(looks, segments).astype(float),
        np.bincount(cell, value[now], minlength=size).reshape(looks, segments),
        np.bincount(codes[before], minlength=segments).astype(float),
        np.bincount(codes[before], value[before], minlength=segments),
    )


def _normal_scores(value: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Where a value lies among those of the reference, as a normal deviate: one large deal is not drift."""
    known = np.sort(value[reference])
    score = np.zeros(len(value))
    if len(known):
        place = (np.searchsorted(known, value, "left") + np.searchsorted(known, value, "right")) / 2
        score = norm.ppf((place + 0.5) / (len(known) + 1))
    return np.where(np.isfinite(value), score, 0.0)


def _win_scores(counts: _Counts, windows: list[int]) -> np.ndarray:
    """z of the wins, (..., looks, windows, segments and all): against the reference's odds, moved in each cycle by what all
    segments have in common."""
    n, wins = counts.n, counts.total
    chance = ((counts.total0 + 0.5) / (counts.n0 + 1))[..., None, :]
    odds, shift = logit(chance), np.zeros((*wins.shape[:-1], 1))
    for _ in range(4):
        moved = expit(odds + shift)
        information = np.maximum((n * moved * (1 - moved)).sum(axis=-1, keepdims=True), 1e-9)
        shift = np.clip(shift + (wins - n * moved).sum(axis=-1, keepdims=True) / information, -4, 4)
    moved = expit(odds + shift)
    part = n * moved * (1 - moved)
    variance = part * (1 - part / np.maximum(part.sum(axis=-1, keepdims=True), 1e-9))
    whole = chance * (1 - chance)
    level = (counts.total0.sum(axis=-1) / np.maximum(counts.n0.sum(axis=-1), 1))[..., None]
    n_all = n.sum(axis=-1)
    return _in_windows(
        np.concatenate([wins - n * moved, (wins.sum(axis=-1) - n_all * level)[..., None]], axis=-1),
        np.concatenate([np.minimum(variance, n * whole), (n_all * level * (1 - level))[..., None]], axis=-1),
        counts,
        windows,
        LEAST_WINDOW,
    )


def _mean_scores(counts: _Counts, windows: list[int]) -> np.ndarray:
    """The same of a mean whose values have the variance 1 within segments."""
    n, n_all = counts.n, np.maximum(counts.n.sum(axis=-1, keepdims=True), 1)
    surplus = counts.total - n * (counts.total0 / np.maximum(counts.n0, 1))[..., None, :]
    level = (counts.total0.sum(axis=-1) / np.maximum(counts.n0.sum(axis=-1), 1))[..., None]
    relative = surplus - n / n_all * surplus.sum(axis=-1, keepdims=True)
    overall = counts.total.sum(axis=-1) - n.sum(axis=-1) * level
    return _in_windows(
        np.concatenate([relative, overall[..., None]], axis=-1),
        np.concatenate([n * (1 - n / n_all), n.sum(axis=-1)[..., None]], axis=-1),
        counts,
        windows,
        LEAST_WINS,
    )


def _in_windows(surplus: np.ndarray, variance: np.ndarray, counts: _Counts, windows: list[int], least: int) -> np.ndarray:
    n = np.concatenate([counts.n, counts.n.sum(axis=-1, keepdims=True)], axis=-1)
    n0 = np.concatenate([counts.n0, counts.n0.sum(axis=-1, keepdims=True)], axis=-1)
    sums = [trailing(part, windows) for part in (surplus, variance, np.broadcast_to(n, surplus.shape))]
    # The reference is an estimate too.
    spread = np.sqrt(np.maximum(sums[1], 0) * (1 + sums[2] / np.maximum(n0, 1)[..., None, None, :]))
    enough = (sums[2] >= least) & (n0[..., None, None, :] >= (LEAST_REFERENCE if least == LEAST_WINDOW else LEAST_WINS))
    return np.where(enough & (spread > 1e-6), sums[0] / np.maximum(spread, 1e-6), 0.0)


def _null_scores(name: str, counts: _Counts, windows: list[int], a_year: int) -> np.ndarray:
    """z of a year of looks without a change, `DRAWS` times. Cycles still to come are as large as those so far."""
    random = np.random.default_rng([len(name), 20_250_101])
    looks, segments = counts.n.shape
    to_come = np.ceil(counts.n.mean(axis=0))[None, :].repeat(max(a_year - looks, 0), axis=0)
    n = np.concatenate([counts.n, to_come]).astype(int)
    n0 = counts.n0.astype(int)
    if name == WIN_RATE:
        chance = (counts.total0 + counts.total.sum(axis=0) + 0.5) / (counts.n0 + counts.n.sum(axis=0) + 1)
        total0 = random.binomial(n0, chance, (DRAWS, segments)).astype(float)
        total = random.binomial(n, chance, (DRAWS, *n.shape)).astype(float)
        z = _win_scores(_Counts(n.astype(float), total, n0.astype(float), total0), windows)
    else:
        total0 = random.standard_normal((DRAWS, segments)) * np.sqrt(n0)
        total = random.standard_normal((DRAWS, *n.shape)) * np.sqrt(n)
        z = _mean_scores(_Counts(n.astype(float), total, n0.astype(float), total0), windows)
    return z


def _early_lift(
    pursuits: pd.DataFrame,
    won: np.ndarray,
    old: np.ndarray,
    place: np.ndarray,
    codes: np.ndarray,
    every: _Counts,
    windows: list[int],
) -> np.ndarray:
    """First-order value per pursuit over that of all, by look, window and segment (and all): wins without a known order yet
    count with the mean of the others; large ones are capped at the reference's 95th percentile."""
    value = pursuits[FIRST_VALUE].to_numpy(dtype=float)
    known = won & np.isfinite(value)
    if known.any():
        cap = np.quantile(value[known & old] if (known & old).sum() >= LEAST_REFERENCE else value[known], 0.95)
        value = np.minimum(value, cap)
    else:
        value, known = np.ones(len(value)), won
    looks, segments = every.n.shape
    worth = _counted(value, known, old, place, codes, looks, segments)

    def summed(part: np.ndarray) -> np.ndarray:
        return trailing(np.concatenate([part, part.sum(axis=-1, keepdims=True)], axis=-1), windows)

    with np.errstate(invalid="ignore", divide="ignore"):
        mean = summed(worth.total) / summed(worth.n)
        mean = np.where(np.isfinite(mean), mean, 0.0)
        each = summed(every.total) / summed(every.n) * mean
        return np.where(each[..., -1:] > 0, each / each[..., -1:], np.nan)


def contradicts(tier: str, better: bool) -> bool:
    """Whether a change in that direction can contradict the tier."""
    return {"tier_1": not better, "tier_2": not better, "deprioritized": better}.get(tier, True)


def is_other(tier: str, better: bool, lift: float) -> bool:
    """Whether the tier does not have such a lift; without a lift nothing is said."""
    if tier == "tier_1":
        return lift < TIER_1
    return lift > TIER_2 if better else lift < TIER_2
