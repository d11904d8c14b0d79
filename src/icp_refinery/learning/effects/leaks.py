"""Leaks: traits that seem to know who won, because they were filled in or changed after a sale."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import entr
from scipy.stats import chi2

from icp_refinery.learning.effects.counts import aligned, by_code, long_outcomes, observed
from icp_refinery.learning.periods import began_on
from icp_refinery.learning.traits import banded_traits, is_numeric

INFORMATION = 0.5  # information value of a trait, to be looked at
MISSINGNESS = 0.2  # information value of having a value, where winners have it more often
CERTAINTY = 0.5  # share of the uncertainty about the outcome that a whole trait takes away
LEVEL = 0.001  # of information beyond chance
LEAST_SUPPORT = 30  # pursuits with a value, for it to count on its own
COLUMNS = {
    "attribute": "object",
    "information_value": "float64",
    "missingness_information": "float64",
    "filled_share_won": "float64",
    "filled_share_lost": "float64",
    "certainty": "float64",
    "is_suspected": "bool",
    "note": "object",
}


def leak_verdicts(pursuits: pd.DataFrame, traits: pd.DataFrame) -> pd.DataFrame:
    """Say of every trait whether it is suspected to leak the outcome: the one verdict that effects, segments and scores share.

    `pursuits` and `traits` as `learn_segments` takes them. Winners are compared with losers within the quarters in which pursuits
    began: losses close later than wins, and a trait that changes over time would know that. One row per trait:
    `information_value` (of its levels, missing as one of them, less what chance gives), `missingness_information` (of its being
    missing), `filled_share_won` and `filled_share_lost` (share of won and of lost pursuits with a value), `certainty` (see
    there), `is_suspected` and `note`, which says why (empty where it is not). Without winners and losers nothing leaks.

    Suspected is what is filled in far more often for winners, or nearly settles who won, as a result under another
    name does and nothing that is known beforehand. An ideal customer that is very different is not suspected.
    """
    won = pursuits["is_won"].astype(bool).to_numpy()
    began = began_on(pursuits)
    quarter = (began.dt.year * 4 + began.dt.quarter).fillna(0).astype("int64").to_numpy()
    outcomes = pd.DataFrame({"account_id": pursuits["account_id"].to_numpy(), "period": quarter, "won": won.astype("float64")})
    return leak_verdicts_within(outcomes, traits)


def leak_verdicts_within(outcomes: pd.DataFrame, traits: pd.DataFrame) -> pd.DataFrame:
    """The same of `outcomes` (`account_id`, `period` and `won`, as `attribute_effects` takes them), compared within periods."""
    long = long_outcomes(outcomes)
    accounts, periods = np.sort(long["account_id"].unique()), np.sort(long["period"].unique())
    rows, period, success = observed(long, "won", accounts, periods)
    known = aligned(traits, accounts).iloc[rows]
    won = success == 1.0
    found = []
    for name, trait in banded_traits(known).items() if won.any() and not won.all() else []:
        n1, a = (by_code(trait.codes + 1, period, weights, len(trait.labels) + 1, len(periods)) for weights in (None, success))
        n, m = n1.sum(axis=0), a.sum(axis=0)
        # Values too rare to judge are one value, or a trait of many values would know it all.
        rare = (n1.sum(axis=1) < LEAST_SUPPORT) & (np.arange(len(n1)) > 0)
        value, value_p = _information_value(*(np.vstack([x[~rare], x[rare].sum(axis=0)]) for x in (n1, a)), n, m)
        gap, gap_p = _information_value(*(np.vstack([x[0], x[1:].sum(axis=0)]) for x in (n1, a)), n, m)
        filled = known[name].notna().to_numpy()
        filled_won, filled_lost = float(filled[won].mean()), float(filled[~won].mean())
        is_late = gap > MISSINGNESS and gap_p < LEVEL and filled_won > filled_lost
        settled = certainty(known[name], won) if is_late or (value > INFORMATION and value_p < LEVEL) else np.nan
        is_suspected = bool(is_late or settled > CERTAINTY)
        note = _note(value, gap, filled_won, filled_lost) if is_suspected else ""
        found.append((name, value, gap, filled_won, filled_lost, settled, is_suspected, note))
    if not found:
        found = [(name, *[np.nan] * 5, False, "") for name in known.columns]
    return pd.DataFrame(found, columns=list(COLUMNS)).astype(COLUMNS)


def suspected(leaks: pd.DataFrame) -> list[str]:
    """The attributes that are suspected."""
    return list(leaks.loc[leaks["is_suspected"].astype(bool), "attribute"])


def shared(leaks: pd.DataFrame, same: dict[str, str]) -> pd.DataFrame:
    """The verdicts where one trait goes by two names (a number, and its bands): what is suspected of one is of both."""
    other = leaks["attribute"].map(same | {band: number for number, band in same.items()})
    notes = leaks.set_index("attribute")["note"]
    note = leaks["note"].where(leaks["note"] != "", other.map(notes).fillna(""))
    return leaks.assign(is_suspected=note != "", note=note)


def certainty(trait: pd.Series, won: np.ndarray) -> float:
    """Share of the uncertainty about winning that a trait takes away (Theil's U): 0 tells nothing, 1 settles it.

    Unlike the information value it tells a strong trait from a result: half the accounts won at 0.7 and half
    at 0.1 have an information value of 1.9, but a certainty of 0.3 only. Numbers count by tenths, rare values together.
    NaN without winners and losers.
    """
    if not won.any() or won.all():
        return float("nan")
    missing = trait.isna().to_numpy()
    if is_numeric(trait):
        codes = pd.qcut(trait.astype("float64").rank(method="average"), 10, labels=False, duplicates="drop").to_numpy(copy=True)
    else:
        codes = pd.factorize(trait.astype(str))[0].astype("float64")
    codes = np.unique(np.where(missing, -1, codes), return_inverse=True)[1]
    rare = (np.bincount(codes) < LEAST_SUPPORT)[codes]
    codes = np.where(rare, codes.max() + 1, codes)
    count = np.bincount(codes)
    rate = np.bincount(codes, weights=won) / np.maximum(count, 1)
    left = (count / count.sum()) @ (entr(rate) + entr(1 - rate))
    return float(1 - left / (entr(won.mean()) + entr(1 - won.mean())))


def _note(value: float, gap: float, won: float, lost: float) -> str:
    if gap >= 0.5 * value:
        return f"filled in for {won:.0%} of won and {lost:.0%} of lost pursuits"
    return f"its values tell winners from losers too well (information value {value:.2f})"


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
