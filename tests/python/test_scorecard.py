"""Scorecard: scores mean what they say, explain themselves, agree with the tiers, and claim nothing where there is nothing."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from conftest import BuildResult, frame, seeds
from icp_refinery.learning import scorecard as sc
from icp_refinery.learning.calibration import score_calibration
from icp_refinery.learning.conditions import assign
from icp_refinery.learning.effects.leaks import leak_verdicts, suspected
from icp_refinery.learning.segments import Learned, learn_segments
from icp_refinery.studies.worlds import World, additive_world, captured, world

BOUNDS = {"tier_1": (56.4, 100), "tier_2": (50, 100), "tier_3": (0, 100), "deprioritized": (0, 50)}


def scored(it: World) -> tuple[Learned, pd.DataFrame, pd.Series, pd.Series]:
    """What was learned, the scorecard, the segment and the score of every account."""
    learned = learn_segments(it.pursuits, it.traits)
    card = sc.learn_scorecard(it.pursuits, it.traits, learned)
    segment = assign(it.traits, learned.rules)
    return learned, card, segment, sc.fit_scores(it.traits, card, segment)


@functools.cache
def scored_additive(seed: int) -> tuple[World, Learned, pd.DataFrame, pd.Series, pd.Series]:
    it = additive_world(3000, seed)
    return it, *scored(it)


def of_traits(card: pd.DataFrame) -> pd.DataFrame:
    return card[card["attribute"].notna() & (card["attribute"] != "segment")]


def agreeing(tier: pd.Series, score: pd.Series) -> bool:
    low, high = (tier.map({name: ends[end] for name, ends in BOUNDS.items()}) for end in (0, 1))
    return bool(((low <= score) & (score <= high)).all())


# What scores mean -------------------------------------------------------------------------------------------


def test_scores_rank_new_prospects_as_segments_do_or_better_and_mean_what_they_say():
    lost, slopes, means = [], [], []
    for seed in seeds(3, 4):
        it = world(3000, seed, prospects=2000)
        learned, card, segment, score = scored(it)
        new, truth = it.is_prospect, it.expected_value
        by_segment = segment.map(learned.segments.set_index("segment_id")["value_per_pursuit"])
        lost.append(captured(by_segment[new], truth[new]) - captured(score[new], truth[new]))
        said = sc.expected_values(score[new], 1.0)
        slopes.append(np.polyfit(np.log(said), np.log(truth[new] / truth[new].mean()), 1)[0])
        means.append(said.mean())
        assert score[new].iloc[:1500].nunique() >= 100
        reasons = card["reasons"].map(json.loads).explode().dropna()
        assert {part["attribute"] for part in reasons} <= set(it.traits.columns)
    assert max(lost) < 0.01
    assert 0.8 < np.median(slopes) < 1.25
    assert 0.9 < np.mean(means) < 1.1


def test_few_pursuits_are_ranked_better_than_by_their_segments():
    gained = []
    for seed in seeds(3, 6):
        it = world(600, seed, hard=True, prospects=2000)
        learned, _, segment, score = scored(it)
        new, truth = it.is_prospect, it.expected_value
        by_segment = segment.map(learned.segments.set_index("segment_id")["value_per_pursuit"])
        gained.append(captured(score[new], truth[new]) - captured(by_segment[new], truth[new]))
    assert np.mean(gained) > 0.04


def test_many_small_effects_rank_prospects_better_than_segments_do():
    gained, slopes = [], []
    for seed in range(3):
        it, learned, card, segment, score = scored_additive(seed)
        new, truth = it.is_prospect, it.expected_value
        by_segment = segment.map(learned.segments.set_index("segment_id")["value_per_pursuit"])
        gained.append(captured(score[new], truth[new]) - captured(by_segment[new], truth[new]))
        said = np.log(sc.expected_values(score[new], 1.0))
        slopes.append(np.polyfit(said, np.log(truth[new] / truth[new].mean()), 1)[0])
        mattering = {
            "lead_source",
            "seniority",
            "funding_stage",
            "tech_stack",
            "job_function",
            "employee_count",
            "annual_revenue",
        }
        size = of_traits(card)["points"].abs().groupby(card["attribute"]).max()
        assert set(size[size > 5].index) <= mattering
        assert agreeing(segment.map(learned.segments.set_index("segment_id")["tier"]), score)
    assert min(gained) > 0.02
    assert 0.8 < np.median(slopes) < 1.25


def test_the_mean_of_what_scores_stand_for_is_the_overall_value():
    it, _, card, _, score = scored_additive(0)
    assert len(of_traits(card)) > 20
    assert sc.expected_values(score[it.pursuits["account_id"]], 1.0).mean() == pytest.approx(1, abs=0.03)


def test_without_signal_scores_are_about_50_for_everyone():
    spread = []
    for seed in seeds(3, 5):
        learned, _, _, score = scored(world(600, seed, signal=False, prospects=300))
        assert learned.segments["tier"].eq("tier_3").all()
        spread.append(np.diff(np.quantile(score, [0.025, 0.975]))[0])
    assert max(spread) < 5


@pytest.mark.parametrize("true_slope", [0.0, 0.4, 0.9])
def test_how_much_shows_is_the_slope_of_the_logarithm_of_outcomes_and_chance_only_where_nothing_does(true_slope):
    rng = np.random.default_rng(0)
    told = rng.normal(0, 0.8, 5000)
    mean = np.exp(true_slope * told)
    seen = rng.poisson(0.3 * mean / mean.mean()) / 0.3 - 1
    slope, signal = sc._shown(told, seen - seen.mean(), 1.0, is_ratio=True)
    if true_slope:
        assert slope == pytest.approx(true_slope, abs=0.1)
    assert signal == pytest.approx(float(true_slope > 0), abs=0.05)


@pytest.mark.parametrize("rows", [1, 2, 25])
def test_a_handful_of_pursuits_gives_the_base_only(rows):
    it = world(25, 0, prospects=0)
    few = it._replace(pursuits=it.pursuits.iloc[:rows])
    assert set(scored(few)[-1]) == {50.0}
    sales = pd.DataFrame({"account_id": [], "sold_on": pd.to_datetime([]), "value": []})
    assert len(score_calibration(few.pursuits, few.traits, sales)) <= 2


def test_traits_that_are_suspected_as_leaks_get_no_points():
    it = world(2000, 3, trouble="leak", prospects=500)
    flagged = set(suspected(leak_verdicts(it.pursuits, it.traits)))
    assert "billing_system" in flagged
    _, card, _, _ = scored(it)
    assert len(of_traits(card))
    assert not flagged & set(of_traits(card)["attribute"])


def test_a_trait_called_segment_is_not_taken_for_a_segment():
    it = scored_additive(0)[0]
    renamed = it._replace(traits=it.traits.rename(columns={"lead_source": "segment"}))
    learned, card, _, _ = scored(renamed)
    assert set(card.loc[card["attribute"] == "segment", "value"]) == set(learned.segments["segment_id"])


# Scores and tiers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pair", "two_rules", "size"])
def test_a_tier_bounds_the_score_however_many_points_a_trait_brings(kind):
    it = world(1500, 1, kind=kind, strength=5, prospects=1500)
    learned, card, segment, score = scored(it)
    tier = segment.map(learned.segments.set_index("segment_id")["tier"])
    assert {"tier_1", "deprioritized"} <= set(tier)
    assert agreeing(tier, score)
    row = dict.fromkeys(card.columns) | {"operator": "between", "value": "[0, null]", "n": 1, "wins": 1, "reasons": "[]"}
    for points in (60.0, -60.0):
        more = pd.DataFrame([row | {"attribute": "webinar_count", "points": points}])
        pushed = sc.fit_scores(it.traits, pd.concat([card, more]), segment)
        assert (pushed - score).abs().max() > 20
        assert agreeing(tier, pushed)
        assert pushed[tier.isin(["tier_1", "tier_2"])].min() >= pushed[tier == "deprioritized"].max()


def test_where_the_overall_value_is_not_above_0_points_are_differences():
    it = world(3000, 2)
    value = it.pursuits["value"] - it.pursuits["value"].mean() * 1.1
    negative = it._replace(pursuits=it.pursuits.assign(value=value, is_won=True, months_observed=24.0))
    learned, _, segment, score = scored(negative)
    listed = learned.segments.set_index("segment_id")
    assert listed["lift"].isna().all()
    assert len(listed) > 1
    means = score.groupby(segment).mean().reindex(listed.index)
    assert (means.sort_values().index == listed["value_per_pursuit"].sort_values().index).all()
    assert agreeing(segment.map(listed["tier"]), score)


# Reasons ----------------------------------------------------------------------------------------------------


def test_the_reasons_of_a_segment_add_up_to_its_points_and_name_the_traits_of_its_rule():
    it = world(3000, 0, kind="set_and_size", strength=5)
    learned, card, _, _ = scored(it)
    for row in card[card["attribute"] == "segment"].itertuples():
        said = json.loads(row.reasons)
        rule = learned.rules[learned.rules["segment_id"] == row.value]
        assert len(said) <= rule["attribute"].nunique()
        assert sum(float(part["points"]) for part in said) == pytest.approx(row.points, abs=0.5 * rule["attribute"].nunique())
    best = json.loads(card.loc[card["points"].where(card["attribute"] == "segment").idxmax(), "reasons"])
    large = [part["reason"] for part in best if float(part["points"]) > 5]
    assert len(large) == 2
    assert any("employees" in reason for reason in large)


def test_a_trait_that_adds_nothing_gets_nothing_of_the_segments_points():
    rng = np.random.default_rng(0)
    traits = pd.DataFrame({"industry": rng.choice(["a", "b"], 400), "region": rng.choice(["x", "y"], 400)}, dtype=object)
    given = np.where(traits["industry"] == "a", 20.0, -20.0)
    rule = [sc.Condition("industry", "=", "a"), sc.Condition("region", "=", "x")]
    [(_, _, industry), (_, _, region)] = sc._parts(rule, 20.0, traits, given)
    assert region == pytest.approx(0, abs=1)
    assert industry + region == pytest.approx(20)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (("industry", "=", "Financial Services"), "industry is Financial Services"),
        (("industry", "in", '["a", "b", "c", "d", "e"]'), "industry is a, b or 3 more"),
        (("industry", "not_in", '["a", "b"]'), "industry other than a or b"),
        (("employee_count", ">=", "200"), "200 or more employees"),
        (("employee_count", "<", "200"), "below 200 employees or unknown"),
        (("lead_source", "is_missing", None), "lead source unknown"),
        (("engagement_webinar", "is_missing", None), "no engagement webinar"),
    ],
)
def test_a_condition_reads_as_a_person_would_say_it(condition, said):
    assert sc.words([sc.Condition(*condition)]) == said


# Determinism ------------------------------------------------------------------------------------------------


def test_the_order_of_rows_and_columns_changes_nothing():
    it = additive_world(2000, 1)
    learned, card, _, score = scored(it)
    rng = np.random.default_rng(0)
    pursuits = it.pursuits.sample(frac=1, random_state=1)
    traits = it.traits.sample(frac=1, random_state=2)[list(rng.permutation(it.traits.columns))]
    again = sc.learn_scorecard(pursuits, traits, learned)
    assert len(of_traits(card))
    pd.testing.assert_frame_equal(card, again)
    pd.testing.assert_series_equal(score.sort_index(), sc.fit_scores(traits, again, assign(traits, learned.rules)).sort_index())


# Out of time ------------------------------------------------------------------------------------------------


def sales_of(it: World) -> pd.DataFrame:
    won = it.pursuits[it.pursuits["is_won"]]
    return won.rename(columns={"closed_on": "sold_on"})[["account_id", "sold_on", "value"]]


def steady_world(seed: int) -> World:
    """A planted world in which a win is one sale, so that nothing is still to come."""
    it = world(3000, seed, kind="set", strength=4, prospects=10)
    bought = it.pursuits["value"] / np.where(it.pursuits["months_observed"] >= 12, 1 + 0.6, 1)
    return it._replace(pursuits=it.pursuits.assign(value=bought))


@pytest.mark.slow
def test_scores_hold_for_pursuits_that_began_after_they_were_learned():
    bands = pd.concat([score_calibration((it := steady_world(seed)).pursuits, it.traits, sales_of(it)) for seed in seeds(5, 8)])
    known = bands[bands["value_low"].notna()]
    assert len(known) >= 8
    assert known["predicted_value"].between(known["value_low"], known["value_high"]).mean() >= 0.65
    assert known["value_per_pursuit"].corr(known["predicted_value"]) > 0.9
    assert (bands["value_low"].isna() == (bands["wins"] < 5)).all()


def test_bands_add_up_to_all_and_split_at_the_cut_off():
    it = steady_world(0)
    bands = score_calibration(it.pursuits, it.traits, sales_of(it)).set_index("score_band")
    cutoff = bands.loc["all", "cutoff_on"]
    later = it.pursuits[it.pursuits["began_on"] >= cutoff]
    assert bands.loc["all", "n"] == bands.drop("all")["n"].sum() == len(later)
    assert 0.3 < len(later) / len(it.pursuits) < 0.4
    assert bands.loc["all", "wins"] == bands.drop("all")["wins"].sum() == later["is_won"].sum()
    assert bands.loc["all", "learned_from_pursuits"] == (it.pursuits["closed_on"] < cutoff).sum()


def test_nothing_that_happened_after_the_cut_off_changes_the_prediction():
    it = steady_world(1)
    bands = score_calibration(it.pursuits, it.traits, sales_of(it))
    cutoff = bands["cutoff_on"].iloc[0]
    after = it.pursuits["closed_on"] >= cutoff
    sales = sales_of(it)
    again = sales.assign(sold_on=cutoff + pd.Timedelta(days=40), value=sales["value"] * 3)  # sold once more, later
    turned = it.pursuits.assign(is_won=it.pursuits["is_won"] ^ after)
    turned["value"] = np.where(turned["is_won"], turned["value"] * 4 + 1000 * after, 0.0)
    turned["months_observed"] = np.where(turned["is_won"], 24.0, np.nan)
    other = score_calibration(turned, it.traits, pd.concat([sales, again]))
    same = ["score_band", "cutoff_on", "learned_from_pursuits", "n", "mean_score", "predicted_value"]
    pd.testing.assert_frame_equal(bands[same], other[same])
    assert (bands["value_per_pursuit"] != other["value_per_pursuit"]).all()


# In the warehouse -------------------------------------------------------------------------------------------


def by_the_library(database: Path) -> tuple[pd.Series, pd.DataFrame]:
    """The score and the three reasons of every account, from what was learned and the traits."""
    with duckdb.connect(str(database), read_only=True) as connection:
        card = connection.execute("select * from learned.learned_scorecard").df()
        traits = connection.execute("select * from intermediate.int_accounts__traits").df()
        placed = connection.execute("select account_id, segment_id from applied.int_accounts__segments").df()
    segment = placed.set_index("account_id")["segment_id"].sort_index()
    wide = pd.DataFrame(index=segment.index)
    for attribute, rows in traits.groupby("attribute"):
        column = "number" if rows["number"].notna().any() else "value"
        wide[attribute] = rows.set_index("account_id")[column].astype(float if column == "number" else object)
    said = {account: {} for account in segment.index}
    for row in card.sort_values("attribute", key=lambda names: names != "segment").itertuples():
        if pd.isna(row.attribute):
            continue
        one = pd.DataFrame([row._asdict()]).assign(points=100.0, lowest=0.0, highest=100.0)
        met = wide.index[sc.fit_scores(wide, one, segment) == 100]
        for part in json.loads(row.reasons):
            for account in met:
                before = said[account].get(part["attribute"], (0.0, ""))[0]
                said[account][part["attribute"]] = (round(before + float(part["points"]), 1), part["reason"])
    reasons = {account: told(parts.values()) for account, parts in said.items()}
    return sc.fit_scores(wide, card, segment), pd.DataFrame.from_dict(reasons, orient="index")


def told(parts: Iterable[tuple[float, str]]) -> list[str | None]:
    """The three traits with the most points, in words; a trait is named once, by its level where that has points."""
    ranked = sorted((-abs(points), reason, points) for points, reason in parts if abs(points) >= 0.5)[:3]
    words = [f"{reason} ({int(np.copysign(np.floor(abs(points) + 0.5), points)):+d})" for _, reason, points in ranked]
    return (words + [None] * 3)[:3]


@pytest.mark.slow
@pytest.mark.parametrize("company", ["demo", "adventureworks"])
def test_sql_scores_every_account_as_the_library_does(company: str, request: pytest.FixtureRequest) -> None:
    result: BuildResult = request.getfixturevalue(company)
    accounts = frame(result.database, "marts.dim_accounts").set_index("account_id").sort_index()
    score, reasons = by_the_library(result.database)
    assert accounts["fit_score"].to_dict() == score.reindex(accounts.index).to_dict()
    found = accounts[["reason_1", "reason_2", "reason_3"]].to_numpy(dtype=object).tolist()
    assert found == reasons.reindex(accounts.index).astype(object).where(lambda r: r.notna(), None).to_numpy().tolist()


@pytest.mark.slow
def test_the_planted_buyers_score_high_and_know_why(demo: BuildResult) -> None:
    accounts = frame(demo.database, "marts.dim_accounts")
    buyers = accounts.query("industry == 'Financial Services' and 200 <= employee_count < 1000", engine="python")
    assert buyers["fit_score"].min() > 70
    assert buyers["reason_1"].str.contains("Financial Services").all()
    media = accounts.query("industry == 'Media' and employee_count < 50", engine="python")
    assert media["fit_score"].max() < 40
    assert media["reason_1"].notna().all()


@pytest.mark.slow
def test_where_margins_are_below_0_scores_are_not_all_at_the_ends(adventureworks: BuildResult) -> None:
    scores = frame(adventureworks.database, "marts.dim_accounts")["fit_score"].astype(float)
    assert scores.between(1, 99).mean() > 0.9
    bands = frame(adventureworks.database, "marts.icp_score_calibration")
    assert (bands.loc[bands["score_from"] < 40, "predicted_value"].min()) < 0


@pytest.mark.slow
def test_a_company_with_one_order_scores_50_everywhere(one_order: BuildResult) -> None:
    assert set(frame(one_order.database, "marts.dim_accounts")["fit_score"]) == {50.0}
    assert frame(one_order.database, "marts.dim_accounts")["reason_1"].isna().all()
    [row] = frame(one_order.database, "marts.icp_scorecard").to_dict("records")
    assert (row["attribute"], row["points"], row["account_count"], row["pursuit_count"]) == (None, 50.0, 25, 1)
    assert frame(one_order.database, "marts.icp_score_calibration").empty


@pytest.mark.slow
def test_the_demo_companys_calibration_counts_every_later_pursuit_once(demo: BuildResult) -> None:
    bands = frame(demo.database, "marts.icp_score_calibration").set_index("score_band")
    with duckdb.connect(str(demo.database), read_only=True) as connection:
        [(later, won)] = connection.execute(
            "select count(*), count(*) filter (where is_won) from intermediate.int_pursuits where began_at >= ?",
            [bands.loc["all", "cutoff_on"]],
        ).fetchall()
    assert (bands.loc["all", "pursuit_count"], bands.loc["all", "won_pursuit_count"]) == (later, won)
    assert bands.drop("all")["pursuit_count"].sum() == later


def test_predicted_and_observed_count_what_is_sold_over_the_same_window():
    """Fifteen months of deals, of which half are won; each win sells 100 at once and 300 a year later."""
    random = np.random.default_rng(8)
    n = 1500
    began = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.sort(random.integers(0, 450, n)), "D")
    closed, won = began + pd.Timedelta(days=10), random.random(n) < 0.5
    account = [f"a{number:04d}" for number in range(n)]
    pursuits = pd.DataFrame({"account_id": account, "began_on": began, "closed_on": closed, "is_won": won})
    pursuits = pursuits.assign(value=np.where(won, 400.0, 0.0), months_observed=np.where(won, 24.0, np.nan))
    traits = pd.DataFrame({"kind": random.choice(["a", "b"], n)}, index=pd.Index(account, name="account_id"), dtype=object)
    wins = pursuits.loc[won, ["account_id", "closed_on"]].rename(columns={"closed_on": "sold_on"})
    sales = pd.concat([wins.assign(value=100.0), wins.assign(sold_on=wins["sold_on"] + pd.Timedelta(days=366), value=300.0)])
    found = score_calibration(pursuits, traits, sales).set_index("score_band").loc["all"]
    # At the cut-off, after ten months, nobody knew of what comes after a year.
    assert found["window_months"] == 6
    assert found["predicted_value"] == pytest.approx(50, rel=0.15)
    assert found["value_per_pursuit"] == pytest.approx(50, rel=0.15)
    assert found["predicted_low"] < found["predicted_value"] < found["predicted_high"]
