"""Whatever a company has (free deals, ties, losses, missing values, one category, one pursuit): nothing stops, and what is a
number by contract is one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icp_refinery.learning import backtest as bt
from icp_refinery.learning import segments
from icp_refinery.learning.boosting import boosted_scores
from icp_refinery.learning.calibration import score_calibration
from icp_refinery.learning.clusters import value_clusters
from icp_refinery.learning.conditions import assign
from icp_refinery.learning.effects.attributes import attribute_effects
from icp_refinery.learning.effects.leaks import leak_verdicts
from icp_refinery.learning.measure import measure_segments
from icp_refinery.learning.review.attributes import emerged_attributes
from icp_refinery.learning.review.cycles import review_cycles
from icp_refinery.learning.scorecard import described, fit_scores, learn_scorecard
from icp_refinery.learning.segments import learn_segments
from icp_refinery.learning.value import log_score

VALUES = ("zero", "tied", "skewed", "negative", "some free", "rarely unknown", "mostly unknown", "mostly free")


@pytest.fixture(autouse=True, scope="module")
def few_permutations():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "PERMUTATIONS", 19)
        patch.setattr(segments, "LEVEL", 1.0)  # the whole way, also where there is no evidence
        patch.setattr(bt, "PERMUTATIONS", 19)
        patch.setattr(bt, "RESAMPLES", 5)
        yield


def value_of(kind: str, n: int, random: np.random.Generator) -> np.ndarray:
    skewed = random.lognormal(8, 1, n).round(2)
    share = {"some free": 0.015, "mostly free": 0.995, "rarely unknown": 0.1, "mostly unknown": 0.9}.get(kind, 0.0)
    part = np.where(random.random(n) < share, np.nan if kind.endswith("unknown") else 0.0, skewed)
    return {"zero": np.zeros(n), "tied": np.full(n, 100.0), "negative": skewed - 4000.0}.get(kind, part)


def trait_of(kind: str, n: int, won: np.ndarray, random: np.random.Generator) -> pd.Series:
    if kind == "text":
        return pd.Series(np.where(random.random(n) < 0.2, None, random.choice(list("abc"), n)), dtype=object)
    if kind == "signal":
        return pd.Series(np.where(won & (random.random(n) < 0.7), "x", "y"), dtype=object)
    if kind == "number":
        return pd.Series(np.where(random.random(n) < 0.3, np.nan, random.normal(0, 1e6, n)))
    if kind == "tied number":
        return pd.Series(random.choice([0.0, -1.0, 5.0], n))
    return pd.Series([None] * n, dtype=object) if kind == "missing" else pd.Series(["same"] * n, dtype=object)


@st.composite
def company(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([1, 2, 29, 60, 150, 500]))
    won = random.random(n) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    began = pd.Timestamp("2022-01-01") + pd.to_timedelta(random.integers(0, draw(st.sampled_from([1, 1000])), n), "D")
    closed = began + pd.to_timedelta(random.integers(0, 200, n), "D")
    value = np.where(won, value_of(draw(st.sampled_from(VALUES)), n, random), 0.0)
    pursuits = pd.DataFrame(
        {
            "account_id": [f"a{number:04d}" for number in range(n)],
            "began_on": began,
            "closed_on": closed,
            "is_won": won,
            "value": value,
            "months_observed": np.where(won, np.clip((pd.Timestamp("2025-03-01") - closed).days / 30.4375, 0, 24), np.nan),
        }
    )
    kinds = draw(st.lists(st.sampled_from(["text", "signal", "number", "tied number", "missing", "same"]), max_size=4))
    columns = {f"{kind} {number}": trait_of(kind, n, won, random) for number, kind in enumerate(kinds)}
    traits = pd.DataFrame(columns, index=range(n)).set_axis(pd.Index(pursuits["account_id"], name="account_id"), axis=0)
    known = pursuits[won & pursuits["value"].notna()]
    return pursuits, traits, known.rename(columns={"closed_on": "sold_on"})[["account_id", "sold_on", "value"]]


def assert_numbers(frame: pd.DataFrame, columns: list[str]) -> None:
    assert np.isfinite(frame[columns].to_numpy(dtype=float)).all(), frame[columns]


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(company())
def test_segments_scores_and_figures_of_any_company_are_numbers(made):
    pursuits, traits, sales = made
    learned = learn_segments(pursuits, traits)
    assert learned.segments["pursuits"].sum() == len(pursuits)
    assert_numbers(
        learned.segments, ["value_per_pursuit", "observed_value_per_pursuit", "win_rate", "win_rate_low", "win_rate_high"]
    )
    own = assign(traits, learned.rules, learned.segments["segment_id"])
    card = described(learn_scorecard(pursuits, traits, learned), learned.segments.set_index("segment_id")["segment_name"])
    assert_numbers(card, ["points", "n", "wins"])
    assert fit_scores(traits, card, own).between(0, 100).all()
    assert_numbers(measure_segments(pursuits, own), ["value_per_pursuit", "win_rate", "win_rate_low", "win_rate_high"])
    assert np.isfinite(boosted_scores(pursuits, traits)).all()
    assert_numbers(score_calibration(pursuits, traits, sales), ["mean_score", "value_per_pursuit", "win_rate"])


def test_a_number_that_is_known_of_one_account_stops_nothing():
    """All but one of the parts that are learned from do not have it."""
    random = np.random.default_rng(3)
    won = random.random(150) < 0.5
    ids = [f"a{number:04d}" for number in range(150)]
    began = pd.Timestamp("2022-01-01") + pd.to_timedelta(random.integers(0, 900, 150), "D")
    pursuits = pd.DataFrame({"account_id": ids, "began_on": began, "closed_on": began + pd.Timedelta(days=30), "is_won": won})
    pursuits = pursuits.assign(value=np.where(won, 100.0, 0.0), months_observed=np.where(won, 24.0, np.nan))
    traits = pd.DataFrame({"known of one": [5.0] + [np.nan] * 149}, index=pd.Index(ids, name="account_id"))
    for more in ({}, {"signal": trait_of("signal", 150, won, random).to_numpy()}):
        assert learn_segments(pursuits, traits.assign(**more)).segments["pursuits"].sum() == 150


@settings(max_examples=15, deadline=None, derandomize=True)
@given(company())
def test_effects_leaks_and_reviews_of_any_company_are_made(made):
    pursuits, traits, sales = made
    quarter = pursuits["closed_on"].dt.to_period("Q").astype(str)
    outcomes = pd.DataFrame({"account_id": pursuits["account_id"], "period": quarter, "won": pursuits["is_won"].astype(float)})
    effects = attribute_effects(outcomes, traits)
    assert_numbers(effects, ["rate", "baseline_rate", "p_value", "q_value"])
    assert list(leak_verdicts(pursuits, traits)["attribute"]) == sorted(traits.columns)
    cycles = pd.DataFrame({"cycle_start": pd.date_range("2022-01-01", "2025-03-01", freq="MS")})
    cycles = cycles.assign(cycle_end=cycles["cycle_start"] + pd.offsets.MonthEnd(0), is_finished=True)
    closed = pursuits.assign(
        cycle_start=pursuits["closed_on"].dt.to_period("M").dt.to_timestamp(),
        segment_id="all accounts",
        first_order_value=pursuits["value"].where(pursuits["is_won"]),
        days_to_close=(pursuits["closed_on"] - pursuits["began_on"]).dt.days.astype(float).where(pursuits["is_won"]),
    )
    emerged = emerged_attributes(closed, cycles, traits)
    review_cycles(closed, cycles, pd.Series({"all accounts": "tier_3"}), traits, emerged)
    found = bt.backtest(pursuits, traits, sales, as_of=pd.Timestamp("2025-03-01"))
    assert_numbers(found, ["pursuits", "wins", "won_value"])


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 31, 120]), st.sampled_from(VALUES))
def test_any_customers_are_placed_in_clusters(seed: int, n: int, kind: str):
    random = np.random.default_rng(seed)
    tenure = random.integers(0, 40, n)
    mrr = np.where(random.random(n) < 0.5, 0.0, random.choice([0.0, 100.0, 1e6], n))
    first = pd.PeriodIndex([pd.Period("2025-06", "M") - int(months) for months in tenure]).to_timestamp()
    customers = pd.DataFrame(
        {
            "account_id": [f"c{number}" for number in range(n)],
            "net_amount": value_of(kind, n, random),
            "margin_amount": np.nan,
            "current_mrr": mrr,
            "peak_mrr": mrr + random.choice([0.0, 100.0], n),
            "first_annual_contract_value": random.choice([np.nan, 0.0, 1200.0], n),
            "renewals_due": 2,
            "renewals_made": random.integers(0, 3, n),
            "expansion_count": random.integers(0, 2, n),
            "expansion_order_count": random.integers(0, 2, n),
            "is_first_order_multi_year": random.choice([True, False, None], n),
            "tenure_months": tenure,
            "first_order_at": first,
            "last_order_at": first,
        }
    )
    placed = value_clusters(customers)
    assert placed.assignments["cluster"].between(1, 6).all()
    assert_numbers(placed.centres, ["unit", "middle", "spread", "centre", "customers"])


@pytest.mark.parametrize("share", [0.0, 0.011, 0.015, 0.019, 0.03])
def test_free_first_deals_do_not_stop_the_learning(share: float):
    random = np.random.default_rng(0)
    won = random.random(2000) < 0.5
    value = np.where(won, random.lognormal(8, 1, 2000), 0.0)
    value[np.flatnonzero(won)[: round(share * won.sum())]] = 0.0
    assert np.isfinite(log_score(won, value)).all()


def test_a_win_without_an_amount_counts_as_won_and_says_nothing_of_what_wins_are_worth():
    pursuits = pd.DataFrame(
        {"account_id": list("abcd"), "began_on": pd.Timestamp("2022-01-01"), "closed_on": pd.Timestamp("2022-02-01")}
    ).assign(is_won=[True, True, True, False], value=[100.0, 300.0, np.nan, 0.0], months_observed=[24.0, 24.0, 24.0, np.nan])
    figures = measure_segments(pursuits, pd.Series("one", index=list("abcd"))).iloc[0]
    assert (figures["wins"], figures["win_rate"], figures["value_per_pursuit"]) == (3, 0.75, 150.0)
    assert figures["observed_value_per_pursuit"] == 150.0
