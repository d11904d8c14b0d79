"""Segments: they partition all accounts, find what is planted, and claim nothing where there is nothing."""

from __future__ import annotations

import json

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icp_refinery.learning import segments, tree
from icp_refinery.learning.conditions import RULE_COLUMNS, Condition, assign, holds, segment_id
from icp_refinery.learning.effects.leaks import certainty, leak_verdicts, suspected
from icp_refinery.learning.segments import learn_segments
from icp_refinery.learning.traits import is_numeric
from icp_refinery.learning.value import expected_value
from icp_refinery.learning.words import definition, rule_name
from icp_refinery.studies.segments import segments_study
from icp_refinery.studies.worlds import World, captured, world

EVERYONE = "seg_" + "4f53cda18c"  # sha256 of "[]"


def learned_from(it: World) -> tuple[segments.Learned, pd.Series]:
    learned = learn_segments(it.pursuits, it.traits)
    return learned, assign(it.traits, learned.rules)


def by_segment(learned: segments.Learned) -> pd.DataFrame:
    return learned.segments.set_index("segment_id")


def has_no_claim(learned: segments.Learned) -> bool:
    return (learned.segments["tier"] == "tier_3").all()


# A partition ------------------------------------------------------------------------------------------------


@st.composite
def random_company(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pursuits, and traits of them and of as many prospects, some with values that no pursuit has."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pursuits = draw(st.integers(80, 400))
    accounts = 2 * pursuits
    columns: dict[str, np.ndarray] = {}
    effect = np.zeros(accounts)
    for number in range(draw(st.integers(1, 5))):
        missing = rng.random(accounts) < draw(st.sampled_from([0.0, 0.1, 0.5, 0.95]))
        if draw(st.booleans()):
            values = rng.integers(0, draw(st.sampled_from([1, 2, 5, 40])), accounts)
            effect += np.sin(values * (number + 1))
            names = np.array([f"v'{v}\"é" for v in values], dtype=object)
            names[pursuits:][rng.random(pursuits) < 0.2] = "never seen"
            columns[f"trait {number}"] = np.where(missing, None, names)
        else:
            values = rng.choice([1.0, 1e6, -1.0, 0.1], accounts) * rng.integers(0, 9, accounts)
            effect += np.tanh(values)
            columns[f"trait {number}"] = np.where(missing, np.nan, values)
        effect += rng.normal() * missing
    traits = pd.DataFrame(columns, index=pd.Index([f"a{n}" for n in range(accounts)], name="account_id"))
    won = rng.random(accounts) < 1 / (1 + np.exp(-effect))
    began = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 700, accounts), unit="D")
    frame = pd.DataFrame(
        {
            "account_id": traits.index,
            "began_on": began,
            "closed_on": began + pd.Timedelta(days=30),
            "is_won": won,
            "value": np.where(won, rng.lognormal(9, 1, accounts), 0.0),
            "months_observed": np.where(won, 24.0, np.nan),
        }
    ).iloc[:pursuits]
    return frame, traits


@settings(max_examples=25, deadline=None, derandomize=True)
@given(random_company())
def test_learned_rules_put_every_account_in_exactly_one_segment(company):
    pursuits, traits = company
    with pytest.MonkeyPatch.context() as patch:
        # Every split that the tree can make shall be tried, also those without evidence.
        patch.setattr(segments, "LEVEL", 1.0)
        patch.setattr(tree, "LEAST_T", -np.inf)
        patch.setattr(tree, "LEAST_GAIN", 0.0)
        patch.setattr(segments, "PERMUTATIONS", 19)
        learned = learn_segments(pursuits, traits)
    found = assign(traits, learned.rules)  # raises where an account is in none or in two
    listed = by_segment(learned)
    assert set(found) <= set(listed.index)
    of_pursuits = found.loc[pursuits["account_id"]]
    assert of_pursuits.value_counts().to_dict() == listed["pursuits"].to_dict()
    assert listed["wins"].sum() == pursuits["is_won"].sum()
    assert len(listed) <= 12
    assert listed["segment_name"].is_unique
    for segment, rows in learned.rules.groupby("segment_id"):
        assert len(rows) <= 4
        conditions = [Condition(r.attribute, r.operator, r.value) for r in rows.itertuples()]
        assert segment == segment_id(conditions[::-1])


