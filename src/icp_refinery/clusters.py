"""Groups of customers by what they bring, whether they stay and whether they grow; small enough for SQL to apply."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

MINIMUM_CUSTOMERS = 30
MINIMUM_SHARE = 0.03
KNOWN_SHARE = 0.2
# Hennig (2007) calls clusters that are found again to three quarters in resamples stable.
STABILITY_BAR = 0.75
# More clusters must have a clearly better silhouette; two say little more than "large" or "gone".
SILHOUETTE_SHARE = 0.9
FEWEST_CLUSTERS = 3
# A figure that varies less than this (log units, or shares) does not vary: rounding of money does as much.
LEAST_SPREAD = 0.01
LARGEST_SCALED = 3.0
DIGITS = 9
FIT_ROWS = 20_000
JUDGE_ROWS = 2_000
RESAMPLES = 60
STARTS = 10
RESAMPLE_STARTS = 5
ALL_CUSTOMERS = "all customers"
MOST = 0.5
LAPSED_MONTHS = 12


class Feature(NamedTuple):
    """A figure per customer: what it speaks of, how it is spread, and the SQL that computes it from `fct_customers`."""

    aspect: str
    transform: str
    sql: str


# An account that never had MRR buys by transaction: whether it stays shows in how recently it bought. A customer that
# had nothing to renew yet has lost nothing: one renewal is counted as made, so that few of them say little.
FEATURES = {
    "net_amount": Feature("revenue", "log", "net_amount"),
    "margin_amount": Feature("revenue", "log", "margin_amount"),
    "is_live": Feature("retention", "linear", "case when peak_mrr > 0 then case when current_mrr > 0 then 1.0 else 0.0 end end"),
    "renewal_rate": Feature(
        "retention", "linear", "case when peak_mrr > 0 then (renewals_made + 1.0) / (renewals_due + 1.0) end"
    ),
    "months_since_order": Feature(
        "retention",
        "log",
        "case when peak_mrr <= 0 then tenure_months - (12 * (year(last_order_at) - year(first_order_at))"
        " + month(last_order_at) - month(first_order_at)) end",
    ),
    "mrr_growth": Feature(
        "expansion",
        "log",
        "case when first_annual_contract_value > 0 then 12.0 * peak_mrr / first_annual_contract_value end",
    ),
    "expansion_count": Feature("expansion", "log", "case when peak_mrr > 0 then expansion_count end"),
    "repeat_orders": Feature("expansion", "log", "expansion_order_count"),
}

CENTRE_COLUMNS = [
    "cluster",
    "cluster_name",
    "feature",
    "transform",
    "unit",
    "middle",
    "spread",
    "centre",
    "customers",
    "note",
]


class ValueClusters(NamedTuple):
    """What `value_clusters` returns; see there."""

    assignments: pd.DataFrame
    centres: pd.DataFrame
    choice: pd.DataFrame


def value_clusters(customers: pd.DataFrame, *, seed: int = 0, max_clusters: int = 6) -> ValueClusters:
    """Cluster customers on revenue, retention and expansion; 1 is the most valuable cluster.

    Parameters
    ----------
    customers : one row per customer, the columns of `fct_customers`. Revenue is `margin_amount` where every
        customer has it, else `net_amount`.
    seed : of the starts and resamples.
    max_clusters : the most clusters to consider.

    Returns
    -------
    assignments : `account_id`, `cluster` (1, 2, ...), `cluster_name`; sorted by `account_id`.
    centres : `cluster` x `feature`: `cluster_name`, `transform` (`log` or `linear`), `unit`, `middle`, `spread`,
        `centre` (in scaled units), `customers` (of the sample that was fitted), `note`. All that assigning needs:

        raw      = the feature's `sql` in `FEATURES` (null = missing)
        shaped   = case transform when 'log' then sign(raw) * ln(1 + abs(raw) / unit) else raw end
        scaled   = case when raw is null then 0 else least(3, greatest(-3, (shaped - middle) / spread)) end
        distance = round(sum over features of (scaled - centre) * (scaled - centre), 9)

        (null is asked for first: least and greatest skip it). A customer's cluster is that of the least distance, of
        equal ones the lower number. Features that are not in the table do not count.
    choice : one row per number of clusters tried: `k`, `silhouette`, `stability` (mean adjusted Rand index of
        refits on bootstrap samples against the fit), `smallest_share`, `chosen`, `note`.

    Scaling: middle is the median and spread the interquartile range / 1.349 (`log`), or mean and standard
    deviation (`linear`, and where the quartiles coincide); spread is then widened by the square root of the
    number of features that speak of the same aspect, so that revenue, retention and expansion weigh alike.
    Of the numbers of clusters with a stability of at least 0.75 (Hennig 2007) and no cluster below 3 % (and 10)
    of the customers, the smallest from 3 on with at least 0.9 times the best silhouette is chosen; 2 where no
    other is left. Without any, or with fewer than 30 customers, all are one cluster.

    At most 20,000 customers, chosen by a hash of the id, are fitted. Same rows in any order, same result.

    Raises
    ------
    ValueError : a column is missing, or an account occurs twice.
    """
    frame = customers.assign(account_id=customers["account_id"].astype(str))
    frame = frame.sort_values("account_id", ignore_index=True)
    if frame["account_id"].duplicated().any():
        raise ValueError("customers have an account twice")
    features = customer_features(frame)
    revenue = "margin_amount" if features["margin_amount"].notna().all() else "net_amount"
    features = features.drop(columns="net_amount" if revenue == "margin_amount" else "margin_amount")
    if len(frame) < MINIMUM_CUSTOMERS:
        return _one_cluster(frame, f"not enough evidence: fewer than {MINIMUM_CUSTOMERS} customers")

    fitted = _hash_sample(frame["account_id"], FIT_ROWS)
    scaling = _scaling(features.iloc[fitted])
    if scaling.empty:
        return _one_cluster(frame, "not enough evidence: all customers are alike")
    points = _scaled(features.iloc[fitted], scaling)
    # Sums over threads differ in the last digits, so one thread; and more threads do not pay at this size.
    with threadpool_limits(limits=1):
        choice, fits = _choose(points, frame["account_id"].iloc[fitted], seed, max_clusters)
    if not choice["chosen"].any():
        return _one_cluster(frame, "not enough evidence: no number of clusters is stable", choice)

    k = int(choice.loc[choice["chosen"], "k"].iloc[0])
    centres = fits[k]
    first = _nearest(points, centres)
    worth = features[revenue].iloc[fitted].fillna(0.0).to_numpy()
    worths = [worth[first == number].mean() for number in range(k)]
    order = sorted(range(k), key=lambda number: (-round(worths[number], 6), tuple(centres[number])))
    centres = centres[order]
    sample = _nearest(points, centres)
    names = _names(frame.iloc[fitted], features.iloc[fitted], revenue, sample, k)
    table = _centre_table(scaling, centres, names, np.bincount(sample, minlength=k))
    return ValueClusters(assign_clusters(frame, table), table, choice)


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


def assign_clusters(customers: pd.DataFrame, centres: pd.DataFrame) -> pd.DataFrame:
    """Each customer's nearest centre, from the centres table alone: `account_id`, `cluster`, `cluster_name`.

    What SQL does with the same table; see `value_clusters` for both tables and the formula.
    """
    frame = customers.assign(account_id=customers["account_id"].astype(str))
    frame = frame.sort_values("account_id", ignore_index=True)
    ordered = centres.sort_values(["cluster", "feature"])
    scaling = ordered.drop_duplicates("feature").set_index("feature")[["transform", "unit", "middle", "spread"]]
    wide = ordered.pivot(index="cluster", columns="feature", values="centre")[list(scaling.index)]
    nearest = _nearest(_scaled(customer_features(frame), scaling), wide.to_numpy(dtype="float64"))
    cluster = wide.index.to_numpy()[nearest] if len(frame) else np.zeros(0, dtype="int64")
    names = ordered.drop_duplicates("cluster").set_index("cluster")["cluster_name"]
    return pd.DataFrame(
        {
            "account_id": frame["account_id"],
            "cluster": cluster.astype("int64"),
            "cluster_name": names.reindex(cluster).to_numpy(dtype=object),
        }
    )


# Scaling ----------------------------------------------------------------------------------------------------


def _hash_sample(account_ids: pd.Series, rows: int) -> np.ndarray:
    """Positions of at most `rows` accounts: those of the smallest hashes, so that new accounts change few."""
    if len(account_ids) <= rows:
        return np.arange(len(account_ids))
    hashes = pd.util.hash_array(account_ids.to_numpy(dtype=object))
    return np.sort(np.lexsort((np.arange(len(hashes)), hashes))[:rows])


def _shaped(raw: np.ndarray, transform: str, unit: float) -> np.ndarray:
    return np.sign(raw) * np.log(1 + np.abs(raw) / unit) if transform == "log" else raw


def _scaling(features: pd.DataFrame) -> pd.DataFrame:
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
        # Quartiles that (nearly) coincide say nothing of the customers outside them.
        if feature.transform == "linear" or spread < shaped.std() / 4:
            middle, spread = shaped.mean(), shaped.std()
        if spread < LEAST_SPREAD:
            continue
        rows.append((name, feature.transform, unit, middle, spread, feature.aspect))
    table = pd.DataFrame(rows, columns=["feature", "transform", "unit", "middle", "spread", "aspect"])
    table["spread"] *= np.sqrt(table.groupby("aspect")["feature"].transform("size"))
    table[["middle", "spread"]] = table[["middle", "spread"]].astype("float64").round(DIGITS)
    return table.set_index("feature")[["transform", "unit", "middle", "spread"]]


def _scaled(features: pd.DataFrame, scaling: pd.DataFrame) -> np.ndarray:
    """Customers x features, as SQL scales them; missing is 0, the middle."""
    columns = []
    for name, (transform, unit, middle, spread) in zip(scaling.index, scaling.itertuples(index=False), strict=True):
        scaled = (_shaped(features[name].to_numpy(dtype="float64"), transform, unit) - middle) / spread
        columns.append(np.nan_to_num(np.clip(scaled, -LARGEST_SCALED, LARGEST_SCALED), nan=0.0))
    return np.column_stack(columns)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Position of the nearest centre, of equal ones the first."""
    distances = np.column_stack([((points - centre) ** 2).sum(axis=1) for centre in centres])
    return np.round(distances, DIGITS).argmin(axis=1)


