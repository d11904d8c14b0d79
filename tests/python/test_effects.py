"""Attribute effects against independent statistics, and in worlds whose truth is known."""

from __future__ import annotations

from itertools import product
from math import comb, exp, log, sqrt

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import StratifiedTable

from icp_refinery.learning.effects import evidence
from icp_refinery.learning.effects.attributes import attribute_effects
from icp_refinery.learning.effects.counts import Counts
from icp_refinery.learning.effects.evidence import _change, _exact_p, evidence_of
from icp_refinery.learning.effects.leaks import leak_verdicts_within, suspected
from icp_refinery.studies.effects import (
    simulate_outcomes,
    study_confounded,
    study_leak,
    study_no_signal,
    study_planted,
    study_trend,
)


def _world(cells: dict[tuple[int, str], tuple[int, int]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accounts from (period, value) -> (won, all)."""
    rows = [
        (period, value, float(number < won)) for (period, value), (won, accounts) in cells.items() for number in range(accounts)
    ]
    frame = pd.DataFrame(rows, columns=["period", "value", "won"])
    frame["account_id"] = [f"a{number:05d}" for number in range(len(frame))]
    return frame[["account_id", "period", "won"]], frame.set_index("account_id")[["value"]].rename(columns={"value": "kind"})


def _row(table: pd.DataFrame, value: str, outcome: str = "won") -> pd.Series:
    return table[(table["value"] == value) & (table["outcome"] == outcome)].iloc[0]


STEADY = {
    (quarter, value): (won + quarter, 100 + 10 * quarter)
    for quarter in range(6)
    for value, won in (("bank", 40), ("shop", 20), ("farm", 22))
}


def test_lift_is_the_rate_over_what_the_same_periods_give_to_all():
    row = _row(attribute_effects(*_world(STEADY)), "bank")
    expected = sum(
        n * sum(STEADY[quarter, value][0] for value in ("bank", "shop", "farm")) / (3 * n)
        for quarter in range(6)
        for n in [STEADY[quarter, "bank"][1]]
    )
    accounts = sum(STEADY[quarter, "bank"][1] for quarter in range(6))
    won = sum(STEADY[quarter, "bank"][0] for quarter in range(6))
    assert (row["accounts"], row["successes"]) == (accounts, won)
    assert row["rate"] == pytest.approx(won / accounts)
    assert row["baseline_rate"] == pytest.approx(expected / accounts)
    assert row["lift"] == pytest.approx(won / expected)
    assert (row["verdict"], row["consistency"], row["periods"]) == ("raises", 1.0, 6)


def test_p_value_is_the_cmh_test_with_the_strongest_cycle_left_out():
    # Enough accounts that the normal tail is used, which statsmodels has as well.
    cells = {key: (40 * won, 40 * accounts) for key, (won, accounts) in STEADY.items()}
    cells |= {(quarter, "bank"): (40 * (24 + quarter), 40 * (100 + 10 * quarter)) for quarter in range(6)}
    row = _row(attribute_effects(*_world(cells)), "bank")

    def table(quarter: int) -> np.ndarray:
        won, accounts = cells[quarter, "bank"]
        others = [cells[quarter, value] for value in ("shop", "farm")]
        rest_won, rest = sum(o[0] for o in others), sum(o[1] for o in others)
        return np.array([[won, accounts - won], [rest_won, rest - rest_won]], dtype="float64")

    left_out = [
        StratifiedTable([table(quarter) for quarter in range(6) if quarter != out]).test_null_odds().pvalue for out in range(6)
    ]
    assert row["p_value"] == pytest.approx(max(left_out), rel=1e-6)
    assert StratifiedTable([table(quarter) for quarter in range(6)]).test_null_odds().pvalue < row["p_value"]


def test_small_counts_get_the_exact_tail():
    strata = [(3, 2, 9, 3), (4, 3, 10, 4), (2, 2, 7, 2)]
    probability = {}
    for counts in product(*(range(n1 + 1) for n1, _, _, _ in strata)):
        ways = [comb(m, x) * comb(n - m, n1 - x) / comb(n, n1) for x, (n1, _, n, m) in zip(counts, strata, strict=True)]
        probability[counts] = np.prod(ways)
    columns = [np.array(part, dtype="float64") for part in zip(*strata, strict=True)]
    upper = sum(p for counts, p in probability.items() if sum(counts) >= 7)
    lower = sum(p for counts, p in probability.items() if sum(counts) <= 7)
    assert sum(probability.values()) == pytest.approx(1)
    assert _exact_p(*columns, upper=True) == pytest.approx(2 * upper)
    assert _exact_p(*columns, upper=False) == pytest.approx(min(1, 2 * lower))


def test_a_change_is_judged_by_what_both_times_had_together():
    strata = [(12, 8, 40, 14), (10, 6, 30, 12), (11, 2, 33, 13), (12, 3, 36, 15)]
    columns = [np.array(part, dtype="float64") for part in zip(*strata, strict=True)]

    def ways(sides: list[tuple[int, int, int, int]]) -> dict[int, int]:
        sums = {0: 1}
        for n1, _, n, m in sides:
            here = {x: comb(m, x) * comb(n - m, n1 - x) for x in range(min(n1, m) + 1) if n1 - x <= n - m}
            sums = {
                total: sum(sums.get(total - x, 0) * count for x, count in here.items())
                for total in range(min(sums) + min(here), max(sums) + max(here) + 1)
            }
        return sums

    early, late, total = ways(strata[:2]), ways(strata[2:]), sum(a for _, a, _, _ in strata)
    chances = {x: count * early.get(total - x, 0) for x, count in late.items()}
    lower = sum(count for x, count in chances.items() if x <= 5) / sum(chances.values())
    counts = Counts(*(column[None, :] for column in columns))
    direction, p_value = _change(counts, np.array([0, 1]), np.array([2, 3]))
    assert direction.item() == -1
    assert p_value.item() == pytest.approx(2 * lower)
    # Others that do better by as much are no change: the odds ratio stays.
    same = Counts(*(np.array([part], dtype="float64") for part in ([40, 40], [10, 24], [160, 160], [40, 96])))
    assert _change(same, np.array([0]), np.array([1]))[1].item() > 0.7


def test_a_normal_tail_of_a_change_is_near_the_exact_one(monkeypatch: pytest.MonkeyPatch):
    counts = Counts(*(np.array([part], dtype="float64") for part in ([4000, 4000], [1200, 1300], [20_000, 20_000], [5000, 5000])))
    exact = _change(counts, np.array([0]), np.array([1]))[1].item()
    monkeypatch.setattr(evidence, "EXACT_BELOW_P", 0.0)
    assert _change(counts, np.array([0]), np.array([1]))[1].item() == pytest.approx(exact, rel=0.1)
    assert exact < 0.05


def test_the_latest_figures_are_those_of_the_last_four_quarters_alone():
    outcomes, traits, _ = simulate_outcomes(3000, 4, 1, planted={"won": 2.0})
    whole = attribute_effects(outcomes, traits).set_index(["outcome", "attribute", "value"])
    last = outcomes[outcomes["period"] >= 8]
    alone = _row(attribute_effects(last, traits), "yes")
    row = whole.loc[("won", "planted", "yes")]
    for figure in ("accounts", "rate", "baseline_rate", "lift", "lift_low", "lift_high"):
        assert row[f"latest_{figure}"] == pytest.approx(alone[figure])
    assert alone["trend"] == "unknown"
    # An outcome that takes a year to show has its latest quarters a year ago.
    outcomes["retained"] = outcomes["retained"].where(outcomes["period"] < 8)
    later = attribute_effects(outcomes, traits).set_index(["outcome", "attribute", "value"])
    known = outcomes["retained"].notna() & outcomes["period"].between(4, 7)
    has_it = outcomes["account_id"].map(traits["planted"]) == "yes"
    assert later.loc[("retained", "planted", "yes"), "latest_accounts"] == (known & has_it).sum()


@pytest.mark.slow
def test_what_raises_of_late_only_emerges_and_what_no_longer_does_fades():
    found = study_trend(3)
    assert (found["latest"] == "emerging").all()
    assert (found["earlier"] == "fading").all()
    assert (found["always"] == "stable").all()
    assert found["other"].sum() <= 1


def test_a_single_good_quarter_is_nothing_that_emerges():
    cells = {(quarter, value): (20, 100) for quarter in range(8) for value in ("bank", "shop")}
    cells[6, "bank"] = (95, 100)
    row = _row(attribute_effects(*_world(cells)), "bank")
    assert row["latest_q_value"] < 0.001
    assert row["change_p_value"] < 0.001
    assert row["trend"] == "stable"


def test_interval_in_one_period_is_that_of_the_risk_ratio():
    n1, a, n0, b = 80.0, 40.0, 120.0, 36.0
    counts = Counts(*(np.array([[x]]) for x in (n1, a, n1 + n0, a + b)))
    row = evidence_of("won", [("trait", "kind", "bank")], counts).iloc[0]
    half = 1.959963984540054 * sqrt(1 / a - 1 / n1 + 1 / b - 1 / n0)
    for name, sign in (("lift_low", -1), ("lift_high", 1)):
        ratio = exp(log((a / n1) / (b / n0)) + sign * half)
        # Value against others, told as value against all: the others' rate is fixed at 1, the value's at ratio.
        assert row[name] == pytest.approx(ratio / ((n1 * ratio + n0) / (n1 + n0)), rel=1e-9)


def test_no_success_with_the_value_lowers_without_a_division_by_zero():
    cells = {
        (quarter, value): (won, accounts)
        for quarter in range(8)
        for value, won, accounts in (("dead", 0, 20), ("shop", 60, 200), ("bank", 60, 200))
    }
    table = attribute_effects(*_world(cells))
    row = _row(table, "dead")
    assert ((table["lift_low"] <= table["lift"]) & (table["lift"] <= table["lift_high"])).all()
    assert row["lift"] == 0
    assert row["lift_low"] == 0
    assert 0 < row["lift_high"] < 0.5
    assert row["verdict"] == "lowers"


def test_success_only_with_the_value_is_a_lift_with_both_ends():
    cells = {(quarter, value): (won, 40) for quarter in range(8) for value, won in (("live", 12), ("dead", 0))}
    row = _row(attribute_effects(*_world(cells)), "live")
    assert 1 < row["lift_low"] < row["lift"] == row["lift_high"] == 2


def test_an_effect_in_a_single_cycle_is_no_pattern():
    cells = {(quarter, value): (20, 100) for quarter in range(6) for value in ("bank", "shop")}
    cells[2, "bank"] = (95, 100)
    row = _row(attribute_effects(*_world(cells)), "bank")
    assert row["lift_low"] > 1
    assert row["verdict"] == "no_evidence"
    assert row["q_value"] > 0.5


def test_an_effect_that_changes_its_direction_is_not_consistent():
    cells = {(quarter, "shop"): (200, 1000) for quarter in range(8)}
    cells |= {(quarter, "bank"): (450 if quarter < 4 else 180, 1000) for quarter in range(8)}
    row = _row(attribute_effects(*_world(cells)), "bank")
    assert row["q_value"] < 0.001
    assert row["consistency"] == 0.5
    assert row["verdict"] == "no_evidence"


def test_what_is_tried_does_not_depend_on_outcomes():
    outcomes, traits, behaviours = simulate_outcomes(1500, 12, 3, planted={"won": 2.0})
    shuffled = outcomes.copy()
    shuffled["won"] = outcomes["won"].sample(frac=1, random_state=1).to_numpy()
    tried = [
        attribute_effects(frame[["account_id", "period", "won"]], traits, behaviours)[["attribute", "value", "accounts"]]
        for frame in (outcomes, shuffled)
    ]
    pd.testing.assert_frame_equal(*tried)
    assert (tried[0]["accounts"] >= 30).all()


def test_only_the_most_frequent_values_are_tried():
    outcomes, traits, _ = simulate_outcomes(4000, 1, 0)
    traits = traits.assign(town=[f"town {int(sqrt(number))}" for number in range(4000)])
    table = attribute_effects(outcomes, traits, most_frequent=5)
    towns = table[(table["attribute"] == "town") & (table["outcome"] == "won")]
    assert sorted(towns["value"]) == [f"town {number}" for number in range(58, 63)]
    assert attribute_effects(outcomes, traits, pair_traits=["town"])["kind"].eq("trait").all()


def test_a_first_order_is_not_tested_against_itself_nor_against_winning():
    table = attribute_effects(*simulate_outcomes(2000, 4, 0))
    tried = set(table.loc[table["kind"] == "behaviour", ["attribute", "outcome"]].itertuples(index=False, name=None))
    assert ("first_order_multi_year", "high_value") in tried
    assert ("first_order_services", "add_on") in tried
    assert not any(outcome == "won" for _, outcome in tried)
    assert tried.isdisjoint({("first_order_multi_year", "multi_year"), ("first_order_add_on", "add_on")})
    assert ("first_order_bundle", "add_on") not in tried


def test_a_behaviour_that_raises_is_found():
    outcomes, traits, behaviours = simulate_outcomes(3000, 4, 1)
    winners = outcomes["won"].to_numpy() == 1
    chance = np.where(behaviours["multi_year"].to_numpy() == 1, 0.6, 0.2)
    outcomes["expanded"] = np.where(winners, np.random.default_rng(0).random(3000) < chance, np.nan)
    table = attribute_effects(outcomes, traits, behaviours)
    its = table[(table["attribute"] == "first_order_multi_year") & (table["outcome"] == "expanded")].iloc[0]
    assert its["verdict"] == "raises"


def test_numbers_are_cut_at_readable_bands_and_mostly_zero_counts_keep_their_zero():
    outcomes, _, _ = simulate_outcomes(2000, 1, 0)
    random = np.random.default_rng(0)
    traits = pd.DataFrame(
        {
            "employees": random.lognormal(5, 1, 2000).round(),
            "visits": np.where(random.random(2000) < 0.6, 0, random.poisson(9, 2000) + 1).astype("float64"),
            "level": random.integers(1, 4, 2000).astype("float64"),
            "is_public": random.random(2000) < 0.5,
        },
        index=outcomes["account_id"],
    )
    table = attribute_effects(outcomes[["account_id", "period", "won"]], traits)
    values = table[table["kind"] == "trait"].groupby("attribute")["value"].agg(set)
    # The quintiles are 62, 111, 189 and 333.2.
    assert values["employees"] == {"< 62", "62 to < 110", "110 to < 190", "190 to < 330", ">= 330"}
    assert "0" in values["visits"]
    assert len(values["visits"]) == 5
    assert values["level"] == {"1", "2", "3"}
    assert values["is_public"] == {"true", "false"}
    total = table[table["attribute"] == "employees"]["accounts"].sum()
    assert total == 2000


def test_missing_values_take_no_part_unless_the_trait_knows_one_value():
    cells = {(quarter, value): (won, 60) for quarter in range(6) for value, won in (("a", 30), ("b", 15), ("none", 50))}
    outcomes, traits = _world(cells)
    traits = traits.replace({"kind": {"none": None}})
    traits["tag"] = traits["kind"].where(traits["kind"] == "a")
    table = attribute_effects(outcomes, traits)
    kind, tag = (table[(table["attribute"] == name) & (table["value"] == "a")].iloc[0] for name in ("kind", "tag"))
    assert kind["baseline_rate"] == pytest.approx(45 / 120)
    assert tag["baseline_rate"] == pytest.approx(95 / 180)
    assert set(table["value"]) == {"a", "b"}


def test_same_rows_in_any_order_give_the_same_table():
    outcomes, traits, behaviours = simulate_outcomes(1500, 12, 5, planted={"won": 2.0})
    mixed = [frame.sample(frac=1, random_state=seed) for seed, frame in enumerate((outcomes, traits, behaviours))]
    mixed[1] = mixed[1][mixed[1].columns[::-1]]
    expected = attribute_effects(outcomes, traits, behaviours)
    pd.testing.assert_frame_equal(attribute_effects(*mixed), expected, check_exact=True)
    long = outcomes.melt(["account_id", "period"], var_name="outcome", value_name="value")
    pd.testing.assert_frame_equal(attribute_effects(long, traits, behaviours), expected, check_exact=True)


def test_without_signal_there_are_no_verdicts_and_no_leaks():
    found = study_no_signal(8, accounts=1500, traits=12)
    assert (found["tests"] > 900).all()
    assert (found["verdicts"] > 0).sum() <= 1
    assert (found["trends"] > 0).sum() <= 1
    assert (found["leaks"] > 0).sum() == 0


def test_a_trait_that_only_came_up_with_the_times_gets_no_evidence():
    found = study_confounded(5)
    assert (found["crude_lift"] > 1.1).all()
    assert (found["verdicts"] > 0).sum() == 0
    assert (found["trends"] > 0).sum() == 0
    assert not found["is_leak"].any()


def test_a_trait_filled_in_for_winners_is_a_leak_and_no_other_is():
    found = study_leak(4, accounts=1500)
    assert found["flagged"].all()
    assert (found["verdicts"] == 0).all()
    assert (found["others_flagged"] == 0).all()
    leaks = leak_verdicts_within(*simulate_outcomes(1500, 8, 0, leaking=True)[:2])
    assert suspected(leaks) == ["enriched"]
    table = leaks.set_index("attribute")
    assert table.loc["enriched", "missingness_information"] > 0.5


@pytest.mark.parametrize(("winners", "losers", "leaks"), [(55, 25, True), (25, 55, False), (45, 40, False)])
def test_what_is_filled_in_far_more_often_for_winners_is_suspected(winners: int, losers: int, leaks: bool):
    random = np.random.default_rng(0)
    won = np.tile([1.0] * 100 + [0.0] * 300, 8)
    there = np.tile(np.r_[np.arange(100) < winners, np.arange(300) < 3 * losers], 8)
    accounts = [f"a{number}" for number in range(len(won))]
    outcomes = pd.DataFrame({"account_id": accounts, "period": np.repeat(range(8), 400), "won": won})
    town = np.where(there, random.choice(["north", "south"], len(won)).astype(object), None)
    row = leak_verdicts_within(outcomes, pd.DataFrame({"town": town}, index=accounts)).iloc[0]
    assert row["information_value"] < 0.5
    assert row["is_suspected"] == leaks


def test_information_value_is_the_usual_one():
    cells = {(0, "known"): (900, 1000), (0, "not"): (600, 4000)}
    table = leak_verdicts_within(*_world(cells))
    usual = sum((won / 1500 - lost / 3500) * log((won / 1500) / (lost / 3500)) for won, lost in ((900, 100), (600, 3400)))
    assert table["information_value"].item() == pytest.approx(usual, abs=0.01)


def test_planted_effects_are_found_and_nothing_beside_them():
    found = study_planted(5)
    assert found[["found_won", "found_multi_year"]].all(axis=None)
    assert found[["covered_won", "covered_multi_year"]].mean(axis=None) >= 0.8
    assert (found["false_verdicts"] > 0).sum() <= 1


@pytest.mark.parametrize("accounts", [0, 1, 25, 200])
def test_small_and_dull_worlds_build_and_claim_nothing(accounts: int):
    outcomes, traits, behaviours = simulate_outcomes(200, 4, 0)
    outcomes, traits = outcomes.head(accounts), traits.assign(same="alike", id=outcomes["account_id"].to_numpy(), void=None)
    table = attribute_effects(outcomes, traits, behaviours)
    assert (table["verdict"] == "no_evidence").all()
    assert not set(table["attribute"]) & {"same", "id", "void"}
    assert table.columns.tolist()[:3] == ["outcome", "attribute", "value"]


def test_with_winners_only_nothing_is_said_about_winning():
    outcomes, traits, behaviours = simulate_outcomes(2000, 4, 0)
    won = outcomes[outcomes["won"] == 1]
    table = attribute_effects(won, traits, behaviours)
    assert "won" not in set(table["outcome"])
    assert "add_on" in set(table["outcome"])
    assert (table["leak_note"] == "").all()
    assert leak_verdicts_within(won, traits)["information_value"].isna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="period"), "period"),
        (lambda frame: pd.concat([frame, frame.head(1)]), "twice"),
        (lambda frame: frame.assign(won=frame["won"] * 2), "1, 0 or missing"),
        (lambda frame: frame.assign(period=frame["period"].where(frame["period"] > 3)), "without a period"),
    ],
)
def test_outcomes_that_cannot_be_read_are_named(change, message: str):
    outcomes, traits, _ = simulate_outcomes(200, 2, 0)
    with pytest.raises(ValueError, match=message):
        attribute_effects(change(outcomes), traits)


@pytest.mark.slow
def test_100_000_accounts_and_40_traits_are_all_tried():
    table = attribute_effects(*simulate_outcomes(100_000, 40, 0))
    assert len(table) > 5000