SQL = {
    "=": "coalesce(cast(trait as varchar) = ?, false)",
    "!=": "coalesce(cast(trait as varchar) <> ?, true)",
    "in": "coalesce(list_contains(from_json(?, '[\"varchar\"]'), trait), false)",
    "not_in": "coalesce(not list_contains(from_json(?, '[\"varchar\"]'), trait), true)",
    ">=": "coalesce(trait >= cast(? as double), false)",
    "<": "coalesce(trait < cast(? as double), true)",
}


@pytest.mark.parametrize("operator", sorted(SQL))
def test_an_operator_treats_missing_values_as_sql_does(operator):
    if operator in (">=", "<"):
        column = pd.Series([1.0, 200.0, 199.5, np.nan], name="trait")
        value = "200"
    else:
        column = pd.Series(["a", "b", 'q"', "A", None], dtype=object, name="trait")
        value = json.dumps(["a", 'q"']) if operator in ("in", "not_in") else "a"
    frame = column.to_frame()  # read by DuckDB
    kind = "double" if operator in (">=", "<") else "varchar"
    query = f"select {SQL[operator]} from (select cast(nullif(trait, 'nan') as {kind}) as trait from frame)"
    if kind == "double":
        query = f"select {SQL[operator]} from (select case when isnan(trait) then null else trait end as trait from frame)"
    expected = [row[0] for row in duckdb.execute(query, [value]).fetchall()]
    assert holds(frame["trait"], operator, value).tolist() == expected


def test_rules_that_overlap_or_leave_a_gap_are_refused():
    traits = pd.DataFrame({"industry": ["a", "b", None]}, index=["1", "2", "3"], dtype=object)
    rules = pd.DataFrame([["s1", 1, "industry", "=", "a"]], columns=RULE_COLUMNS)
    with pytest.raises(ValueError, match="2 accounts"):
        assign(traits, rules)
    everyone = pd.concat([rules, rules.assign(segment_id="s2", operator="is_missing", value=None)])
    with pytest.raises(ValueError, match="1 accounts"):
        assign(traits, everyone)


# What is planted --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found() -> pd.DataFrame:
    """A row per world with signal: value captured, overlap with what is planted, intervals that cover."""
    rows = []
    for seed in range(5):
        it = world(3000, seed)
        learned, account = learned_from(it)
        listed = by_segment(learned)
        prospect = it.is_prospect
        score = account.map(listed["value_per_pursuit"])
        truth = (it.expected_value.groupby(account).mean() / it.expected_value.mean()).reindex(listed.index)
        first = account.map(listed["tier"]).eq("tier_1")
        rows.append(
            {
                "captured": captured(score[prospect], it.expected_value[prospect]),
                "jaccard": (first & it.is_planted).sum() / (first | it.is_planted).sum(),
                "covered": ((listed["lift_low"] <= truth) & (truth <= listed["lift_high"])).sum(),
                "segments": len(listed),
            }
        )
    return pd.DataFrame(rows)


def test_new_prospects_are_ranked_nearly_as_well_as_by_the_truth(found):
    assert found["captured"].median() >= 0.95


def test_the_planted_accounts_are_those_of_tier_1(found):
    assert found["jaccard"].median() >= 0.7


def test_intervals_of_lift_cover_the_truth(found):
    assert found["covered"].sum() / found["segments"].sum() >= 0.9


