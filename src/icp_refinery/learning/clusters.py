"""Groups of customers by what they bring, whether they stay and whether they grow; small enough for SQL to apply."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits

from icp_refinery.learning.cluster_features import DIGITS, MINIMUM_CUSTOMERS, customer_features, scaled, scaling_of
from icp_refinery.learning.cluster_names import cluster_names

MINIMUM_SHARE = 0.03
# Hennig (2007) calls clusters that are found again to three quarters in resamples stable.
STABILITY_BAR = 0.75
# More clusters must have a clearly better silhouette; two say little more than "large" or "gone".
SILHOUETTE_SHARE = 0.9
FEWEST_CLUSTERS = 3
FIT_ROWS = 20_000
JUDGE_ROWS = 2_000
RESAMPLES = 60
STARTS = 10
RESAMPLE_STARTS = 5
ONE_FIGURE = 0.9  # of what separates the clusters
EVEN_DRAWS = 19
EVEN_MARGIN = 0.03  # dates come in whole months, which makes an even spread look a little clearer
ALL_CUSTOMERS = "all customers"
# Named, because a frame without rows or with one value only would lose them.
CENTRE_TYPES = {
    "cluster": "int64",
    "cluster_name": "str",
    "feature": "str",
    "transform": "str",
    "unit": "float64",
    "middle": "float64",
    "spread": "float64",
    "centre": "float64",
    "customers": "int64",
    "note": "str",
}


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

    Scaling: middle is the median and spread the interquartile range / 1.349, at least a quarter of the standard deviation
    (`log`), or mean and standard deviation (`linear`); spread is then widened by the square root of the
    number of features that speak of the same aspect, so that revenue, retention and expansion weigh alike.
    Of the numbers of clusters with a stability of at least 0.75 (Hennig 2007) and no cluster below 3 % (and 10)
    of the customers, the smallest from 3 on with at least 0.9 times the best silhouette is chosen; 2 where no
    other is left. Then the next smaller one, where clusters are slices of one evenly spread figure, or no figure tells those
    of one name apart. Without any, or with fewer than 30 customers, all are one cluster.

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
    scaling = scaling_of(features.iloc[fitted])
    if scaling.empty:
        return _one_cluster(frame, "not enough evidence: all customers are alike")
    points = scaled(features.iloc[fitted], scaling)

    # Sums over threads differ in the last digits, so one thread; and more threads do not pay at this size.
    with threadpool_limits(limits=1):
        choice, fits = _choose(points, frame["account_id"].iloc[fitted], seed, max_clusters)
    if not choice["chosen"].any():
        return _one_cluster(frame, "not enough evidence: no number of clusters is stable", choice)

    chosen = int(choice.loc[choice["chosen"], "k"].iloc[0])
    usable = choice.loc[~choice["note"].isin(["not stable", "a cluster is too small"]), "k"]
    worth = features[revenue].iloc[fitted].fillna(0.0).to_numpy()
    tenure = frame["tenure_months"].iloc[fitted].to_numpy(dtype=float)
    for k in [chosen, *sorted(usable[usable < chosen], reverse=True)]:
        centres = fits[k]
        if _is_one_even_figure(points, centres, tenure, seed):
            choice.loc[choice["k"] == k, "note"] = "one figure, evenly spread or by when customers began"
            continue
        first = _nearest(points, centres)
        worths = [worth[first == number].mean() for number in range(k)]
        order = sorted(range(k), key=lambda number: (-round(worths[number], 6), tuple(centres[number])))
        centres = centres[order]
        sample = _nearest(points, centres)
        names = cluster_names(frame.iloc[fitted], features.iloc[fitted], revenue, sample, k)
        if names is None:
            choice.loc[choice["k"] == k, "note"] = "clusters that no figure tells apart"
            continue
        choice["chosen"] = choice["k"] == k
        choice.loc[choice["chosen"], "note"] = "chosen"
        table = _centre_table(scaling, centres, names, np.bincount(sample, minlength=k))
        return ValueClusters(assign_clusters(frame, table), table, choice)
    note = "not enough evidence: customers differ in one figure only, evenly or by when they began, or in none beyond chance"
    return _one_cluster(frame, note, choice.assign(chosen=False))


def assign_clusters(customers: pd.DataFrame, centres: pd.DataFrame) -> pd.DataFrame:
    """Each customer's nearest centre, from the centres table alone: `account_id`, `cluster`, `cluster_name`.

    What SQL does with the same table; see `value_clusters` for both tables and the formula.
    """
    frame = customers.assign(account_id=customers["account_id"].astype(str))
    frame = frame.sort_values("account_id", ignore_index=True)
    ordered = centres.sort_values(["cluster", "feature"])
    scaling = ordered.drop_duplicates("feature").set_index("feature")[["transform", "unit", "middle", "spread"]]
    wide = ordered.pivot(index="cluster", columns="feature", values="centre")[list(scaling.index)]
    nearest = _nearest(scaled(customer_features(frame), scaling), wide.to_numpy(dtype="float64"))
    cluster = wide.index.to_numpy()[nearest] if len(frame) else np.zeros(0, dtype="int64")
    names = ordered.drop_duplicates("cluster").set_index("cluster")["cluster_name"]
    return pd.DataFrame(
        {
            "account_id": frame["account_id"],
            "cluster": cluster.astype("int64"),
            "cluster_name": names.reindex(cluster).to_numpy(dtype=object),
        }
    )


def _hash_sample(account_ids: pd.Series, rows: int) -> np.ndarray:
    """Positions of at most `rows` accounts: those of the smallest hashes, so that new accounts change few."""
    if len(account_ids) <= rows:
        return np.arange(len(account_ids))
    hashes = pd.util.hash_array(account_ids.to_numpy(dtype=object))
    return np.sort(np.lexsort((np.arange(len(hashes)), hashes))[:rows])


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Position of the nearest centre, of equal ones the first."""
    distances = np.column_stack([((points - centre) ** 2).sum(axis=1) for centre in centres])
    return np.round(distances, DIGITS).argmin(axis=1)


