"""Information value: how much a whole trait, or its being filled in, tells of who won."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import chi2

from icp_refinery.learning.effects.counts import aligned, by_code, long_outcomes, observed
from icp_refinery.learning.traits import Banded, banded_traits

LEAK_INFORMATION = 0.5
LEAK_MISSINGNESS = 0.1
LEAK_LEVEL = 0.001


def leaking_traits(outcomes: pd.DataFrame, traits: pd.DataFrame, *, minimum_support: int = 30) -> pd.DataFrame:
    """Say of every trait whether it seems to know who won: what `attribute_effects` flags.

    Takes `outcomes` (with `won`) and `traits` as `attribute_effects` does. Returns one row per trait:
    `attribute`, `information_value`, `missingness_information`, `is_leak`. Without winners and losers no
    trait leaks and the figures are null.
    """
    long = long_outcomes(outcomes)
    accounts = np.sort(long["account_id"].unique())
    periods = np.sort(long["period"].unique())
    coded = banded_traits(aligned(traits, accounts))
    leaks = leaks_of(coded, *observed(long, "won", accounts, periods), len(periods), minimum_support)
    rows = [(name, *leaks.get(name, (np.nan, False, np.nan))) for name in coded]
    table = pd.DataFrame(rows, columns=["attribute", "information_value", "is_leak", "missingness_information"])
    table = table[["attribute", "information_value", "missingness_information", "is_leak"]]
    return table.sort_values("attribute", ignore_index=True).astype(
        {"information_value": "float64", "missingness_information": "float64", "is_leak": "bool"}
    )


def leaks_of(
    coded: dict[str, Banded],
    rows: np.ndarray,
    period: np.ndarray,
    success: np.ndarray,
    periods: int,
    minimum_support: int,
) -> dict[str, tuple[float, bool, float]]:
    """Per trait: information value, whether it leaks, and the information value of its being missing."""
    if len(rows) == 0 or success.min() == success.max():
        return {}
    n = np.bincount(period, minlength=periods).astype("float64")
    m = np.bincount(period, weights=success, minlength=periods)
    found = {}
    for name, trait in coded.items():
        codes = trait.codes[rows] + 1
        n1 = by_code(codes, period, None, len(trait.labels) + 1, periods)
        a = by_code(codes, period, success, len(trait.labels) + 1, periods)
        # Values too rare to judge are one value, or a trait of many values would know it all.
        rare = (n1.sum(axis=1) < minimum_support) & (np.arange(len(n1)) > 0)
        whole = [np.vstack([x[~rare], x[rare].sum(axis=0)]) for x in (n1, a)]
        missing = [np.vstack([x[0], x[1:].sum(axis=0)]) for x in (n1, a)]
        value, value_p = _information_value(*whole, n, m)
        gap, gap_p = _information_value(*missing, n, m)
        leaks = (value > LEAK_INFORMATION and value_p < LEAK_LEVEL) or (gap > LEAK_MISSINGNESS and gap_p < LEAK_LEVEL)
        found[name] = (value, bool(leaks), gap)
    return found


def _information_value(n1: np.ndarray, a: np.ndarray, n: np.ndarray, m: np.ndarray) -> tuple[float, float]:
    """Information value of a trait's values (rows) within periods, less its mean by chance, and its p-value.

    With one period it is the usual sum over values of (share of winners - share of losers) x weight of
    evidence. With several, a value's winners are compared with those that its periods' win rates let expect.
    """
    there = n1.sum(axis=1) > 0
    n1, a = n1[there], a[there]
    winners, losers = m.sum(), (n - m).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(n > 0, m / n, 0.0)
        variance = np.where(n > 1, n1 * (n - n1) * m * (n - m) / (n**2 * (n - 1)), 0.0).sum(axis=1)
    size, won, expected = n1.sum(axis=1), a.sum(axis=1), (n1 * share).sum(axis=1)
    scale = 1 / winners + 1 / losers
    evidence = np.log((won + 0.5) / (size - won + 0.5)) - np.log((expected + 0.5) / (size - expected + 0.5))
    raw = float(((won - expected) * scale * evidence).sum())
    spread = (expected + 0.5) * (size - expected + 0.5) / (size + 1.0)
    chance = float((variance * scale / spread).sum())
    freedom = max(len(size) - 1, 0)
    if freedom == 0:
        return 0.0, 1.0
    return max(0.0, raw - chance), float(chi2.sf(max(raw, 0.0) / scale, freedom))
