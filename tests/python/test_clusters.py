"""Value clusters: found where they are planted, the same whatever the order, and SQL assigns the same."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from icp_refinery.learning.cluster_features import customer_features
from icp_refinery.learning.clusters import ALL_CUSTOMERS, ValueClusters, assign_clusters, value_clusters
from icp_refinery.studies.effects import simulate_customers, study_clusters


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return simulate_customers(400, 36, 0)[0](36)


@pytest.fixture(scope="module")
def clustered(customers: pd.DataFrame) -> ValueClusters:
    return value_clusters(customers)


@pytest.fixture(scope="module")
def buyers() -> pd.DataFrame:
    """A business without contracts: 60 bought once, 80 have not come back for long, 100 buy every month."""
    random = np.random.default_rng(0)
    orders = np.repeat([1, 4, 20], [60, 80, 100]) + np.r_[np.zeros(60, int), random.integers(0, 3, 180)]
    silent = np.r_[random.integers(3, 30, 60), random.integers(14, 24, 80), random.integers(0, 2, 100)]
    tenure = np.where(orders == 1, silent, 30)
    last = pd.Timestamp("2025-06-15").to_period("M") - silent
    first = pd.Timestamp("2025-06-15").to_period("M") - tenure
    return pd.DataFrame(
        {
            "account_id": [f"b{number:04d}" for number in range(240)],
            "net_amount": orders * random.lognormal(6, 0.4, 240),
            "margin_amount": np.nan,
            "current_mrr": 0.0,
            "peak_mrr": 0.0,
            "first_annual_contract_value": 0.0,
            "renewals_due": 0,
            "renewals_made": 0,
            "expansion_count": 0,
            "expansion_order_count": orders - 1,
            "is_first_order_multi_year": None,
            "tenure_months": tenure,
            "first_order_at": pd.PeriodIndex(first, freq="M").to_timestamp(),
            "last_order_at": pd.PeriodIndex(last, freq="M").to_timestamp(),
        }
    )


def _in_sql(customers: pd.DataFrame, centres: pd.DataFrame) -> pd.DataFrame:
    """The docstring's formula, in SQL."""
    features = customer_features(customers).assign(account_id=customers["account_id"])
    with duckdb.connect() as connection:
        connection.register("long", features.melt("account_id", var_name="feature", value_name="raw"))
        connection.register("centres", centres)
        return connection.sql("""
            with shaped as (
                select long.account_id, centres.cluster, centres.cluster_name, centres.centre,
                    (case transform when 'log' then sign(raw) * ln(1 + abs(raw) / unit) else raw end - middle) / spread as scaled
                from long inner join centres on long.feature = centres.feature
            ),
            distances as (
                select account_id, cluster, cluster_name,
                    round(sum(power(case when scaled is null then 0 else least(3, greatest(-3, scaled)) end - centre, 2)), 9)
                    as distance
                from shaped group by all
            )
            select account_id, cluster, cluster_name from distances
            qualify row_number() over (partition by account_id order by distance, cluster) = 1
            order by account_id
        """).df()


@pytest.mark.parametrize("world", ["customers", "buyers"])
def test_sql_assigns_every_customer_to_the_same_cluster(world: str, request: pytest.FixtureRequest):
    frame = request.getfixturevalue(world)
    frame = frame.assign(net_amount=frame["net_amount"].mask(frame.index == 5, 1e15).mask(frame.index == 9, -1e15))
    result = value_clusters(frame)
    assert result.assignments["cluster"].nunique() > 1
    pd.testing.assert_frame_equal(_in_sql(frame, result.centres), result.assignments, check_dtype=False)
    pd.testing.assert_frame_equal(assign_clusters(frame, result.centres), result.assignments)


def test_contract_customers_are_told_apart_by_what_they_did(customers: pd.DataFrame, clustered: ValueClusters):
    result = clustered
    names = result.centres.drop_duplicates("cluster").set_index("cluster")["cluster_name"]
    assert names.is_unique
    assert names[1].endswith("multi-year expanders")
    assert {"steady subscribers", "churned early"} <= set(names)
    joined = customers.merge(result.assignments, on="account_id")
    churned = joined["cluster_name"] == "churned early"
    assert (joined.loc[churned, "current_mrr"] == 0).all()
    means = joined.groupby("cluster")["net_amount"].mean()
    assert means.is_monotonic_decreasing
    assert sorted(joined["cluster"].unique()) == list(range(1, len(means) + 1))


