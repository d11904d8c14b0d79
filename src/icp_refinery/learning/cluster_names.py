"""What marks each cluster of customers, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd

MOST = 0.5
LAPSED_MONTHS = 12


def cluster_names(customers: pd.DataFrame, features: pd.DataFrame, revenue: str, cluster: np.ndarray, k: int) -> list[str]:
    """What marks each cluster, in words; clusters of one name are told apart by their value."""
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
    unique = []
    for number, name in enumerate(names):
        same = [other for other in range(k) if names[other] == name]
        sizes = {1: [""], 2: ["larger ", "smaller "], 3: ["larger ", "mid-size ", "smaller "]}.get(len(same))
        place = same.index(number)
        unique.append(f"{sizes[place]}{name}" if sizes else f"{name} {place + 1}")
    return unique


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
