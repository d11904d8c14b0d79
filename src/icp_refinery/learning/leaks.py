"""Leaks: traits that seem to know who won, because they were filled in or changed after a sale."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import entr

from icp_refinery.learning.effects.information import leaking_traits
from icp_refinery.learning.traits import is_numeric

LEFT_OUT_MISSINGNESS = 0.2  # information value of having a value, where winners have it more often
LEFT_OUT_CERTAINTY = 0.5  # share of the uncertainty about the outcome that a whole trait takes away
LEAST_SUPPORT = 30  # pursuits with a value, for it to count on its own
COLUMNS = {
    "attribute": "object",
    "filled_share_won": "float64",
    "filled_share_lost": "float64",
    "missingness_information": "float64",
    "information_value": "float64",
    "certainty": "float64",
    "is_leak": "bool",
    "is_left_out": "bool",
    "reason": "object",
}


def leak_flags(pursuits: pd.DataFrame, traits: pd.DataFrame) -> pd.DataFrame:
    """Say of every trait whether it leaks the outcome, and why, as `icp_attribute_effects` flags it.

    `pursuits` and `traits` as `learn_segments` takes them. Information values compare winners with losers within
    quarters. Returns one row per trait: `attribute`, `filled_share_won` and `filled_share_lost` (share of won and of
    lost pursuits with a value), `missingness_information`, `information_value`, `certainty` (see `certainty`), `is_leak` (the
    flag), `is_left_out` (no segment is made from it) and `reason` (empty where it is not flagged). Without winners and
    losers nothing leaks.

    Fewer traits are left out than flagged: an ideal customer that is very different looks like a leak too, and a flag can be
    read where a trait that was taken away cannot. What is left out is filled in far more often for winners, or
    nearly settles who won, as a result under another name does and nothing that is known beforehand.
    """
    won = pursuits["is_won"].astype(bool).to_numpy()
    flags = pd.DataFrame({"attribute": sorted(traits.columns)})
    if won.any() and not won.all() and len(traits.columns):
        began = pd.to_datetime(pursuits["began_on"]).fillna(pd.to_datetime(pursuits["closed_on"]))
        quarter = (began.dt.year * 4 + began.dt.quarter).fillna(0).astype("int64")
        outcomes = pd.DataFrame(
            {
                "account_id": pursuits["account_id"].to_numpy(),
                "period": quarter.to_numpy(),
                "won": won.astype("float64"),
            }
        )
        flags = flags.merge(leaking_traits(outcomes, traits), on="attribute", how="left")
    else:
        flags = flags.assign(information_value=float("nan"), missingness_information=float("nan"), is_leak=False)
    flags["is_leak"] = flags["is_leak"].eq(True)
    filled = traits.reindex(pursuits["account_id"]).notna()
    for name, chosen in (("filled_share_won", won), ("filled_share_lost", ~won)):
        flags[name] = flags["attribute"].map(filled[chosen].mean()).astype("float64")
    late = (flags["missingness_information"] > LEFT_OUT_MISSINGNESS) & (flags["filled_share_won"] > flags["filled_share_lost"])
    known = {name: certainty(traits[name].reindex(pursuits["account_id"]), won) for name in flags["attribute"]}
    flags["certainty"] = flags["attribute"].map(known).astype("float64")
    flags["is_left_out"] = flags["is_leak"] & (late | (flags["certainty"] > LEFT_OUT_CERTAINTY))
    flags["reason"] = [_reason(row) if row.is_leak else "" for row in flags.itertuples()]
    return flags[list(COLUMNS)].astype(COLUMNS)


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


def _reason(row: object) -> str:
    won, lost = row.filled_share_won, row.filled_share_lost
    if row.missingness_information >= 0.5 * row.information_value:
        return f"filled in for {won:.0%} of won and {lost:.0%} of lost pursuits"
    return f"its values tell winners from losers too well (information value {row.information_value:.2f})"