def test_a_segment_can_be_a_set_of_values_in_any_order():
    rng = np.random.default_rng(7)
    it = world(2000, 1, signal=False, prospects=0)
    codes = rng.integers(0, 12, 2000)
    planted = {1, 4, 6, 9}
    traits = it.traits.assign(code=pd.Series([f"c{n:02}" for n in codes], it.traits.index, dtype=object))
    won = rng.random(2000) < np.where(np.isin(codes, list(planted)), 0.5, 0.15)
    frame = it.pursuits.assign(is_won=won, months_observed=np.where(won, 24.0, np.nan))
    frame["value"] = np.where(won, rng.lognormal(9, 0.8, 2000), 0.0)
    learned = learn_segments(frame, traits)
    best = learned.segments.loc[learned.segments["tier"] == "tier_1", "segment_id"]
    rules = learned.rules[learned.rules["segment_id"].isin(best)]
    values = [json.loads(v) for v in rules.loc[rules["operator"].eq("in") & rules["attribute"].eq("code"), "value"]]
    assert sorted(v for listed in values for v in listed) == [f"c{n:02}" for n in sorted(planted)]
    unheard_of = traits.assign(code=pd.Series(["c99", None] * 1000, traits.index, dtype=object))
    assert not assign(unheard_of, learned.rules).isin(best).any()


@pytest.mark.parametrize("seed", [207, 212])
def test_figures_are_of_the_segment_s_own_accounts_whichever_split_a_fold_finds_first(seed):
    learned, account = learned_from(it := world(3000, seed, prospects=3000))
    first = account.map(by_segment(learned)["tier"]).eq("tier_1")
    assert (first & it.is_planted).sum() / (first | it.is_planted).sum() > 0.8
    kept = learned.model_notes.set_index("topic").loc["cross-fit", "note"]
    assert int(kept.split("%")[0]) > 80


def test_renaming_the_values_of_a_trait_renames_the_finding_only():
    it = world(1500, 3, kind="set", strength=5.0, prospects=500)
    names = {c: {v: f"x{hash_free(v)}" for v in it.traits[c].dropna().unique()} for c in ["industry", "country"]}
    renamed = it.traits.assign(**{c: it.traits[c].map(to).astype(object) for c, to in names.items()})
    before, after = learned_from(it)[1], assign(renamed, learn_segments(it.pursuits, renamed).rules)
    together = pd.crosstab(before, after)
    assert before.nunique() > 1
    assert ((together > 0).sum() == 1).all()


def hash_free(text: str) -> str:
    """Another name, in another alphabetical order."""
    return "".join(chr(155 - ord(c)) if c.isupper() else "-" for c in text)


# Nothing is there -------------------------------------------------------------------------------------------


def test_without_signal_there_is_one_segment_and_no_claim():
    found = [learned_from(world(400, seed, signal=False, prospects=50))[0] for seed in range(12)]
    assert sum(len(learned.segments) > 1 for learned in found) <= 5  # by chance, one in five
    assert sum(not has_no_claim(learned) for learned in found) <= 1


def test_on_weak_evidence_accounts_are_ordered_and_nothing_is_claimed():
    it = world(600, 130, prospects=1000)
    learned, account = learned_from(it)
    p = float(learned.segments["evidence"].iloc[0].rsplit(" ", 1)[1])
    assert segments.LEVEL < p <= segments.PROVISIONAL
    assert learned.segments["evidence"].str.startswith("not enough evidence: ").all()
    assert has_no_claim(learned)
    assert (learned.segments["lift_low"] <= 1).all()
    assert (learned.segments["lift_high"] >= 1).all()
    score = account.map(by_segment(learned)["value_per_pursuit"])
    assert captured(score[it.is_prospect], it.expected_value[it.is_prospect]) > 0.9


def test_a_mix_and_a_win_rate_that_change_at_one_date_make_no_segment():
    it = world(2500, 2, signal=False, trouble="time", prospects=50)
    partner = it.traits.loc[it.pursuits["account_id"], "lead_source"].eq("partner program").to_numpy()
    won = it.pursuits["is_won"]
    assert won[partner].mean() > 1.5 * won[~partner].mean()  # what a comparison over all time would credit
    learned, _ = learned_from(it)
    assert has_no_claim(learned)


