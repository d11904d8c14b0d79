"""Effects of the levels of all traits on the value of a pursuit, partially pooled (empirical Bayes).

Two outcomes at once: whether a pursuit is won (a Bernoulli likelihood with a log link), and the logarithm of what a win brings
(a normal one). A level moves both alike or moves them apart; only the former changes their product and is an effect here. Each
trait has a variance of its own for either, by MacKay's updates of the evidence; neighboring bands of a number are correlated. A
trait whose variance vanishes says nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag
from scipy.sparse import csr_array

from icp_refinery.learning.traits import Trait
from icp_refinery.learning.value import all_positive, winsorised

BANDS = 12
REACH = 3.0  # bands over which the effects of a number stay alike
PENALTIES = (0.3, 1.0)  # of the size of effects; the lower alone is too bold, the higher too often silent
LEAST_SPREAD = 0.03  # of a trait's effects, or it says nothing
FIRST_SPREAD = 0.3
EVEN_SPREAD = 0.2  # of every trait alike
EVEN_SHARE = 0.1  # of what that says is added: an order of accounts also where no trait's variance is sure
ITERATIONS, EVEN_ITERATIONS = 18, 6
MOST_TRAITS = 24  # those that differ most, one at a time


class Levels(NamedTuple):
    """A trait as few levels: `codes` of all pursuits, the prior correlation of levels, and the edges between bands of a number.

    A text has the codes of its trait (its values, any other, missing); a number has its bands, then missing.
    """

    trait: Trait
    codes: np.ndarray
    alike: np.ndarray
    edges: list[float]

    @property
    def size(self) -> int:
        return len(self.alike)


class Outcome(NamedTuple):
    """Which pursuits are won, `amount` (the centred logarithm of what each brings, NaN where it is lost), and periods.

    Where values are not all positive, `amount` is the value of every pursuit in units of its spread, and nothing else counts.
    """

    won: np.ndarray
    amount: np.ndarray
    periods: np.ndarray
    is_ratio: bool


def outcome_of(won: np.ndarray, value: np.ndarray, cells: np.ndarray) -> Outcome:
    """What is learned from: `value` per pursuit, developed; `cells` as of `time_cells`."""
    periods = np.unique(cells // 3, return_inverse=True)[1]
    if not all_positive(value[won]):
        capped = winsorised(value, won, 0.95)
        return Outcome(won, (capped - capped.mean()) / max(capped.std(), 1e-12), periods, False)
    amount = np.full(len(won), np.nan)
    known = value[won]
    amount[won] = np.log(np.clip(known, np.quantile(known[known > 0], 0.01), np.quantile(known, 0.99)))
    return Outcome(won, amount - np.nanmean(amount), periods, True)


def levels_of(trait: Trait) -> Levels:
    """The levels of a trait: bands of equal numbers of pursuits, for a number."""
    if not trait.is_numeric:
        return Levels(trait, trait.codes, np.eye(trait.size), [])
    present = trait.codes[trait.codes != trait.missing]
    cuts = np.unique(np.quantile(present, np.arange(1, BANDS) / BANDS, method="inverted_cdf"))
    cuts = cuts[cuts > present.min()].astype(int)
    codes = np.where(trait.codes == trait.missing, len(cuts) + 1, np.searchsorted(cuts, trait.codes, side="right"))
    return Levels(
        trait, codes, block_diag(_smooth(len(cuts) + 1, REACH * (len(cuts) + 1) / BANDS), 1.0), [trait.edges[c - 1] for c in cuts]
    )


def _smooth(size: int, reach: float) -> np.ndarray:
    at = np.arange(size)
    return np.exp(-np.abs(at[:, None] - at) / reach)


def pooled_effects(levels: list[Levels], outcome: Outcome, rows: np.ndarray | None = None) -> list[np.ndarray]:
    """The effect of each level of each trait on the logarithm of value (or on value, in units of its spread).

    Learned from the pursuits `rows` (all by default): the average over `PENALTIES`, and a small share of what variances that are
    alike would say. Effects are centred on those pursuits.
    """
    rows = np.arange(len(outcome.won)) if rows is None else rows
    effects = [np.zeros(one.size) for one in levels]
    chosen = _strongest(levels, outcome, rows)
    if not chosen:
        return effects
    shares = dict.fromkeys(PENALTIES, 1 / len(PENALTIES)) | {None: EVEN_SHARE}
    for penalty, share in shares.items():
        found = _fitted([levels[number] for number in chosen], outcome, rows, penalty)
        for number, its in zip(chosen, found, strict=True):
            effects[number] += share * its
    counts = [np.bincount(one.codes[rows], minlength=one.size) for one in levels]
    return [its - its @ count / len(rows) for its, count in zip(effects, counts, strict=True)]


def _strongest(levels: list[Levels], outcome: Outcome, rows: np.ndarray) -> list[int]:
    if len(levels) <= MOST_TRAITS:
        return list(range(len(levels)))
    y = np.where(outcome.won, 1.0, 0.0)[rows] if outcome.is_ratio else outcome.amount[rows]
    worth = np.where(outcome.won, np.nan_to_num(outcome.amount), 0.0)[rows]
    strength = []
    for one in levels:
        n = np.bincount(one.codes[rows], minlength=one.size)
        told = 0.0
        for part in (y, worth):
            part = (part - part.mean()) / max(part.std(), 1e-12)
            told += (np.bincount(one.codes[rows], part, minlength=one.size) ** 2 / np.maximum(n, 1)).sum()
        free = 2 * max((n > 0).sum() - 1, 1)
        strength.append((told - free) / np.sqrt(2 * free))
    return sorted(np.argsort(-np.array(strength), kind="stable")[:MOST_TRAITS].tolist())


def _fitted(levels: list[Levels], outcome: Outcome, rows: np.ndarray, penalty: float | None) -> list[np.ndarray]:
    """Penalised quasi-likelihood. Unknowns: of each trait, and of the periods, `alike` and `apart` effects; two intercepts.

    Without a penalty all variances stay alike.
    """
    won = outcome.won[rows]
    time = _smooth(outcome.periods.max() + 1, REACH)
    correlation = [*(one.alike for one in levels), time]
    inverse = [np.linalg.inv(one + 1e-9 * np.eye(len(one))) for one in correlation]
    design = _one_hot([*(one.codes[rows] for one in levels), outcome.periods[rows]], [len(one) for one in correlation])
    width = design.shape[1] - 1
    start = np.cumsum([0, *(len(one) for one in correlation)])
    has_losses = outcome.is_ratio and not won.all()
    valued = np.flatnonzero(won) if outcome.is_ratio else np.arange(len(rows))
    amount = outcome.amount[rows][valued]
    priced = design[valued]
    crossed = (priced.T @ priced).toarray()
    noise = max(float(amount.var()), 1e-6)
    variance = np.full((2, len(correlation)), (FIRST_SPREAD if penalty is not None else EVEN_SPREAD) ** 2)
    live = np.ones((2, len(correlation)), dtype=bool)
    if not outcome.is_ratio:
        live[1] = False  # one outcome: nothing to move apart
    rate = won.mean()
    top = np.log((1 + rate) / 2)
    y = won.astype(float)
    eta = np.full(len(rows), np.log(max(rate, 1e-9)))
    half = 0.5 if outcome.is_ratio else 1.0
    first = True
    for step in range(ITERATIONS):
        held = np.clip(eta, -8, top)
        mu = np.exp(held)
        weight = mu / (1 - mu) if has_losses else np.zeros(len(rows))
        win = (design.T @ design.multiply(weight[:, None]).tocsr()).toarray() if has_losses else np.zeros_like(crossed)
        win_y = design.T @ (weight * (held + (y - mu) / mu)) if has_losses else np.zeros(width + 1)
        price, price_y = crossed / noise, priced.T @ amount / noise
        a, b = win[:width, :width], price[:width, :width]
        blocks = [
            [half**2 * (a + b), half**2 * (a - b), half * win[:width, -1:], half * price[:width, -1:]],
            [half**2 * (a - b), half**2 * (a + b), half * win[:width, -1:], -half * price[:width, -1:]],
        ]
        blocks.append([blocks[0][2].T, blocks[1][2].T, win[-1:, -1:], np.zeros((1, 1))])
        blocks.append([blocks[0][3].T, blocks[1][3].T, np.zeros((1, 1)), price[-1:, -1:]])
        precision = np.block(blocks)
        right = np.concatenate([half * (win_y[:-1] + price_y[:-1]), half * (win_y[:-1] - price_y[:-1]), win_y[-1:], price_y[-1:]])
        places = {(kind, t): kind * width + np.arange(start[t], start[t + 1]) for kind, t in zip(*np.nonzero(live), strict=True)}
        for (kind, t), at in places.items():
            precision[np.ix_(at, at)] += inverse[t] / variance[kind, t]
        kept = np.concatenate([*places.values(), [2 * width, 2 * width + 1]]).astype(int)
        precision[[-2, -1], [-2, -1]] += 1e-6
        spread = np.linalg.inv(precision[np.ix_(kept, kept)])
        solution = np.zeros(2 * width + 2)
        solution[kept] = spread @ right[kept]
        alike, apart = solution[:width], solution[width : 2 * width]
        fitted_win = design @ np.append(half * (alike + apart), solution[-2])
        residual = amount - priced @ np.append(half * (alike - apart), solution[-1])
        eta = 0.5 * (eta + fitted_win) if first else fitted_win
        first = False
        free = max(len(valued) - min(len(kept), len(valued) / 4), 1)
        noise = 0.5 * noise + 0.5 * max(float(residual @ residual) / free, 1e-4)
        if step == (ITERATIONS if penalty is not None else EVEN_ITERATIONS) - 1:
            break
        if penalty is None:
            continue
        moved, at = 0.0, 0
        for kind, t in places:
            its = solution[places[kind, t]]
            own = slice(at, at + len(its))
            at += len(its)
            traced = float((inverse[t] * spread[own, own]).sum())
            squares = float(its @ inverse[t] @ its)
            effective = max(len(its) - traced / variance[kind, t], 1e-3)
            is_time = t == len(levels)
            goal = max(squares / (effective + (0.0 if is_time else penalty)), 1e-6)
            new = float(np.exp(0.2 * np.log(variance[kind, t]) + 0.8 * np.log(goal)))
            if new > LEAST_SPREAD**2:
                moved = max(moved, abs(np.log(new / variance[kind, t])))
            elif step >= 3 and not is_time:
                live[kind, t] = False
            variance[kind, t] = max(new, 1e-5)
        if step > 5 and moved < 0.03:
            break
    return [alike[start[t] : start[t + 1]] * (1.0 if live[0, t] else 0.0) for t in range(len(levels))]


def _one_hot(codes: list[np.ndarray], sizes: list[int]) -> csr_array:
    """Rows × (levels of all, then 1)."""
    start = np.cumsum([0, *sizes])
    at = np.stack([*(its + first for its, first in zip(codes, start, strict=False)), np.full(len(codes[0]), start[-1])], axis=1)
    n, many = at.shape
    return csr_array((np.ones(n * many), at.ravel(), np.arange(0, n * many + 1, many)), shape=(n, start[-1] + 1))


def summed(levels: list[Levels], effects: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """The sum of the effects of each of the pursuits `rows`."""
    return sum((its[one.codes[rows]] for one, its in zip(levels, effects, strict=True)), np.zeros(len(rows)))
