"""Backtest: it finds what the truth is worth, sees nothing of the future, and says where it knows nothing."""

from __future__ import annotations

import json

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from icp_refinery import warehouse
from icp_refinery.learning import backtest as bt
from icp_refinery.learning.backtest import Adopted, Known, backtest, cutoffs, known_at, learned_scores
from icp_refinery.learning.capture import interval_of
from icp_refinery.studies.backtest import backtest_study, judge
from icp_refinery.studies.worlds import World, world

BEST = 0.2


def row(found: pd.DataFrame, measure: str, share: float, scorer: str = "segments", cutoff: str = "all") -> pd.Series:
    chosen = (found["measure"] == measure) & (found["scorer"] == scorer) & (found["cutoff"] == cutoff)
    rows = found[chosen & np.isclose(found["share"], share)]
    assert len(rows) == 1
    return rows.iloc[0]


# The truth ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted() -> tuple[World, pd.DataFrame]:
    it = world(2000, 2, kind="set", strength=5.0, prospects=50)
    found = backtest(
        it.pursuits,
        it.traits,
        it.sales,
        as_of=it.as_of,
        scores=lambda known: learned_scores(known) | {"truth": it.expected_value},
    )
    return it, found


@pytest.mark.slow
def test_segments_beat_random_and_come_near_the_truth(planted):
    _, found = planted
    captured = {
        scorer: row(found, "value_captured", BEST, scorer) for scorer in ("segments", "scorecard", "boosting", "truth", "random")
    }
    assert captured["segments"]["low"] > captured["random"]["high"]
    assert captured["segments"]["value"] > 0.85 * captured["truth"]["value"]
    assert captured["scorecard"]["value"] > 0.85 * captured["truth"]["value"]
    assert captured["boosting"]["value"] > 0.85 * captured["truth"]["value"]
    skippable = {scorer: row(found, "pursuits_skippable", 0.9, scorer)["value"] for scorer in captured}
    assert skippable["random"] == pytest.approx(0.1)
    assert skippable["random"] < skippable["segments"] < skippable["truth"] + 0.1


def test_cutoffs_are_at_most_eight_quarter_starts_with_enough_before_and_after(planted):
    it, found = planted
    days = pd.to_datetime(found.loc[found["cutoff"] != "all", "cutoff"].drop_duplicates())
    assert len(days) == 8
    assert (days.dt.is_quarter_start).all()
    assert days.max() + pd.DateOffset(months=3) <= it.as_of + pd.Timedelta(days=1)
    few = it.pursuits.sample(240, random_state=1).query("closed_on < '2023-07-01'")
    first = min(cutoffs(few, pd.Timestamp("2023-06-30")))
    before = few[few["closed_on"] < first]
    assert len(before) >= 50
    assert before["is_won"].sum() >= 15
    earlier = few[few["closed_on"] < first - pd.DateOffset(months=3)]
    assert len(earlier) < 50 or earlier["is_won"].sum() < 15


@pytest.mark.parametrize("known", [0, 1, 30])
def test_a_trait_that_was_known_of_nobody_or_hardly_anybody_at_the_cutoff_is_no_trait_yet(known):
    it = world(200, 3, prospects=50)
    late = pd.Series(np.nan, index=it.traits.index).mask(~it.traits.index.isin(it.pursuits["account_id"]), 5.0)
    late.loc[it.pursuits["account_id"].iloc[:known]] = 7.0
    scores = learned_scores(
        Known(it.pursuits, it.traits.assign(late=late, late_text=late.astype(object).map("{}".format, "ignore")))
    )
    assert all(scores[scorer].notna().all() for scorer in ("segments", "scorecard", "boosting"))


@pytest.mark.slow
def test_without_signal_intervals_hold_chance():
    """One of six may be among the 5 % that do not."""
    outside = 0
    for seed in (41, 43):
        found = judge(world(600, seed, signal=False, prospects=20)).captured.loc[["segments", "scorecard", "boosting"]]
        outside += ((found["low"] > BEST) | (found["high"] < BEST)).sum()
    assert outside <= 1