def test_a_cluster_that_expands_less_than_customers_at_large_is_not_named_for_it():
    random = np.random.default_rng(0)
    large, live = np.arange(300) < 100, np.arange(300) < 200
    # All large customers grew, and 60 of 100 of the others.
    grown = large | (np.arange(300) % 5 < 3)
    start = np.where(large, 60_000, 6_000) * random.lognormal(0, 0.2, 300)
    frame = pd.DataFrame(
        {
            "account_id": [f"c{number:04d}" for number in range(300)],
            "net_amount": start * 3,
            "margin_amount": np.nan,
            "current_mrr": np.where(live, start / 12, 0),
            "peak_mrr": start / 12,
            "first_annual_contract_value": start,
            "renewals_due": 3,
            "renewals_made": np.where(live, 3, 1),
            "expansion_count": np.where(grown, 1, 0),
            "expansion_order_count": np.where(large, random.integers(2, 5, 300), 0),
            "is_first_order_multi_year": False,
            "tenure_months": 40,
            "first_order_at": pd.Timestamp("2022-01-01"),
            "last_order_at": pd.Timestamp("2025-01-01"),
        }
    )
    result = value_clusters(frame)
    planted = np.repeat(["expanders", "steady subscribers", "churned after renewing"], 100)
    assert (result.assignments["cluster_name"].to_numpy() == planted).mean() > 0.97


def test_buyers_without_contracts_are_told_apart_by_recency_and_frequency(buyers: pd.DataFrame):
    result = value_clusters(buyers)
    planted = np.repeat(["one-time buyers", "lapsed buyers", "frequent buyers"], [60, 80, 100])
    assert (result.assignments["cluster_name"].to_numpy() == planted).mean() > 0.97
    assert set(result.centres["feature"]) == {"net_amount", "months_since_order", "repeat_orders"}


def test_where_all_margins_are_known_value_is_margin(buyers: pd.DataFrame):
    losing = buyers.assign(margin_amount=np.where(buyers["expansion_order_count"] > 10, -500.0, 900.0))
    result = value_clusters(losing)
    names = result.centres.drop_duplicates("cluster")["cluster_name"].tolist()
    assert "margin_amount" in set(result.centres["feature"])
    assert names[-1] == "frequent buyers at a loss"
    partly = losing.assign(margin_amount=losing["margin_amount"].where(losing.index > 0))
    assert "net_amount" in set(value_clusters(partly).centres["feature"])


def test_order_of_rows_and_number_of_threads_change_nothing(customers: pd.DataFrame, clustered: ValueClusters):
    with threadpool_limits(limits=2):
        other = value_clusters(customers.sample(frac=1, random_state=7))
    for left, right in zip(clustered, other, strict=True):
        pd.testing.assert_frame_equal(left, right, check_exact=True)


def test_the_choice_shows_every_number_that_was_tried(customers: pd.DataFrame):
    choice = value_clusters(customers, max_clusters=5).choice
    assert choice["k"].tolist() == [2, 3, 4, 5]
    assert choice["chosen"].sum() == 1
    chosen = choice[choice["chosen"]].iloc[0]
    assert chosen["stability"] >= 0.75
    assert chosen["silhouette"] >= 0.9 * choice.loc[choice["stability"] >= 0.75, "silhouette"].max()


def test_more_clusters_are_chosen_where_they_are_clearly_better(buyers: pd.DataFrame):
    random = np.random.default_rng(1)
    many, large = np.arange(240) % 2 == 1, np.arange(240) % 4 >= 2
    four = buyers.assign(
        expansion_order_count=np.where(many, 20, 1) + random.integers(0, 2, 240),
        net_amount=np.where(large, np.where(many, 1_000_000, 50_000), 1_000) * random.lognormal(0, 0.2, 240),
        last_order_at=buyers["first_order_at"],
        tenure_months=3,
    )
    result = value_clusters(four)
    assert result.choice.loc[result.choice["chosen"], "k"].tolist() == [4]
    assert result.assignments.groupby([many, large])["cluster"].nunique().eq(1).all()


@pytest.mark.slow
def test_customers_keep_their_cluster_when_a_month_is_added():
    found = study_clusters(2, customers=300)
    assert found["month_later"].median() >= 0.85
    assert (found["clusters"] == found["clusters_after"]).all()


def test_nearest_of_equal_centres_is_the_lower_number(customers: pd.DataFrame, clustered: ValueClusters):
    centres = clustered.centres
    first = centres[centres["cluster"] == 1]
    twice = pd.concat([first.assign(cluster=2, cluster_name="copy"), first])
    assert (assign_clusters(customers, twice)["cluster"] == 1).all()


