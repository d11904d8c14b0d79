"""Whether any trait matters at all: a permutation test within periods."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.special import logsumexp

from icp_refinery.learning.periods import centred
from icp_refinery.learning.traits import LEAST_SUPPORT, Trait

PERMUTATIONS = 599
PRIOR = 0.05  # variance of an effect that the test looks for, in units of the variance of the outcome
TESTED_ROWS = 10_000  # the permutation test reads a sample of at most this many pursuits
PAIR_SUPPORT = 20


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
    n = len(won)
    rows = np.sort(rng.choice(n, TESTED_ROWS, replace=False)) if n > TESTED_ROWS else np.arange(n)
    families = [part for part in _indicators(traits, rows) if sum(p.shape[1] for p in part)]
    cells = cells[rows]
    outcomes = [centred(won[rows].astype(float), cells), centred(score[rows], cells)]
    outcomes = [y / y.std() for y in outcomes if y.std() > 1e-12]
    if not outcomes or not families:
        return 1.0
    by_cell = np.argsort(cells, kind="stable")
    sorted_cells = cells[by_cell]
    order = np.empty((len(rows), permutations + 1), dtype=np.int32)
    order[:, 0] = np.arange(len(rows))
    for b in range(1, permutations + 1):
        order[by_cell, b] = by_cell[np.lexsort((rng.random(len(rows)), sorted_cells))]
    averages = []
    for y in outcomes:
        permuted = y.astype(np.float32)[order]
        for family in families:  # singles and pairs weigh the same, however many there are
            ratios = [_log_ratios(features, permuted) for features in family if features.shape[1]]
            averages.append(logsumexp(np.concatenate(ratios), axis=0) - np.log(sum(len(r) for r in ratios)))
    statistic = logsumexp(np.stack(averages), axis=0)
    return float((statistic >= statistic[0] - 1e-9).mean())


def _log_ratios(features: sparse.csc_matrix, outcomes: np.ndarray) -> np.ndarray:
    """Log likelihood ratios, features × outcomes, of an effect with variance PRIOR against none."""
    sums = np.asarray(features.T @ outcomes)
    spread = sums.std(axis=1, keepdims=True)
    z = np.divide(sums - sums.mean(axis=1, keepdims=True), spread, out=np.zeros_like(sums), where=spread > 1e-9)
    size = PRIOR * np.asarray(features.sum(axis=0), dtype=float).reshape(-1, 1)
    return z**2 * (size / (2 * (1 + size))) - np.log1p(size) / 2


def _indicators(traits: list[Trait], rows: np.ndarray) -> tuple[list[sparse.csc_matrix], list[sparse.csc_matrix]]:
    """Indicators of values (of ranges, for numbers), and of pairs of them: a matrix each for a trait and a pair of traits."""
    single, paired = [], []
    for trait in traits:
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
        single.append(_sparse(made, len(rows), LEAST_SUPPORT))
        paired.append(_sparse(wide, len(rows), PAIR_SUPPORT))
    pairs = []
    for i, one in enumerate(paired):
        for other in paired[i + 1 :]:
            left, right = np.nonzero((one.T @ other).toarray() >= PAIR_SUPPORT)
            if len(left):
                pairs.append(one[:, left].multiply(other[:, right]).tocsc())
    return single, pairs


def _sparse(made: list[np.ndarray], n: int, least: int) -> sparse.csc_matrix:
    kept = [m for m in made if least <= m.sum() <= n - least]
    return sparse.csc_matrix(np.stack(kept, axis=1).astype(np.float32)) if kept else sparse.csc_matrix((n, 0), dtype=np.float32)
