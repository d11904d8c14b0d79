"""icp_seasonality: the planted seasons of the demo company, its figures in pandas, and the test on worlds made for it."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from conftest import BuildResult, frame, seeds
from icp_refinery import learning
from icp_refinery.learning.seasonality import LEVEL, seasonality
from icp_refinery.studies.seasonality import seasonality_study, simulate_months


def group(counts: list[int] | np.ndarray, value: str = "a", start: str = "2022-01-01") -> pd.DataFrame:
    """One industry's months."""
    months = pd.date_range(start, periods=len(counts), freq="MS")
    return pd.DataFrame({"dimension": "industry", "value": value, "month": months, "order_count": counts})


def said(months: pd.DataFrame) -> tuple[str, list[int]]:
    """The verdict on the one group, and the months of its season."""
    found = seasonality(months)
    assert list(found["calendar_month"]) == list(range(1, 13))
    [verdict] = found["verdict"].unique()
    return verdict, list(found.loc[found["is_season"], "calendar_month"])


def year(**months: int) -> list[int]:
    """Orders of a year, by `m1` to `m12`; 1 where not given."""
    return [months.get(f"m{n}", 1) for n in range(1, 13)]


def test_months_that_come_back_are_a_season() -> None:
    assert said(group(year(m9=10) * 2)) == ("seasonal", [9])
    assert said(group(year(m6=8, m7=8) * 3, start="2021-05-01")) == ("seasonal", [10, 11])


def test_what_happened_in_one_year_only_is_no_season() -> None:
    assert said(group(year(m9=60) + year() + year()))[0] == "no_evidence"
    assert said(group(year(m9=60) + year(m3=60)))[0] == "no_evidence"
    assert said(group(year(m9=200) + year(m9=3) + year()))[0] == "no_evidence"


def test_growth_is_no_season() -> None:
    assert said(group(np.round(10 * 2 ** (np.arange(36) / 12)).astype(int)))[0] == "no_evidence"


def test_months_of_an_unfinished_year_are_not_looked_at() -> None:
    assert said(group(year(m9=10) + year(m9=10)[:11])) == ("not_enough_data", [])
    two = seasonality(group(year(m9=10) + year(m9=10)))
    later = seasonality(group(year(m9=10) + year(m9=10) + [50] * 11))
    pd.testing.assert_frame_equal(two, later)


def test_a_few_orders_are_no_evidence_and_ten_are_tested() -> None:
    assert said(group(([0] * 8 + [4] + [0] * 3) * 2))[0] == "not_enough_data"
    assert said(group(([0] * 8 + [5] + [0] * 3) * 2)) == ("seasonal", [9])


def test_only_the_fifty_largest_of_many_groups_are_tested() -> None:
    found = seasonality(pd.concat([group(year() * 2, f"industry {n:03d}") for n in range(60)]))
    assert found.groupby("value")["p_value"].first().notna().sum() == 50
    assert (found.groupby("value")["adjusted_p_value"].first().dropna() > LEVEL).all()


def test_the_order_of_rows_does_not_matter() -> None:
    months = simulate_months(300, 41, seed=1, in_season=0.75)
    pd.testing.assert_frame_equal(seasonality(months), seasonality(months.sample(frac=1, random_state=0)))


def test_p_values_of_a_dimension_are_adjusted_as_holm_has_it() -> None:
    found = seasonality(simulate_months(300, 36, seed=2, in_season=0.4)).drop_duplicates(["dimension", "value"])
    for _, its in found.dropna(subset="p_value").groupby("dimension"):
        np.testing.assert_allclose(its["adjusted_p_value"], multipletests(its["p_value"], method="holm")[1], rtol=1e-8)


def test_nothing_gives_nothing_with_the_same_columns() -> None:
    empty = seasonality(group([]))
    assert len(empty) == 0
    assert (empty.dtypes == seasonality(group([1])).dtypes).all()


@pytest.mark.slow
def test_worlds_without_a_season_have_none_and_a_planted_one_is_found() -> None:
    quiet = [seasonality(simulate_months(300, 36, seed))["verdict"].eq("seasonal").any() for seed in seeds(6, 20)]
    found = [seasonality(simulate_months(300, 36, seed, in_season=0.75)) for seed in seeds(3, 5)]
    assert sum(quiet) <= max(1, 0.15 * len(quiet))
    seasons = [set(its.loc[its["is_season"] & (its["value"] == "industry 0"), "calendar_month"]) for its in found]
    assert seasons.count({9}) >= len(found) - 1


@pytest.mark.slow
def test_the_study_writes_a_section_of_two_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning.seasonality, "DRAWS", 500)
    section = seasonality_study(seeds=1)
    assert section.startswith("## Seasonality\n")
    assert section.count("\n| ") == 2 + 10 + 6


@pytest.mark.slow
def test_the_demo_company_has_two_seasonal_industries(demo: BuildResult) -> None:
    mart = frame(demo.database, "marts.icp_seasonality")
    seasonal = mart[(mart["verdict"] == "seasonal") & (mart["dimension"] == "industry")]
    seasons = seasonal[seasonal["is_season"].astype(bool)].groupby("value")["calendar_month"].agg(list)
    assert seasons.to_dict() == {"Education": [6, 7], "Government": [9]}


@pytest.mark.slow
def test_the_indexes_equal_those_of_pandas(demo: BuildResult) -> None:
    mart = frame(demo.database, "marts.icp_seasonality").set_index(["dimension", "value", "calendar_month"]).sort_index()
    orders, accounts = frame(demo.database, "marts.fct_orders"), frame(demo.database, "marts.dim_accounts")
    [until] = frame(demo.database, "intermediate.int_as_of")["ends_at"]
    first = orders["closed_at"].min()
    # The last month counts only where as_of is its last day.
    months = pd.period_range(first, pd.Timestamp(until).to_period("M") - 1, freq="M")
    orders = orders[orders["order_type"] == "new_business"].merge(accounts[["account_id", "industry"]], on="account_id")
    orders["industry"], orders["month"] = orders["industry"].fillna("unknown"), pd.PeriodIndex(orders["closed_at"], freq="M")
    orders["all"], orders["net_amount"] = "all", orders["net_amount"].astype(float)
    weights = np.array([0.5, *[1] * 11, 0.5]) / 12
    rows = 0
    for dimension, column in {"all": "all", "industry": "industry", "segment": "segment_id"}.items():
        for value, own in orders.groupby(column):
            by_month = own.groupby("month")["net_amount"].agg(["size", "sum"]).reindex(months, fill_value=0)
            for measure, index in {"size": "order_index", "sum": "net_amount_index"}.items():
                series = by_month[measure].to_numpy(dtype=float)
                middle = np.convolve(series, weights, mode="valid")
                sums = pd.DataFrame({"seen": series[6:-6], "even": middle}).groupby(months[6:-6].month).sum()
                ratio = sums["seen"] / sums["even"].where(sums["even"] > 1e-9)
                expected = ratio / ratio.mean()
                found = mart.loc[(dimension, value), index].astype(float)
                np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=1e-9, atol=1e-12)
                rows += 12
            counts = own[own["month"].isin(months)].groupby(lambda n, own=own: own.loc[n, "closed_at"].month).size()
            assert mart.loc[(dimension, value), "order_count"].to_dict() == counts.reindex(range(1, 13), fill_value=0).to_dict()
    assert rows == 2 * len(mart)