def _fit(points: np.ndarray, k: int, seed: int, starts: int) -> np.ndarray:
    return KMeans(k, n_init=starts, random_state=seed, algorithm="lloyd").fit(points).cluster_centers_


def _choose(
    points: np.ndarray, account_ids: pd.Series, seed: int, max_clusters: int
) -> tuple[pd.DataFrame, dict[int, np.ndarray]]:
    """Silhouette and stability of each number of clusters, and its centres."""
    judged = points[_hash_sample(account_ids, JUDGE_ROWS)]
    distinct = len(np.unique(np.round(judged, DIGITS), axis=0))
    alike = np.unique(judged, axis=0, return_inverse=True)[1]
    random = np.random.default_rng(seed)
    draws = [random.integers(0, len(judged), len(judged)) for _ in range(RESAMPLES)]
    rows, fits = [], {}
    for k in range(2, min(max_clusters, distinct - 1) + 1):
        fits[k] = np.round(_fit(points, k, seed, STARTS), DIGITS)
        labels = _nearest(judged, fits[k])
        agreement = [
            adjusted_rand_score(labels, _nearest(judged, _fit(judged[draw], k, seed, RESAMPLE_STARTS)))
            for draw in draws
            if len(np.unique(alike[draw])) >= k
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


def _is_one_even_figure(points: np.ndarray, centres: np.ndarray, tenure: np.ndarray, seed: int) -> bool:
    """Whether clusters are slices of one figure that is spread evenly, or follows from when customers began: any cut is as good.

    So it is where nearly all that separates the clusters is one figure, and either customers of one tenure hardly differ in it,
    or its own silhouette is not above those of as many customers who are spread evenly over its range.
    """
    count = np.bincount(_nearest(points, centres), minlength=len(centres))
    between = (count[:, None] * (centres - (count @ centres) / count.sum()) ** 2).sum(axis=0)
    if between.max() < ONE_FIGURE * between.sum():
        return False
    whole = pd.Series(points[:, between.argmax()])
    if whole.groupby(tenure).transform("mean").var() >= ONE_FIGURE * whole.var():
        return True
    figure = whole.to_numpy()[:JUDGE_ROWS, None]
    random = np.random.default_rng(seed)
    even = [random.uniform(*np.quantile(figure, [0.01, 0.99]), figure.shape) for _ in range(EVEN_DRAWS)]

    def silhouette(values: np.ndarray) -> float:
        with threadpool_limits(limits=1):
            labels = _nearest(values, _fit(values, len(centres), seed, RESAMPLE_STARTS))
        return silhouette_score(values, labels) if len(np.unique(labels)) > 1 else -1.0

    return silhouette(figure) <= max(silhouette(values) for values in even) + EVEN_MARGIN


def _centre_table(scaling: pd.DataFrame, centres: np.ndarray, names: list[str], sizes: np.ndarray) -> pd.DataFrame:
    rows = [
        (number + 1, names[number], feature, *scaling.loc[feature], centres[number, place], int(sizes[number]), "")
        for number in range(len(centres))
        for place, feature in enumerate(scaling.index)
    ]
    return pd.DataFrame(rows, columns=list(CENTRE_TYPES)).sort_values(["cluster", "feature"], ignore_index=True)


def _one_cluster(frame: pd.DataFrame, note: str, choice: pd.DataFrame | None = None) -> ValueClusters:
    row = (1, ALL_CUSTOMERS, "net_amount", "linear", 1.0, 0.0, 1.0, 0.0, len(frame), note)
    centres = pd.DataFrame([row], columns=list(CENTRE_TYPES))
    one = pd.DataFrame(
        [(1, np.nan, np.nan, 1.0, True, note)],
        columns=["k", "silhouette", "stability", "smallest_share", "chosen", "note"],
    )
    whole = one if choice is None or choice.empty else pd.concat([one, choice], ignore_index=True)
    assignments = pd.DataFrame({"account_id": frame["account_id"], "cluster": 1, "cluster_name": ALL_CUSTOMERS})
    return ValueClusters(assignments.astype({"cluster": "int64"}), centres, whole)


def as_table(learned: ValueClusters) -> pd.DataFrame:
    """The centres, each row with `choice`: every number of clusters that was tried, a JSON array."""
    # Through Python's own types: JSON knows no NaN.
    choice = learned.choice.astype(object).where(learned.choice.notna(), None)
    return learned.centres.assign(choice=json.dumps(choice.to_dict("records"))).astype(CENTRE_TYPES | {"choice": "str"})