def test_scores_that_tell_nothing_apart_are_as_random_and_say_so():
    it = world(300, 40, prospects=20)
    one = pd.Series(7.0, index=it.traits.index)
    found = backtest(it.pursuits, it.traits, it.sales, as_of=it.as_of, scores=lambda known: {"segments": one})
    figures = ["measure", "share", "value", "low", "high"]
    by_scorer = [
        found.loc[found["scorer"] == scorer, ["cutoff", *figures]].reset_index(drop=True) for scorer in ("segments", "random")
    ]
    pd.testing.assert_frame_equal(*by_scorer)
    captured = row(found, "value_captured", BEST)
    assert captured["value"] == BEST
    assert captured["low"] < BEST < captured["high"]
    assert captured["note"] == "all accounts have one score at 8 of 8 cut-offs: as random"


@pytest.mark.slow
def test_the_interval_holds_what_the_scores_are_really_worth():
    held = 0
    for seed in range(10):
        it = world(400, 60 + seed, prospects=20)
        given = {"truth": it.expected_value}
        found = backtest(it.pursuits, it.traits, it.sales, as_of=it.as_of, scores=lambda known, given=given: given, resamples=200)
        # What these accounts bring on average, in place of what they happened to bring.
        expected = it.pursuits.assign(value=it.pursuits["account_id"].map(it.expected_value))
        ideal = backtest(expected, it.traits, it.sales, as_of=it.as_of, scores=lambda known, given=given: given, resamples=2)
        one = row(found, "value_captured", BEST, "truth")
        held += one["low"] <= row(ideal, "value_captured", BEST, "truth")["value"] <= one["high"]
    assert held >= 8


@pytest.mark.slow
def test_the_study_says_what_was_captured():
    text = backtest_study(seeds=1, null_seeds=1, sizes=((600, True),))
    assert text.count("\n| ") == 2
    assert "nan" not in text


def test_what_is_adopted_is_tried_only_on_what_began_after_it_was_learned():
    it = world(600, 3, kind="set", strength=5.0, prospects=20)
    days = cutoffs(it.pursuits, it.as_of)
    noise = pd.Series(np.random.default_rng(0).random(len(it.traits)), index=it.traits.index)

    def found(adopted: Adopted | None) -> pd.DataFrame:
        scores = {"segments": noise}
        return backtest(it.pursuits, it.traits, it.sales, as_of=it.as_of, scores=lambda _: scores, adopted=adopted, resamples=50)

    without = found(None)
    assert set(without["scorer"]) == {"segments", "random"}
    # Learned with all of the third cut-off's day: only the fourth is after it.
    truth = found(Adopted(it.expected_value, days[2]))
    wrong = found(Adopted(-it.expected_value, days[2]))
    later = [f"{day:%Y-%m-%d}" for day in days[3:]]
    for tried in (truth, wrong):
        assert tried.loc[tried["scorer"] == "adopted", "cutoff"].unique().tolist() == later
        others = tried[tried["scorer"] != "adopted"].reset_index(drop=True)
        pd.testing.assert_frame_equal(others, without)
    pd.testing.assert_frame_equal(found(Adopted(it.expected_value, it.as_of)), without)
    # Known before the first cut-off: both sides of `all` are the same cut-offs.
    before = days[0] - pd.Timedelta(days=1)
    right, reversed_ = (
        row(found(Adopted(v, before)), "value_captured", BEST, "adopted") for v in (it.expected_value, -it.expected_value)
    )
    assert right["low"] > reversed_["high"]
    always = found(Adopted(noise, before))
    pair = [always.loc[always["scorer"] == s].drop(columns="scorer").reset_index(drop=True) for s in ("segments", "adopted")]
    pd.testing.assert_frame_equal(*pair)
    assert pair[1]["cutoff"].iloc[0] == "all"


# Nothing of the future -------------------------------------------------------------------------------------