# Number of clusters -----------------------------------------------------------------------------------------


def _fit(points: np.ndarray, k: int, seed: int, starts: int) -> np.ndarray:
    return KMeans(k, n_init=starts, random_state=seed, algorithm="lloyd").fit(points).cluster_centers_


def _choose(
    points: np.ndarray, account_ids: pd.Series, seed: int, max_clusters: int
) -> tuple[pd.DataFrame, dict[int, np.ndarray]]:
    """Silhouette and stability of each number of clusters, and its centres."""
    judged = points[_hash_sample(account_ids, JUDGE_ROWS)]
    distinct = len(np.unique(np.round(judged, DIGITS), axis=0))
    random = np.random.default_rng(seed)
    draws = [random.integers(0, len(judged), len(judged)) for _ in range(RESAMPLES)]
    rows, fits = [], {}
    for k in range(2, min(max_clusters, distinct - 1) + 1):
        fits[k] = np.round(_fit(points, k, seed, STARTS), DIGITS)
        labels = _nearest(judged, fits[k])
        agreement = [
            adjusted_rand_score(labels, _nearest(judged, _fit(judged[draw], k, seed, RESAMPLE_STARTS)))
            for draw in draws
            if len(np.unique(judged[draw], axis=0)) >= k
        ]
        sizes = np.bincount(_nearest(points, fits[k]), minlength=k)
        silhouette = silhouette_score(judged, labels) if len(np.unique(labels)) > 1 else -1.0
        rows.append((k, silhouette, float(np.mean(agreement)), sizes.min() / len(points), int(sizes.min())))
    choice = pd.DataFrame(rows, columns=["k", "silhouette", "stability", "smallest_share", "smallest"])
    choice[["silhouette", "stability"]] = choice[["silhouette", "stability"]].round(DIGITS)
    unstable = choice["stability"] < STABILITY_BAR
    small = (choice["smallest_share"] < MINIMUM_SHARE) | (choice["smallest"] < 10)
    usable = ~unstable & ~small
    several = usable & (choice["k"] >= FEWEST_CLUSTERS)
    usable = several if several.any() else usable
    silhouettes = choice["silhouette"].where(usable)
    near_best = silhouettes >= SILHOUETTE_SHARE * silhouettes.max()
    choice["chosen"] = near_best & (choice.index == (near_best.idxmax() if near_best.any() else -1))
    choice["note"] = np.select(
        [choice["chosen"], unstable, small, ~usable, near_best],
        ["chosen", "not stable", "a cluster is too small", "coarse", "no clearly better silhouette for more"],
        "lower silhouette",
    )
    return choice.drop(columns="smallest"), fits


