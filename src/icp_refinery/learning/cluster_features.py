"""What customers are clustered by: figures of revenue, retention and expansion, and their scaling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

MINIMUM_CUSTOMERS = 30
KNOWN_SHARE = 0.2
# A figure that varies less than this (log units, or shares) does not vary: rounding of money does as much.
LEAST_SPREAD = 0.01
LARGEST_SCALED = 3.0
DIGITS = 9


class Feature(NamedTuple):
    """A figure per customer: what it speaks of, and how it is spread."""

    aspect: str
    transform: str


# An account that never had MRR buys by transaction: whether it stays shows in how recently it bought. A customer that
# had nothing to renew yet has lost nothing: one renewal is counted as made, so that few of them say little.
FEATURES = {
    "net_amount": Feature("revenue", "log"),
    "margin_amount": Feature("revenue", "log"),
    "is_live": Feature("retention", "linear"),
    "renewal_rate": Feature("retention", "linear"),
    "months_since_order": Feature("retention", "log"),
    "mrr_growth": Feature("expansion", "log"),
    "expansion_count": Feature("expansion", "log"),
    "repeat_orders": Feature("expansion", "log"),
}


def customer_features(customers: pd.DataFrame) -> pd.DataFrame:
    """The features of `FEATURES`, one column each (missing = NaN), in the row order of `customers`.

    Raises ValueError where a column of `fct_customers` is missing.
    """
    needed = [
        "net_amount",
        "margin_amount",
        "current_mrr",
        "peak_mrr",
        "renewals_due",
        "renewals_made",
        "expansion_count",
        "expansion_order_count",
        "first_annual_contract_value",
        "tenure_months",
    ]
    if absent := [name for name in (*needed, "first_order_at", "last_order_at") if name not in customers]:
        raise ValueError(f"customers lack the column {absent[0]}")
    number = {name: pd.to_numeric(customers[name]).astype("float64") for name in needed}
    first, last = (pd.to_datetime(customers[name]) for name in ("first_order_at", "last_order_at"))
    contract = number["peak_mrr"] > 0
    between = 12 * (last.dt.year - first.dt.year) + last.dt.month - first.dt.month
    start = number["first_annual_contract_value"]
    return pd.DataFrame(
        {
            "net_amount": number["net_amount"],
            "margin_amount": number["margin_amount"],
            "is_live": (number["current_mrr"] > 0).astype("float64").where(contract),
            "renewal_rate": ((number["renewals_made"] + 1.0) / (number["renewals_due"] + 1.0)).where(contract),
            "months_since_order": (number["tenure_months"] - between).where(number["peak_mrr"] <= 0),
            "mrr_growth": 12.0 * number["peak_mrr"] / start.where(start > 0),
            "expansion_count": number["expansion_count"].where(contract),
            "repeat_orders": number["expansion_order_count"],
        }
    )


def _shaped(raw: np.ndarray, transform: str, unit: float) -> np.ndarray:
    return np.sign(raw) * np.log(1 + np.abs(raw) / unit) if transform == "log" else raw


def scaling_of(features: pd.DataFrame) -> pd.DataFrame:
    """Transform, unit, middle and spread of the features that are known often enough and vary."""
    rows = []
    for name in features.columns:
        feature = FEATURES[name]
        raw = features[name].to_numpy()
        known = raw[np.isfinite(raw)]
        if len(known) < max(MINIMUM_CUSTOMERS, KNOWN_SHARE * len(raw)):
            continue
        unit = 1.0
        if feature.aspect == "revenue":
            unit = round(float(np.median(np.abs(known))) / 10, DIGITS) or 1.0
        shaped = _shaped(known, feature.transform, unit)
        low, middle, high = np.quantile(shaped, [0.25, 0.5, 0.75])
        spread = (high - low) / 1.349
        if feature.transform == "linear":
            middle, spread = shaped.mean(), shaped.std()
        # Quartiles that (nearly) coincide say nothing of the customers outside them. A bound, not another measure: a month more
        # must not change the scale at a stroke.
        spread = max(spread, shaped.std() / 4)
        if spread < LEAST_SPREAD:
            continue
        rows.append((name, feature.transform, unit, middle, spread, feature.aspect))
    table = pd.DataFrame(rows, columns=["feature", "transform", "unit", "middle", "spread", "aspect"])
    table["spread"] *= np.sqrt(table.groupby("aspect")["feature"].transform("size"))
    table[["middle", "spread"]] = table[["middle", "spread"]].astype("float64").round(DIGITS)
    return table.set_index("feature")[["transform", "unit", "middle", "spread"]]


def scaled(features: pd.DataFrame, scaling: pd.DataFrame) -> np.ndarray:
    """Customers x features, as SQL scales them; missing is 0, the middle."""
    columns = []
    for name, (transform, unit, middle, spread) in zip(scaling.index, scaling.itertuples(index=False), strict=True):
        scaled = (_shaped(features[name].to_numpy(dtype="float64"), transform, unit) - middle) / spread
        columns.append(np.nan_to_num(np.clip(scaled, -LARGEST_SCALED, LARGEST_SCALED), nan=0.0))
    return np.column_stack(columns)