def test_a_trait_filled_in_after_the_sale_is_flagged_and_makes_no_segment():
    it = world(1500, 1, signal=False, trouble="leak", prospects=50)
    leaks = leak_verdicts(it.pursuits, it.traits)
    assert suspected(leaks) == ["billing_system"]
    assert "of won" in leaks.set_index("attribute").loc["billing_system", "note"]
    learned, _ = learned_from(it)
    assert has_no_claim(learned)
    assert "billing_system" not in set(learned.rules["attribute"])
    assert learned.model_notes["note"].str.startswith("billing_system").any()


def told_by_plan(rates: tuple[float, float], share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A company without other signal, where accounts on the best plan are won at another rate."""
    rng = np.random.default_rng(seed)
    it = world(3000, seed, signal=False, prospects=500)
    best = rng.random(len(it.traits)) < share
    traits = it.traits.assign(plan=pd.Series(np.where(best, "best", "other"), it.traits.index, dtype=object))
    chance = np.where(best, *rates)[it.traits.index.get_indexer(it.pursuits["account_id"])]
    won = rng.random(3000) < chance
    value = np.where(won, rng.lognormal(9, 0.8, 3000), 0.0)
    return it.pursuits.assign(is_won=won, value=value, months_observed=np.where(won, 24.0, np.nan)), traits


@pytest.mark.parametrize(("rates", "share"), [((0.55, 0.15), 0.2), ((0.7, 0.2), 0.5), ((0.7, 0.1), 0.5), ((0.8, 0.1), 0.15)])
def test_a_trait_that_explains_a_lot_is_no_leak(rates, share):
    pursuits, traits = told_by_plan(rates, share, 3)
    flags = leak_verdicts(pursuits, traits).set_index("attribute")
    assert flags.loc["plan", "information_value"] > 0.5
    assert not flags["is_suspected"].any()
    learned = learn_segments(pursuits, traits)
    best = learned.segments.loc[learned.segments["tier"] == "tier_1", "segment_id"]
    rules = learned.rules[learned.rules["segment_id"].isin(best) & learned.rules["attribute"].eq("plan")]
    assert set(rules["value"]) == {"best"}


def test_a_result_under_another_name_makes_no_segment():
    pursuits, traits = told_by_plan((0.97, 0.03), 0.22, 4)  # as a lifecycle stage that is moved by hand after the sale
    leaks = leak_verdicts(pursuits, traits)
    assert suspected(leaks) == ["plan"]
    assert "tell winners from losers" in leaks.set_index("attribute").loc["plan", "note"]
    assert "plan" not in set(learn_segments(pursuits, traits).rules["attribute"])


@pytest.mark.parametrize("values", ["text", "number"])
def test_certainty_is_the_share_of_the_uncertainty_that_is_taken_away(values):
    trait = pd.Series(["a"] * 100 + ["b"] * 100) if values == "text" else pd.Series([1.0] * 100 + [2.0] * 100)
    half = np.arange(200) < 100
    assert certainty(trait, half) == pytest.approx(1.0)
    assert certainty(trait, np.arange(200) % 2 == 0) == pytest.approx(0.0)
    mixed = np.concatenate([np.arange(100) < 75, np.arange(100) < 25])
    entropy = -(0.75 * np.log2(0.75) + 0.25 * np.log2(0.25))  # of a whole bit
    assert certainty(trait, mixed) == pytest.approx(1 - entropy)
    unique = pd.Series([f"v{n}" for n in range(200)]) if values == "text" else pd.Series(np.nan, range(200))
    assert certainty(unique, half) == pytest.approx(0.0)


def test_a_planted_trait_is_no_leak():
    it = world(3000, 4, kind="value", strength=5.0, prospects=50)
    assert suspected(leak_verdicts(it.pursuits, it.traits)) == []


# Small and odd worlds ---------------------------------------------------------------------------------------


def odd_worlds() -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    it = world(8, 1, prospects=17)
    plain = world(300, 2, signal=False, prospects=100)
    n = len(plain.traits)
    alike = plain.traits.copy()
    for name in alike:
        alike[name] = 1.0 if is_numeric(alike[name]) else "same"
    many = pd.DataFrame({"code": [f"v{i % 1000}" for i in range(n)]}, plain.traits.index, dtype=object)
    sparse = pd.DataFrame({"rare": ["x" if i % 20 == 0 else None for i in range(n)]}, plain.traits.index, dtype=object)
    return {
        "25 accounts, 8 pursuits": (it.pursuits, it.traits),
        "one pursuit": (it.pursuits.head(1), it.traits),
        "no pursuit": (it.pursuits.head(0), it.traits),
        "all accounts alike": (plain.pursuits, alike),
        "no traits": (plain.pursuits, plain.traits[[]]),
        "a trait of 1,000 values": (plain.pursuits, many),
        "a trait 95 % missing": (plain.pursuits, sparse),
        "nothing won": (plain.pursuits.assign(is_won=False, value=0.0, months_observed=np.nan), plain.traits),
    }


@pytest.mark.parametrize("name", sorted(odd_worlds()))
def test_a_small_or_odd_world_gives_one_segment_that_says_so(name):
    pursuits, traits = odd_worlds()[name]
    learned = learn_segments(pursuits, traits)
    assert learned.segments["segment_id"].tolist() == [EVERYONE]
    assert learned.segments.loc[0, ["tier", "evidence"]].tolist() == ["tier_3", "not enough evidence"]
    assert learned.segments.loc[0, "pursuits"] == len(pursuits)
    assert len(learned.rules) == 0
    assert (assign(traits, learned.rules) == EVERYONE).all()
    few = len(pursuits) < segments.LEAST_PURSUITS or not pursuits["is_won"].any()
    assert learned.model_notes["note"].str.contains("too few to learn from").any() == few


def test_orders_alone_without_a_date_of_beginning_are_learned_from():
    it = world(2500, 2, signal=False, prospects=100)
    won = it.pursuits[it.pursuits["is_won"]].assign(began_on=pd.NaT)
    assert has_no_claim(learned_from(it._replace(pursuits=won))[0])
    large = (it.traits["employee_count"] >= 300).reindex(won["account_id"]).to_numpy()
    told = won.assign(value=won["value"] * np.where(large, 6.0, 1.0))
    learned, account = learned_from(it._replace(pursuits=told))
    first = account.map(by_segment(learned)["tier"]).eq("tier_1")
    assert first.any()
    assert (it.traits.loc[first, "employee_count"] >= 300).mean() > 0.9


def test_neither_row_order_nor_names_of_the_index_change_what_is_learned():
    it = world(900, 6, kind="size", strength=6.0, prospects=100)
    first = learn_segments(it.pursuits, it.traits)
    again = learn_segments(
        it.pursuits.sample(frac=1, random_state=1), it.traits.sample(frac=1, random_state=2).rename_axis(None)[::-1]
    )
    assert len(first.segments) > 1
    for one, other in zip(first, again, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_where_nothing_is_earned_overall_there_is_no_lift_but_tiers_by_difference():
    it = world(3000, 2, kind="size", strength=6.0)
    frame = it.pursuits.copy()
    frame["value"] -= np.where(frame["is_won"], 1.3 * frame.loc[frame["is_won"], "value"].mean(), 0.0)
    learned = learn_segments(frame, it.traits)
    assert frame["value"].mean() < 0
    assert len(learned.segments) > 1
    assert learned.segments["lift"].isna().all()
    for row in learned.segments.itertuples():
        assert row.lift_low < row.lift_high
        assert row.tier == segments.tier_of(row.lift_low, row.lift_high)


@pytest.mark.parametrize(
    ("low", "high", "tier"),
    [
        (1.25, 3, "tier_1"),
        (1.249, 3, "tier_2"),
        (1.0, 3, "tier_3"),
        (0.5, 1.0, "tier_3"),
        (0.5, 0.999, "deprioritized"),
    ],
)
def test_the_tier_follows_from_the_interval(low, high, tier):
    assert segments.tier_of(low, high) == tier


@pytest.mark.parametrize("fault", ["two pursuits", "no traits", "no column"])
def test_frames_that_do_not_fit_are_refused(fault):
    it = world(20, 0, prospects=5)
    pursuits, traits = it.pursuits, it.traits
    if fault == "two pursuits":
        pursuits = pd.concat([pursuits, pursuits.head(1)])
    if fault == "no traits":
        traits = traits.drop(index=pursuits["account_id"].iloc[0])
    if fault == "no column":
        pursuits = pursuits.drop(columns="value")
    with pytest.raises(ValueError, match="pursuit"):
        learn_segments(pursuits, traits)


# Words and money --------------------------------------------------------------------------------------------


def test_names_are_those_that_a_salesperson_would_use():
    rule = [
        Condition("industry", "=", "Financial services"),
        Condition("employee_count", ">=", "200"),
        Condition("employee_count", "<", "1000"),
    ]
    assert rule_name(rule, short=True) == "Mid-size financial services"
    assert rule_name(rule, short=False) == "Financial services, 200 to 999 employees"
    assert definition(rule) == "industry is Financial services and employee count is at least 200 and below 1000"
    other = [Condition("lead_source", "not_in", '["Event", "Web"]'), Condition("funding_stage", "is_missing", None)]
    assert rule_name(other, short=True) == "Lead source other than Event or Web, funding stage unknown"


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        ({"employee_count": [(">=", "200")], "industry": [("=", "Financial Services")]}, "Mid-size and large financial services",
         "employee count is at least 200 and industry is Financial Services"),
        ({"industry": [("is_not_missing", None), ("not_in", '["A", "B"]')]}, "Other industries", "industry is not A or B"),
        ({"industry": [("not_in", '["A", "B"]')]}, "Other industries", "industry is not A or B (or missing)"),
        ({"employee_count": [(">=", "30"), ("<", "48")]}, "Small companies", "employee count is at least 30 and below 48"),
        ({"employee_count": [("<", "48")], "region": [("=", "EMEA")]}, "Small companies in EMEA",
         "employee count is below 48 (or missing) and region is EMEA"),
        ({"employee_count": [("is_not_missing", None), ("<", "48")]}, "Small companies", "employee count is below 48"),
        ({"employee_count": [("is_missing", None)]}, "Companies of unknown size", "employee count is missing"),
        ({"industry": [("is_not_missing", None)]}, "Companies in any known industry", "industry is known"),
    ],
)  # fmt: skip
def test_a_definition_says_what_is_true_and_names_missing_values_once(rule, name, text):
    conditions = [Condition(attribute, *part) for attribute, parts in rule.items() for part in parts]
    assert (rule_name(conditions, short=True), definition(conditions)) == (name, text)


def test_young_wins_are_developed_by_the_chain_ladder():
    # 40 wins of 24 months sold 100 at once and 50 in month 12; 40 wins of 6 months sold 100 so far.
    ids = [f"a{n:02}" for n in range(80)]
    pursuits = pd.DataFrame(
        {
            "account_id": ids,
            "is_won": True,
            "value": [150.0] * 40 + [100.0] * 40,
            "months_observed": [24.0] * 40 + [6.0] * 40,
        }
    )
    history = pd.DataFrame(
        [(i, 0, 100.0) for i in ids] + [(i, 12, 50.0) for i in ids[:40]], columns=["account_id", "month", "value"]
    )
    for given_history in (history, None):
        developed, _ = expected_value(pursuits, history=given_history)
        assert developed.tolist() == pytest.approx([150.0] * 80)
    for few in (pursuits.iloc[30:], pursuits.iloc[:50]):
        developed, notes = expected_value(few)
        assert developed.tolist() == few["value"].tolist()
        assert "taken as they are" in notes[0][1]


def test_the_study_reports_plain_and_hard_worlds_and_what_is_claimed_without_signal():
    text = segments_study(seeds=1, null_seeds=2, trouble_seeds=1, start=300)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    assert [row[:2] for row in rows if row[0] in ("3,000", "600")] == [
        [n, kind] for kind in ("plain", "hard") for n in ("3,000", "600")
    ]
    claims = [row for row in rows if len(row) == 5 and row[0] != "worlds"]
    assert [row[2] for row in claims] == ["2", "2", "1", "1"]
    assert all(row[3].startswith("0 ") for row in claims)
    assert "suspected in 100% of worlds" in text
