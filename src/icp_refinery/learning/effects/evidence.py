"""Tests of one value against all others, within periods."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import gammaln, ndtr

from icp_refinery.learning.effects.counts import Counts

CYCLE_ACCOUNTS = 10
CYCLE_RESULTS = 2.0
LATEST_PERIODS = 4
EXACT_BELOW_VARIANCE = 2500.0
EXACT_BELOW_P = 0.1
Z_95 = 1.959963984540054


def evidence_of(outcome: str, labels: list[tuple[str, str, str]], counts: Counts) -> pd.DataFrame:
    n1, a, n, m = counts
    n0 = n - n1
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(n > 0, m / n, 0.0)
        variance = np.where(n > 1, n1 * n0 * m * (n - m) / (n**2 * (n - 1)), 0.0)
    expected = n1 * share
    excess = a - expected
    cycle, cycles = _cycles(n1, n0, expected)
    direction = np.sign(np.round(excess.sum(axis=1), 9))
    p_value = _replicated_p(counts, excess, variance, cycle, cycles, direction)
    consistency = _consistency(excess, cycle, cycles, direction)
    observed = np.flatnonzero(n.sum(axis=0) > 0)
    latest, before = observed[-LATEST_PERIODS:], observed[:-LATEST_PERIODS]
    latest_p, latest_z = _recent(counts.during(latest), excess[:, latest], variance[:, latest])
    change, change_p = _change(counts, before, latest)
    kinds, attributes, values = zip(*labels, strict=True)
    return pd.DataFrame(
        {
            "outcome": outcome,
            "attribute": attributes,
            "value": values,
            "kind": kinds,
            **_figures(counts),
            "p_value": p_value,
            "consistency": consistency,
            "periods": cycles,
            **{f"latest_{name}": figure for name, figure in _figures(counts.during(latest)).items()},
            "latest_p_value": latest_p,
            "latest_z": latest_z,
            "change": change,
            "change_p_value": change_p,
        }
    )


def _figures(counts: Counts) -> dict[str, np.ndarray]:
    """Accounts, successes, rate, baseline rate and lift with its interval, over the periods of `counts`."""
    n1, a, n, m = counts
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = n1 * np.where(n > 0, m / n, 0.0)
        rate, baseline = a.sum(axis=1) / n1.sum(axis=1), expected.sum(axis=1) / n1.sum(axis=1)
        lift = np.where(baseline > 0, rate / baseline, np.nan)
        low, high = _lift_interval(n1, a, n - n1, m - a, n)
    return {
        "accounts": n1.sum(axis=1).astype("int64"),
        "successes": a.sum(axis=1).astype("int64"),
        "rate": rate,
        "baseline_rate": baseline,
        "lift": lift,
        "lift_low": np.where(np.isnan(lift), np.nan, low),
        "lift_high": np.where(np.isnan(lift), np.nan, high),
    }


def _cycles(n1: np.ndarray, n0: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join successive periods until a cycle has enough accounts on both sides to have a direction at all.

    Returns each period's cycle (tests x periods) and the number of complete cycles per test; what is left over
    at the end joins the last complete one.
    """
    tests, periods = n1.shape
    cycle = np.zeros((tests, periods), dtype="int64")
    number = np.zeros(tests, dtype="int64")
    total = [np.zeros(tests) for _ in range(3)]
    for period in range(periods):
        cycle[:, period] = number
        for amount, part in zip(total, (n1, n0, expected), strict=True):
            amount += part[:, period]
        full = (
            (total[0] >= CYCLE_ACCOUNTS)
            & (total[1] >= CYCLE_ACCOUNTS)
            & (total[2] >= CYCLE_RESULTS)
            & (total[0] - total[2] >= CYCLE_RESULTS)
        )
        number = number + full
        for amount in total:
            amount[full] = 0.0
    return np.minimum(cycle, np.maximum(number - 1, 0)[:, None]), number