def test_what_happens_after_a_cutoff_changes_nothing_that_was_learned_at_it():
    it = world(900, 5, kind="value", strength=6.0, prospects=50)
    cutoff = cutoffs(it.pursuits, it.as_of)[3]

    def learned_at_it(pursuits: pd.DataFrame, sales: pd.DataFrame) -> tuple[Known, dict[str, pd.Series]]:
        seen = {}

        def scores(known: Known) -> dict[str, pd.Series]:
            seen[len(known.pursuits)] = known
            return {"any": pd.Series(0.0, index=known.traits.index)}

        backtest(pursuits, it.traits, sales, as_of=it.as_of, scores=scores, resamples=2)
        known = seen[(pursuits["closed_on"] < cutoff).sum()]
        return known, learned_scores(known)

    later = it.pursuits.copy()
    after = later["closed_on"] >= cutoff
    rng = np.random.default_rng(0)
    later.loc[after, "is_won"] = rng.random(after.sum()) < 0.6
    later.loc[after, "value"] = rng.lognormal(11, 1, after.sum())
    won_before = ~after & later["is_won"]
    later.loc[won_before, "value"] *= 3
    renewed = it.sales["sold_on"] >= cutoff
    sales = it.sales.assign(value=it.sales["value"].where(~renewed, it.sales["value"] * 9))
    known, given = learned_at_it(it.pursuits, it.sales)
    known_again, given_again = learned_at_it(later, sales)
    pd.testing.assert_frame_equal(known.pursuits, known_again.pursuits)
    for scorer in given:
        pd.testing.assert_series_equal(given[scorer], given_again[scorer])
    assert given["segments"].nunique() > 1


def test_a_pursuit_is_known_with_what_it_had_brought_by_the_cutoff():
    day = pd.Timestamp
    pursuits = pd.DataFrame(
        {
            "account_id": ["won", "lost", "closed that day", "won before the sale"],
            "began_on": [day("2023-01-01")] * 4,
            "closed_on": [day("2023-03-01 15:00"), day("2023-12-31"), day("2024-01-01"), day("2023-12-31 23:00")],
            "is_won": [True, False, True, True],
            "value": [999.0, 0.0, 5.0, 7.0],
        }
    )
    sales = pd.DataFrame(
        {
            "account_id": ["won", "won", "won", "lost", "closed that day", "won before the sale"],
            "sold_on": pd.to_datetime(
                [
                    "2023-03-01 15:00",
                    "2023-12-31 23:59",
                    "2024-01-01 00:00",
                    "2023-06-01 00:00",
                    "2024-01-01 00:00",
                    "2024-02-01 00:00",
                ]
            ),
            "value": [100.0, 20.0, 879.0, 50.0, 5.0, 7.0],
        }
    )
    known = known_at(pursuits, sales, day("2024-01-01")).set_index("account_id")
    assert known["value"].to_dict() == {"won": 120.0, "lost": 0.0, "won before the sale": 0.0}
    assert known.loc["won", "months_observed"] == pytest.approx(306 / 30.4375)
    assert np.isnan(known.loc["lost", "months_observed"])


# Figures that can be checked on paper ------------------------------------------------------------------------


@pytest.fixture
def on_paper(monkeypatch) -> dict:
    """Two pursuits before the cut-off of 1 January 2024, five after it, and what was spent on them and on others."""
    for least in ("LEAST_PURSUITS", "LEAST_WINS", "LEAST_SCORED", "LEAST_SCORED_WINS"):
        monkeypatch.setattr(bt, least, 1)
    day = pd.Timestamp
    pursuits = pd.DataFrame(
        [
            ["before 1", day("2023-10-05"), day("2023-11-01"), True, 10.0],
            ["before 2", day("2023-10-05"), day("2023-11-01"), False, 0.0],
            ["being pursued", day("2023-12-31"), day("2024-01-02"), True, 500.0],
            ["a", day("2024-01-01"), day("2024-02-01"), True, 60.0],
            ["b", day("2024-01-01"), day("2024-02-01"), True, 30.0],
            ["c", day("2024-01-01"), day("2024-02-01"), False, 0.0],
            ["d", day("2024-01-01"), day("2024-02-01"), True, 10.0],
            ["e", day("2024-03-30"), day("2024-03-31"), False, 0.0],
        ],
        columns=["account_id", "began_on", "closed_on", "is_won", "value"],
    )
    score = pd.Series({"a": 3.0, "b": 2.0, "c": 2.0, "d": 1.0, "e": 1.0, "prospect": 1.0, "before 2": 2.5})
    sales = pd.DataFrame({"account_id": ["before 1"], "sold_on": [day("2023-11-01")], "value": [10.0]})
    spent = [["a", 10], ["b", 20], ["c", 30], ["e", 20], ["prospect", 20], ["before 2", 25], ["being pursued", 999]]
    spend = pd.DataFrame(spent, columns=["account_id", "amount"]).assign(spend_month=day("2024-02-01"))
    early = pd.DataFrame({"account_id": ["a"], "amount": [999], "spend_month": [day("2023-12-01")]})
    return {
        "pursuits": pursuits,
        "traits": pd.DataFrame(index=pd.Index(sorted({*pursuits["account_id"], *score.index}), name="account_id")),
        "sales": sales,
        "spend": pd.concat([spend, early]),
        "as_of": day("2024-03-31"),
        "scores": lambda known: {"by_hand": score},
    }