def _alike(customers: pd.DataFrame) -> pd.DataFrame:
    one = pd.concat([customers.head(1)] * 100)
    return one.assign(account_id=[f"c{number}" for number in range(100)])


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda frame: frame.head(0), "fewer than 30"),
        (lambda frame: frame.head(1), "fewer than 30"),
        (lambda frame: frame.head(29), "fewer than 30"),
        (_alike, "alike"),
        (lambda frame: _alike(frame).assign(net_amount=np.repeat([1.0, 9.0], 50)), "no number"),
    ],
)
def test_too_little_to_tell_apart_is_one_cluster(customers: pd.DataFrame, change, note: str):
    frame = change(customers)
    result = value_clusters(frame)
    assert result.centres["cluster_name"].tolist() == [ALL_CUSTOMERS]
    assert result.centres["note"].item().startswith("not enough evidence")
    assert note in result.centres["note"].item()
    assert len(result.assignments) == len(frame)
    assert (result.assignments["cluster"] == 1).all()
    assert (assign_clusters(frame, result.centres)["cluster"] == 1).all()


def test_rounding_of_money_makes_no_feature(customers: pd.DataFrame, clustered: ValueClusters):
    wobble = customers.assign(
        peak_mrr=lambda frame: frame["first_annual_contract_value"] / 12 * (1 + 1e-5 * np.arange(len(frame)) / len(frame))
    )
    assert "mrr_growth" not in set(value_clusters(wobble).centres["feature"])
    assert "mrr_growth" in set(clustered.centres["feature"])


def test_an_account_twice_or_a_missing_column_is_named(customers: pd.DataFrame):
    with pytest.raises(ValueError, match="twice"):
        value_clusters(pd.concat([customers, customers.head(1)]))
    with pytest.raises(ValueError, match="peak_mrr"):
        value_clusters(customers.drop(columns="peak_mrr"))


# Equal customers --------------------------------------------------------------------------------------------


def begun(months: np.ndarray, **figures: object) -> pd.DataFrame:
    """Customers who differ in nothing but the month in which they began, and what is given."""
    first = pd.PeriodIndex([pd.Period("2025-06", "M") - int(month) for month in months]).to_timestamp()
    same = {
        "margin_amount": np.nan,
        "current_mrr": 0.0,
        "peak_mrr": 0.0,
        "first_annual_contract_value": 0.0,
        "expansion_count": 0,
    }
    same |= {"net_amount": 1000.0, "renewals_due": 0, "renewals_made": 0, "expansion_order_count": 0}
    same |= {"is_first_order_multi_year": False, "tenure_months": months, "first_order_at": first, "last_order_at": first}
    return pd.DataFrame({"account_id": [f"c{number:04d}" for number in range(len(months))], **same, **figures})


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_equal_customers_who_began_in_different_months_are_one_cluster(seed: int):
    months = np.random.default_rng(seed).integers(0, 36, 400)
    once = value_clusters(begun(months))
    assert set(once.assignments["cluster_name"]) == {ALL_CUSTOMERS}
    subscribers = begun(months, net_amount=12_000.0 * (1 + months // 12), current_mrr=1000.0, peak_mrr=1000.0)
    found = value_clusters(
        subscribers.assign(first_annual_contract_value=12_000.0, renewals_due=months // 12, renewals_made=months // 12)
    )
    assert set(found.assignments["cluster_name"]) == {ALL_CUSTOMERS}
    assert not found.choice.loc[found.choice["k"] > 1, "chosen"].any()


def test_clusters_of_one_kind_are_named_by_size_only_if_they_differ_in_size():
    random = np.random.default_rng(5)
    months, often = random.integers(24, 36, 400), np.arange(400) < 200
    made = np.where(often, random.integers(9, 11, 400), random.integers(4, 6, 400))
    alike = {
        "current_mrr": 1000.0,
        "peak_mrr": 1000.0,
        "first_annual_contract_value": 12_000.0,
        "renewals_due": 10,
        "renewals_made": made,
    }
    same_size = value_clusters(begun(months, **alike, net_amount=random.lognormal(9, 0.02, 400)))
    assert {name.split(", ")[-1][:6] for name in same_size.assignments["cluster_name"]} == {"renew "}
    by_size = value_clusters(begun(months, net_amount=np.where(often, 9e5, 1e3) * random.lognormal(0, 0.1, 400)))
    assert set(by_size.assignments["cluster_name"]) == {"larger one-time buyers", "smaller one-time buyers"}