# Tables -----------------------------------------------------------------------------------------------------


def _centre_table(scaling: pd.DataFrame, centres: np.ndarray, names: list[str], sizes: np.ndarray) -> pd.DataFrame:
    rows = [
        (number + 1, names[number], feature, *scaling.loc[feature], centres[number, place], int(sizes[number]), "")
        for number in range(len(centres))
        for place, feature in enumerate(scaling.index)
    ]
    return pd.DataFrame(rows, columns=CENTRE_COLUMNS).sort_values(["cluster", "feature"], ignore_index=True)


def _one_cluster(frame: pd.DataFrame, note: str, choice: pd.DataFrame | None = None) -> ValueClusters:
    row = (1, ALL_CUSTOMERS, "net_amount", "linear", 1.0, 0.0, 1.0, 0.0, len(frame), note)
    centres = pd.DataFrame([row], columns=CENTRE_COLUMNS)
    one = pd.DataFrame(
        [(1, np.nan, np.nan, 1.0, True, note)],
        columns=["k", "silhouette", "stability", "smallest_share", "chosen", "note"],
    )
    whole = one if choice is None or choice.empty else pd.concat([one, choice], ignore_index=True)
    assignments = pd.DataFrame({"account_id": frame["account_id"], "cluster": 1, "cluster_name": ALL_CUSTOMERS})
    return ValueClusters(assignments.astype({"cluster": "int64"}), centres, whole)


def _names(customers: pd.DataFrame, features: pd.DataFrame, revenue: str, cluster: np.ndarray, k: int) -> list[str]:
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