def test_accounts_of_equal_score_count_with_their_average(on_paper):
    found = backtest(**on_paper)
    assert found["cutoff"].unique().tolist() == ["all", "2024-01-01"]
    of_score = {"scorer": "by_hand", "cutoff": "2024-01-01"}
    captured = {share: row(found, "value_captured", share, **of_score)["value"] for share in (0.1, 0.2, 0.3, 0.6, 0.8, 1.0)}
    assert captured == pytest.approx({0.1: 0.3, 0.2: 0.6, 0.3: 0.675, 0.6: 0.9, 0.8: 0.95, 1.0: 1.0})
    assert row(found, "pursuits_skippable", 0.9, **of_score)["value"] == pytest.approx(0.4)
    assert row(found, "pursuits_skippable", 0.95, **of_score)["value"] == pytest.approx(0.2)
    # Of 125: `before 2` (25) lies above the threshold, and half of what is at it (20 + 20) is kept at 95 %.
    assert row(found, "spend_skippable", 0.9, **of_score)["value"] == pytest.approx(40 / 125)
    assert row(found, "spend_skippable", 0.95, **of_score)["value"] == pytest.approx(20 / 125)
    one = row(found, "spend_skippable", 0.9, **of_score)
    assert one[["pursuits", "wins", "learned_pursuits", "won_value", "spend"]].tolist() == [5, 3, 2, 100.0, 125.0]


def test_without_spend_or_won_value_the_share_is_unknown_and_says_why(on_paper):
    found = backtest(**on_paper | {"spend": None})
    spend = found[found["measure"] == "spend_skippable"]
    assert spend[["value", "low", "high"]].isna().all(axis=None)
    assert (spend["note"] == "no spend").all()
    unpaid = on_paper["pursuits"].assign(value=0.0)
    found = backtest(**on_paper | {"pursuits": unpaid})
    assert found["value"].isna().all()
    assert set(found["note"]) == {"what was won is not above 0", "no spend"}


def test_what_the_deprioritized_brought_and_cost(on_paper):
    scores = on_paper["scores"](None)["by_hand"]
    # Who is in no segment, as e, is not skipped.
    skipped = pd.Series({"a": False, "b": True, "c": True, "d": False, "prospect": True, "before 2": False})
    given = on_paper | {"scores": lambda known: {"segments": scores, "deprioritized": skipped}}
    for spend, expected in ((given["spend"], 70 / 125), (None, None)):
        found = backtest(**given | {"spend": spend})
        for cutoff in ("all", "2024-01-01"):
            assert row(found, "deprioritized_pursuits", 1, cutoff=cutoff)["value"] == pytest.approx(2 / 5)
            value = row(found, "deprioritized_value", 1, cutoff=cutoff)
            assert value["value"] == pytest.approx(0.3)
            assert value["low"] < 0.3 < value["high"]
            spent = row(found, "deprioritized_spend", 1, cutoff=cutoff)
            assert (
                spent["value"] == pytest.approx(expected)
                if expected
                else (np.isnan(spent["value"]) and spent["note"] == "no spend")
            )
    nobody = backtest(**on_paper | {"scores": lambda known: {"segments": scores, "deprioritized": skipped & False}})
    figures = row(nobody, "deprioritized_value", 1, cutoff="2024-01-01")
    assert figures[["value", "low", "high", "note"]].tolist() == [0, 0, 0, "no segment was deprioritized"]


