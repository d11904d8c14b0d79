"""Whether any trait matters at all: a permutation test within periods."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import logsumexp

from icp_refinery.learning.periods import centred
from icp_refinery.learning.traits import LEAST_SUPPORT, Trait

PERMUTATIONS = 599
PRIOR = 0.05  # variance of an effect that the test looks for, in units of the variance of the outcome
TESTED_ROWS = 10_000  # the permutation test reads a sample of at most this many pursuits
PAIR_SUPPORT = 20
AT_ONCE = 1_000_000  # numbers in memory


def permutation_p(
    traits: list[Trait], won: np.ndarray, score: np.ndarray, cells: np.ndarray, seed: int, permutations: int
) -> float:
    """Test whether any trait, or pair of traits, goes with winning or value more than chance gives.

    The statistic is the likelihood ratio of "one value, range or pair of them has a normal effect" against "none has", averaged
    over all of them (the exponential average of Andrews and Ploberger 1994): unlike the largest effect it gains from several
    values that each tell a little. Outcomes are permuted within periods and every permutation is searched as
    the data were, so that having looked at many traits is paid for.
    """
    rng = np.random.default_rng(seed + 1)
    rows = sampled(len(won), seed)
    cells = cells[rows]
    outcomes = [centred(won[rows].astype(float), cells), centred(score[rows], cells)]
    outcomes = [y / y.std() for y in outcomes if y.std() > 1e-12]
    if not outcomes:
        return 1.0
    by_cell = np.argsort(cells, kind="stable")
    sorted_cells = cells[by_cell]
    order = np.empty((len(rows), permutations + 1), dtype=np.int32)
    order[:, 0] = np.arange(len(rows))
    for b in range(1, permutations + 1):
        order[by_cell, b] = by_cell[np.argsort(sorted_cells + rng.random(len(rows)))]
    permuted = np.concatenate([y.astype(np.float32)[order] for y in outcomes], axis=1)
    averages = []
    for family in _indicators(traits, rows):  # singles and pairs weigh the same, however many there are
        average, count = np.full(permuted.shape[1], -np.inf), 0
        for features, own in family:
            count += features.shape[1]
            average = np.logaddexp(average, _log_ratios(features, permuted[own], len(outcomes)))
        if count:
            averages += np.split(average - np.log(count), len(outcomes))
    if not averages:
        return 1.0
    statistic = logsumexp(np.stack(averages), axis=0)
    return float((statistic >= statistic[0] - 1e-9).mean())


def sampled(n: int, seed: int) -> np.ndarray:
    """Which of `n` pursuits a test reads."""
    if n <= TESTED_ROWS:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, TESTED_ROWS, replace=False))


def _log_ratios(features: np.ndarray, permuted: np.ndarray, outcomes: int) -> np.ndarray:
    """The log of the sum, over features, of the likelihood ratios of an effect with variance PRIOR against none."""
    sums = (features.T @ permuted).reshape(features.shape[1], outcomes, -1)
    size = PRIOR * features.sum(axis=0).reshape(-1, 1, 1)
    # In place, in single precision: this takes most of the test.
    sums -= sums.mean(axis=2, keepdims=True)
    ratios = np.square(sums, out=sums)
    variance = ratios.mean(axis=2, keepdims=True)
    ratios *= np.divide(size / (2 * (1 + size)), variance, out=np.zeros_like(variance), where=variance > 1e-18)
    ratios -= np.log1p(size) / 2
    largest = ratios.max(axis=0)
    ratios -= largest
    return (largest + np.log(np.exp(ratios, out=ratios).sum(axis=0, dtype=float))).ravel()


Indicators = Iterator[tuple[np.ndarray, np.ndarray]]


def _indicators(traits: list[Trait], rows: np.ndarray) -> tuple[Indicators, Indicators]:
    """Indicators of values (of ranges, for numbers), and of pairs of them: matrices of pursuits × features, some at a time, each
    with the pursuits that it has rows for; the others have none of its features."""
    single, paired, owner = [], [], []
    for number, trait in enumerate(traits):
        codes = trait.codes[rows]
        if trait.is_numeric:
            present = codes != trait.missing
            cuts = np.unique(np.quantile(codes[present], np.linspace(0, 1, 9)[1:-1])) if present.any() else []
            band = np.where(present, np.searchsorted(np.asarray(cuts), codes, side="right"), -1)
            last = len(cuts)
            ranges = [(i, j) for i in range(last + 1) for j in range(i, last + 1) if (i, j) != (0, last)]
            made = [(band >= i) & (band <= j) for i, j in [*ranges, (-1, -1)]]
            wide = [m for m, (i, j) in zip(made, ranges, strict=False) if j - i in (1, 3)]
        else:
            made = wide = [codes == code for code in np.unique(codes)]
        single += _frequent(made, LEAST_SUPPORT)
        paired += _frequent(wide, PAIR_SUPPORT)
        owner += [number] * (len(paired) - len(owner))
    singles, halves = (np.array(part, dtype=np.float32).reshape(-1, len(rows)).T for part in (single, paired))
    # The rarer half of a pair says which pursuits count.
    order = np.argsort(halves.sum(axis=0), kind="stable")
    halves, owner = halves[:, order], np.array(owner, dtype=int)[order]
    is_pair = np.triu(halves.T @ halves >= PAIR_SUPPORT) & (owner[:, None] != owner)
    everyone, step = np.arange(len(rows)), max(1, AT_ONCE // max(len(rows), 1))
    return (
        ((singles[:, at : at + step], everyone) for at in range(0, singles.shape[1], step)),
        (
            (halves[np.ix_(own, np.flatnonzero(its))], own)
            for own, its in zip((np.flatnonzero(half) for half in halves.T), is_pair, strict=True)
            if its.any()
        ),
    )


def _frequent(made: list[np.ndarray], least: int) -> list[np.ndarray]:
    return [m for m in made if least <= m.sum() <= len(m) - least]
