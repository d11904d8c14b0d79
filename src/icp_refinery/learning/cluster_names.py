"""What marks each cluster of customers, in words."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pandas as pd

MOST = 0.5
LEAST_T = 2.6  # of a difference that clusters are named for: its 99 % interval leaves out 0
FIGURES = {
    "net_amount": ("{:,.0f} each", 1),
    "margin_amount": ("margin of {:,.0f} each", 1),
    "is_live": ("{:.0f} % live", 100),
    "renewal_rate": ("renew {:.0f} %", 100),
    "months_since_order": ("last order {:.0f} months ago", 1),
    "mrr_growth": ("grown {:.1f} times", 1),
    "expansion_count": ("{:.1f} expansions", 1),
    "repeat_orders": ("{:.1f} further orders", 1),
}
LAPSED_MONTHS = 12


def cluster_names(customers: pd.DataFrame, features: pd.DataFrame, revenue: str, cluster: np.ndarray, k: int) -> list[str]:
    """What marks each cluster, in words; clusters of one name are told apart by size or a figure (None: by nothing)."""
    profile = pd.DataFrame(
        {
            "by_contract": features["is_live"].notna(),
            "live": features["is_live"],
            "never_renewed": (pd.to_numeric(customers["renewals_made"]) == 0),
            "grown": (features["expansion_count"].fillna(0) > 0) | (features["repeat_orders"] > 0),
            "multi_year": customers["is_first_order_multi_year"].fillna(False).astype(bool),
            "one_time": features["repeat_orders"] == 0,
            "lapsed": features["months_since_order"] >= LAPSED_MONTHS,
            "frequent": features["repeat_orders"] > features["repeat_orders"].median(),
            "worth": features[revenue],
        }
    )
    # The share of customers that have the mark (of worth: the mean); a mark holds where most have it.
    profile = profile.astype("float64")
    shares = profile.groupby(cluster).mean().reindex(range(k))
    # What customers at large have rather more often marks none of them.
    for mark in ("grown", "multi_year"):
        shares[mark] = shares[mark].where(shares[mark] >= profile[mark].mean(), 0.0)
    names = [_name(share) for share in shares.to_dict("records")]
    told = list(names)
    for name in set(names):
        same = [number for number in range(k) if names[number] == name]
        if len(same) > 1:
            apart = _told_apart(name, same, features, revenue, cluster)
            if apart is None:
                return None
            for number, own in zip(same, apart, strict=True):
                told[number] = own
    return told


def _told_apart(name: str, same: list[int], features: pd.DataFrame, revenue: str, cluster: np.ndarray) -> list[str] | None:
    """Names for clusters that share one: by size, if each next is smaller beyond chance, else by what differs most."""
    sizes = {2: ["larger", "smaller"], 3: ["larger", "mid-size", "smaller"]}.get(len(same))
    worth = [features[revenue].to_numpy(dtype=float)[cluster == number] for number in same]
    if sizes and all(_difference(*pair) >= LEAST_T for pair in pairwise(worth)):
        return [f"{size} {name}" for size in sizes]
    apart = {}
    for feature in features:
        parts = [features[feature].to_numpy(dtype=float)[cluster == number] for number in same]
        apart[feature] = min(abs(_difference(*pair)) for pair in combinations(parts, 2))
    best = max(apart, key=apart.__getitem__)
    if apart[best] < LEAST_T:
        return None
    figures = [np.nanmean(features[best].to_numpy(dtype=float)[cluster == number]) for number in same]
    text, scale = FIGURES[best]
    return [f"{name}, {text.format(scale * figure)}" for figure in figures]


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Welch's t of the means; 0 where a side is too small or unknown, or nothing varies and nothing differs."""
    one, other = one[np.isfinite(one)], other[np.isfinite(other)]
    if min(len(one), len(other)) < 2:
        return 0.0
    gap = round(one.mean() - other.mean(), 9)
    error = np.sqrt(one.var(ddof=1) / len(one) + other.var(ddof=1) / len(other))
    return gap / max(float(error), 1e-12)


def _name(share: dict[str, float]) -> str:
    if share["by_contract"] >= MOST:
        if share["live"] < MOST:
            return "churned early" if share["never_renewed"] >= MOST else "churned after renewing"
        kind = "expanders" if share["grown"] >= MOST else "steady subscribers"
        kind = f"multi-year {kind}" if share["multi_year"] >= MOST else kind
    elif share["one_time"] >= MOST:
        kind = "one-time buyers"
    elif share["lapsed"] >= MOST:
        kind = "lapsed buyers"
    else:
        kind = "frequent buyers" if share["frequent"] >= MOST else "occasional buyers"
    return f"{kind} at a loss" if share["worth"] < 0 else kind
