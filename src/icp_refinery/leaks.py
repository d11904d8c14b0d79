"""Leaks: traits that seem to know who won, because they were filled in or changed after a sale."""

from __future__ import annotations

import pandas as pd

from icp_refinery.effects import leaking_traits

LEFT_OUT_MISSINGNESS = 0.2  # information value of having a value, where winners have it more often
LEFT_OUT_VALUES = 1.5  # information value of a whole trait

COLUMNS = {
    "attribute": "object",
    "filled_share_won": "float64",
    "filled_share_lost": "float64",
    "missingness_information": "float64",
    "information_value": "float64",
    "is_leak": "bool",
    "is_left_out": "bool",
    "reason": "object",
}


def leak_flags(pursuits: pd.DataFrame, traits: pd.DataFrame) -> pd.DataFrame:
    """Say of every trait whether it leaks the outcome, and why, as `icp_attribute_effects` flags it.

    `pursuits` and `traits` as `learn_segments` takes them. Information values compare winners with losers within
    quarters. Returns one row per trait: `attribute`, `filled_share_won` and `filled_share_lost` (share of won and of
    lost pursuits with a value), `missingness_information`, `information_value`, `is_leak` (the flag), `is_left_out`
    (no segment is made from it) and `reason` (empty where it is not flagged). Without winners and losers nothing leaks.

    Fewer traits are left out than flagged: an ideal customer that is very different looks like a leak too, and a flag can be
    read where a trait that was taken away cannot. What is left out is filled in far more often for winners, or
    tells them apart better than what is known beforehand ever does.
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
    flags["is_left_out"] = flags["is_leak"] & (late | (flags["information_value"] > LEFT_OUT_VALUES))
    flags["reason"] = [_reason(row) if row.is_leak else "" for row in flags.itertuples()]
    return flags[list(COLUMNS)].astype(COLUMNS)


def _reason(row: object) -> str:
    won, lost = row.filled_share_won, row.filled_share_lost
    if row.missingness_information >= 0.5 * row.information_value:
        return f"filled in for {won:.0%} of won and {lost:.0%} of lost pursuits"
    return f"its values tell winners from losers too well (information value {row.information_value:.2f})"