def _replicated_p(
    counts: Counts,
    excess: np.ndarray,
    variance: np.ndarray,
    cycle: np.ndarray,
    cycles: np.ndarray,
    direction: np.ndarray,
) -> np.ndarray:
    """The largest CMH p-value with one cycle left out; 1 where fewer than two cycles are there."""
    tests = len(cycles)
    worst, left_out = np.full(tests, np.inf), np.zeros(tests, dtype="int64")
    for number in range(int(cycles.max(initial=0))):
        stays = cycle != number
        rest = (variance * stays).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(rest > 0, direction * (excess * stays).sum(axis=1) / np.sqrt(rest), 0.0)
        lower = (number < cycles) & (z < worst)
        worst, left_out = np.where(lower, z, worst), np.where(lower, number, left_out)
    replicated = (cycles >= 2) & (worst > 0) & np.isfinite(worst)
    p = np.where(replicated, 2 * ndtr(-np.where(replicated, worst, 0.0)), 1.0)
    stays = cycle != left_out[:, None]
    rest = (variance * stays).sum(axis=1)
    # The normal tail is too thin for small counts, and it is the tail that decides among many tests.
    for test in np.flatnonzero(replicated & (p < EXACT_BELOW_P) & (rest < EXACT_BELOW_VARIANCE)):
        strata = [part[test][stays[test]] for part in counts]
        p[test] = _exact_p(*strata, upper=direction[test] > 0)
    return p


def _exact_p(n1: np.ndarray, a: np.ndarray, n: np.ndarray, m: np.ndarray, *, upper: bool) -> float:
    """Twice the tail of the sum of the strata's hypergeometric distributions."""
    pmf, lowest = _sum_of_hypergeometric(n1, n, m)
    place = int(a.sum()) - lowest
    tail = pmf[max(place, 0) :].sum() if upper else pmf[: max(place + 1, 0)].sum()
    return float(min(1.0, 2 * tail))


def _sum_of_hypergeometric(n1: np.ndarray, n: np.ndarray, m: np.ndarray, odds: float = 1.0) -> tuple[np.ndarray, int]:
    """Probabilities of the strata's successes together, where each has this odds ratio, from the lowest number on."""
    pmf, lowest = np.ones(1), 0
    for n1_k, n_k, m_k in zip(n1, n, m, strict=True):
        low, high = int(max(0, n1_k + m_k - n_k)), int(min(n1_k, m_k))
        x = np.arange(low, high + 1, dtype="float64")
        log_pmf = _log_choose(m_k, x) + _log_choose(n_k - m_k, n1_k - x) + x * np.log(odds)
        log_pmf -= log_pmf.max()
        keep = np.flatnonzero(log_pmf > -80)
        part = np.exp(log_pmf[keep[0] : keep[-1] + 1])
        pmf, lowest = np.convolve(pmf, part / part.sum()), lowest + low + int(keep[0])
    return pmf, lowest


def _log_choose(n: float, k: np.ndarray) -> np.ndarray:
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


def _recent(counts: Counts, excess: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """CMH p-value over a few periods (null with too few accounts), and the z nearest to 0 with any one of them left out."""
    enough = np.minimum(counts.n1.sum(axis=1), (counts.n - counts.n1).sum(axis=1)) >= CYCLE_ACCOUNTS
    total, spread = excess.sum(axis=1, keepdims=True), variance.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 0, total / np.sqrt(spread), 0.0)[:, 0]
        without = np.where(spread > variance, (total - excess) / np.sqrt(spread - variance), 0.0)
    p = np.where(enough, 2 * ndtr(-np.abs(z)), np.nan)
    for test in np.flatnonzero((p < EXACT_BELOW_P) & (spread[:, 0] < EXACT_BELOW_VARIANCE)):
        p[test] = _exact_p(*(part[test] for part in counts), upper=z[test] > 0)
    nearest = np.abs(without).argmin(axis=1)[:, None]
    same = (np.sign(without) == np.sign(z)[:, None]).all(axis=1)
    return p, np.where(same, np.take_along_axis(without, nearest, axis=1)[:, 0], 0.0)