def test_the_interval_of_the_deprioritized_is_that_of_resampled_accounts(planted):
    it, found = planted
    cutoff = found["cutoff"].iloc[-1]
    given = learned_scores(Known(known_at(it.pursuits, it.sales, pd.Timestamp(cutoff)), it.traits))
    window = bt.accounts_after(it.pursuits, None, pd.Timestamp(cutoff))
    value = window["value"].to_numpy()
    skipped = value * given["deprioritized"][window.index].to_numpy()
    drawn = np.random.default_rng(3).integers(0, len(value), (2000, len(value)))
    low, high = np.quantile(skipped[drawn].sum(axis=1) / value[drawn].sum(axis=1), [0.025, 0.975])
    figures = row(found, "deprioritized_value", 1, cutoff=cutoff)
    assert figures["value"] == pytest.approx(skipped.sum() / value.sum())
    assert (figures["low"], figures["high"]) == pytest.approx((low, high), abs=0.2 * (high - low))
    # What is planted: the deprioritized bring less than their number.
    assert row(found, "deprioritized_value", 1)["high"] < row(found, "deprioritized_pursuits", 1)["low"]


def test_the_interval_is_that_of_resampled_accounts(planted):
    it, found = planted
    cutoff = found["cutoff"].iloc[-1]
    window = bt.accounts_after(it.pursuits, None, pd.Timestamp(cutoff))
    score, value = it.expected_value[window.index].to_numpy(), window["value"].to_numpy()

    def captured(score: np.ndarray, value: np.ndarray) -> float:
        sums = np.cumsum(pd.Series(value).groupby(score).transform("mean").to_numpy()[np.argsort(-score, kind="stable")])
        return np.interp(BEST * len(value), np.arange(1, len(value) + 1), sums) / sums[-1]

    given = row(found, "value_captured", BEST, "truth", cutoff)
    assert given["value"] == pytest.approx(captured(score, value))
    other = bootstrap((score, value), captured, paired=True, vectorized=False, n_resamples=1500, method="BCa", rng=9)
    low, high = other.confidence_interval
    assert (given["low"], given["high"]) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_the_interval_is_shifted_for_a_few_large_deals():
    rng = np.random.default_rng(3)
    value = rng.lognormal(0, 1.2, 60)
    means = value[rng.integers(0, 60, (20_000, 60))].mean(axis=1)
    other = bootstrap((value,), np.mean, n_resamples=20_000, method="BCa", rng=4).confidence_interval
    plain = np.quantile(means, [0.025, 0.975])
    given = interval_of(np.r_[value.mean(), means], is_shifted=True)
    assert given == pytest.approx((other.low, other.high), abs=0.02 * (other.high - other.low))
    assert (given > plain + 0.04 * (other.high - other.low)).all()


# Little data, and its order ------------------------------------------------------------------------------------


@pytest.mark.parametrize("pursuits", [0, 1, 25])
def test_too_few_pursuits_give_a_reason_instead_of_figures(pursuits):
    it = world(60, 3, prospects=10)
    few = it.pursuits.head(pursuits)
    found = backtest(few, it.traits, it.sales[it.sales["account_id"].isin(few["account_id"])], as_of=it.as_of)
    assert set(found["cutoff"]) == {"all"}
    assert found["value"].isna().all()
    assert found["note"].str.startswith("not enough evidence").all()
    assert found.dtypes.astype(str).to_dict() == bt.COLUMNS


def test_orders_only_are_all_won():
    it = world(600, 8, prospects=10)
    won = it.pursuits[it.pursuits["is_won"]].assign(began_on=lambda frame: frame["closed_on"])
    found = backtest(won, it.traits, it.sales, as_of=it.as_of)
    assert row(found, "value_captured", 1.0)["value"] == 1
    assert row(found, "pursuits_skippable", 0.9)["pursuits"] == row(found, "pursuits_skippable", 0.9)["wins"]