def _change(counts: Counts, before: np.ndarray, latest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction (1, -1 or 0) in which the odds ratio changed from the periods `before` to the `latest`, and its p-value.

    Null where too few accounts are on either side. A score test of equal odds ratios (Breslow and Day 1980, with the
    correction of Tarone 1985), exact where counts are small.
    """
    n1, a, n, m = counts
    n0, tests = n - n1, len(n)
    if min(len(before), len(latest)) == 0:
        return np.zeros(tests), np.full(tests, np.nan)
    sizes = [size[:, side].sum(axis=1) for side in (before, latest) for size in (n1, n0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(n > 0, 1 / n, 0.0)
        odds = (a * (n0 - m + a) * weight).sum(axis=1) / ((n1 - a) * (m - a) * weight).sum(axis=1)
    # Without any contrast there is none that could change.
    testable = (np.min(sizes, axis=0) >= CYCLE_ACCOUNTS) & np.isfinite(odds) & (odds > 0)
    odds = np.where(testable, odds, 1.0)
    expected = _expected_at(odds[:, None], n1, n0, m)
    with np.errstate(divide="ignore"):
        variance = 1 / (1 / expected + 1 / (n1 - expected) + 1 / (m - expected) + 1 / (n0 - m + expected))
    excess = a - expected

    early, late = (variance[:, side].sum(axis=1) for side in (before, latest))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = late / (early + late)
        z = (excess[:, latest].sum(axis=1) - share * excess.sum(axis=1)) / np.sqrt(share * early)
    z = np.round(np.where(np.isfinite(z), z, 0.0), 9)
    p = np.where(testable, 2 * ndtr(-np.abs(z)), np.nan)
    for test in np.flatnonzero((p < EXACT_BELOW_P) & (early + late < EXACT_BELOW_VARIANCE)):
        sides = ([part[test, side] for part in counts] for side in (before, latest))
        p[test] = _exact_change_p(*sides, odds=odds[test], upper=z[test] > 0)
    return np.sign(z), p


def _expected_at(odds: np.ndarray, n1: np.ndarray, n0: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Successes among the n1 that would give each table, with its margins kept, this odds ratio."""
    linear = n0 - m + odds * (n1 + m)
    root = np.sqrt(np.maximum(linear**2 + 4 * (1 - odds) * odds * n1 * m, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = 2 * odds * n1 * m / (linear + root)
    return np.where(linear + root > 0, np.clip(expected, np.maximum(0, m - n0), np.minimum(n1, m)), 0.0)


def _exact_change_p(early: list[np.ndarray], late: list[np.ndarray], *, odds: float, upper: bool) -> float:
    """Twice the tail of the successes of late, given those of both, where their odds ratios are equal.

    `early` and `late`: n1, a, n, m by period. The conditional distribution does not depend on `odds`; near the truth it keeps
    the numbers from running out.
    """
    (early_pmf, early_low), (late_pmf, late_low) = (_sum_of_hypergeometric(n1, n, m, odds) for n1, _, n, m in (early, late))
    total, observed = int(early[1].sum() + late[1].sum()), int(late[1].sum())
    late_counts = late_low + np.arange(len(late_pmf))
    partner = total - late_counts - early_low
    inside = (partner >= 0) & (partner < len(early_pmf))
    pmf = np.where(inside, late_pmf * early_pmf[np.clip(partner, 0, len(early_pmf) - 1)], 0.0)
    tail = pmf[late_counts >= observed].sum() if upper else pmf[late_counts <= observed].sum()
    return float(min(1.0, 2 * tail / pmf.sum())) if pmf.sum() > 0 else 0.0


def _consistency(excess: np.ndarray, cycle: np.ndarray, cycles: np.ndarray, direction: np.ndarray) -> np.ndarray:
    agreeing = np.zeros(len(cycles))
    for number in range(int(cycles.max(initial=0))):
        sign = np.sign(np.round((excess * (cycle == number)).sum(axis=1), 9))
        # A cycle without any direction speaks half for it.
        agreeing += (number < cycles) * np.where(sign == 0, 0.5, sign == direction)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(cycles > 0, agreeing / cycles, np.nan)


def _lift_interval(n1: np.ndarray, a: np.ndarray, n0: np.ndarray, b: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of rate / baseline, from the Mantel-Haenszel risk ratio R and its variance.

    With f = sum(a n1/n) / sum(a n0/n), lift = R (1 + f) / (1 + R f): f depends on the make-up of the periods, not
    on the effect, so the ends of R's interval give those of the lift's.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(n > 0, 1 / n, 0.0)
    one, none = (a * n0 * weight).sum(axis=1), (b * n1 * weight).sum(axis=1)
    within = (a * n1 * weight).sum(axis=1)
    spread = (((a + b) * n1 * n0 * weight - a * b) * weight).sum(axis=1)
    # No success on one side: half a success on both keeps the interval finite where it must be.
    empty = (one <= 0) | (none <= 0)
    shares = n1.sum(axis=1) / n.sum(axis=1)
    one_, none_ = np.where(empty, one + 0.5 * (1 - shares), one), np.where(empty, none + 0.5 * shares, none)
    spread_ = np.where(empty, spread + shares * (1 - shares), spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = one_ / none_
        half = Z_95 * np.sqrt(np.maximum(spread_, 0) / (one_ * none_))
        f = np.where(one > 0, within / one, shares / (1 - shares))
        ends = [ratio * np.exp(-half), ratio * np.exp(half)]
        low, high = (end * (1 + f) / (1 + end * f) for end in ends)
        # With no success on the other side the ratio has no upper end, the lift that of all successes its own.
        return np.where(one <= 0, 0.0, low), np.where((none <= 0) & (one > 0), (1 + f) / f, high)