def test_the_order_of_rows_changes_nothing(monkeypatch):
    monkeypatch.setattr(bt, "MOST_CUTOFFS", 2)
    it = world(500, 11, prospects=50)
    spend = pd.DataFrame(
        {
            "account_id": np.tile(it.traits.index, 2),
            "spend_month": np.repeat([pd.Timestamp("2023-02-01"), pd.Timestamp("2024-03-01")], len(it.traits)),
            "amount": np.arange(2 * len(it.traits)) % 97 + 0.1,
        }
    )
    once = backtest(it.pursuits, it.traits, it.sales, spend, as_of=it.as_of)
    mixed = [frame.sample(frac=1, random_state=4) for frame in (it.pursuits, it.traits, it.sales, spend)]
    pd.testing.assert_frame_equal(once, backtest(*mixed, as_of=it.as_of), check_exact=True)


# From the warehouse -----------------------------------------------------------------------------------------


def test_the_warehouse_gives_a_sample_by_hash_and_spend_until_the_first_order(monkeypatch):
    monkeypatch.setattr(warehouse, "MOST_ACCOUNTS", 2)
    session = duckdb.connect()
    pursuits = session.sql("""
        select 'p' || n as account_id, timestamp '2024-01-01' as began_at, timestamp '2024-02-01' as closed_at, n = 4 as is_won,
            cast(5 as decimal(18, 4)) as value
        from range(1, 5) as t(n)
    """)
    orders = session.sql("""
        select * from (
            values ('p4', 1, timestamp '2024-02-10'), ('p4', 2, timestamp '2024-03-10'), ('customer', 1, timestamp '2024-05-01')
        ) as t(account_id, order_number, closed_at)
    """)
    spend = session.sql("""
        select account_id, cast(m as date) as spend_month, cast(10 as decimal(18, 4)) as amount
        from
            (
                values ('p1'), ('p2'), ('p3'), ('p4'), ('customer'), ('prospect 1'), ('prospect 2'), ('prospect 3'), (null)
            ) as a(account_id),
            (values ('2024-01-01'), ('2024-02-01'), ('2024-03-01')) as b(m)
    """)
    sales = session.sql("select 'p' || n as account_id, timestamp '2024-02-10' as sold_at, 5.0 as value from range(1, 5) as t(n)")
    accounts, frame, sold, spent = warehouse.tried(session, pursuits, sales, spend, orders)
    chosen = accounts.df()
    first_by_hash = session.sql("select account_id from pursuits order by md5(account_id) limit 2").df()["account_id"]
    assert set(frame["account_id"]) == set(sold["account_id"]) == set(first_by_hash)
    assert set(chosen["account_id"]) - set(frame["account_id"]) == {
        name
        for (name,) in session.sql("select 'prospect ' || n as a from range(1, 4) as t(n) order by md5(a) limit 2").fetchall()
    }
    by_account = spent.groupby("account_id")["amount"].sum()
    # A pursuit stands for two, a prospect for one and a half; of a customer only the months until it bought.
    expected = {name: 60.0 if name.startswith("p") and name != "p4" else 40.0 for name in frame["account_id"]}
    expected |= {name: 45.0 for name in set(chosen["account_id"]) - set(frame["account_id"])}
    assert by_account.to_dict() == expected


def test_the_adopted_definition_is_tried_with_its_figures_at_adoption():
    traits = pd.DataFrame({"industry": ["a", "b", None]}, index=pd.Index(["1", "2", "3"], name="account_id"), dtype=object)
    rule = [{"attribute": "industry", "operator": operator, "value": "a"} for operator in ("=", "!=")]
    segments = pd.DataFrame(
        {
            "segment_id": ["is a", "is not"],
            "rules": [json.dumps([part]) for part in rule],
            "learned_as_of": pd.Timestamp("2024-03-31"),
            "recorded_value_per_pursuit": [7.5, 2.5],
        }
    )
    adopted = bt.adopted_values(segments, traits)
    assert adopted.learned_as_of == pd.Timestamp("2024-03-31")
    assert adopted.value_per_pursuit.to_dict() == {"1": 7.5, "2": 2.5, "3": 2.5}
    assert bt.adopted_values(segments.assign(learned_as_of=pd.NaT), traits) is None
