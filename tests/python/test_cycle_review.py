"""icp_cycle_review and icp_emerging_attributes: the demo company in pandas, planted changes, and years without any."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from conftest import BuildResult, frame
from icp_refinery.learning.review.attributes import ATTRIBUTES, emerged_attributes
from icp_refinery.learning.review.cycles import LOOKS, review_cycles
from icp_refinery.learning.review.looks import year_of_looks
from icp_refinery.studies.review import BEFORE, CHANGE, TIERS, Year, delays, reviewed, simulate_year


@pytest.fixture(scope="module")
def quiet() -> Year:
    return simulate_year(1, "stable")


def looks_of(it: Year, tiers: pd.Series = TIERS, **changed: object) -> pd.DataFrame:
    nothing = emerged_attributes(it.pursuits.head(0), it.cycles, it.traits)
    its = {"pursuits": it.pursuits, "cycles": it.cycles, "traits": it.traits, "reference_end": it.adopted} | changed
    return review_cycles(its["pursuits"], its["cycles"], tiers, its["traits"], nothing, its["reference_end"])


def last(looks: pd.DataFrame, segment: str) -> pd.Series:
    return looks[looks["segment_id"] == segment].iloc[-1]


def with_wins(it: Year, segment: str, share: float) -> pd.DataFrame:
    """Of the year, the same share of a segment's pursuits is won in each cycle."""
    changed = it.pursuits.copy()
    own = changed[(changed["segment_id"] == segment) & (changed["closed_on"] > it.adopted)]
    number = own.groupby("cycle_start").cumcount() + 1
    changed.loc[own.index, "is_won"] = np.floor(number * share) > np.floor((number - 1) * share)
    value = changed["first_order_value"].fillna(20_000.0)
    return changed.assign(
        first_order_value=value.where(changed["is_won"]),
        days_to_close=changed["days_to_close"].fillna(75.0).where(changed["is_won"]),
    )


def test_without_a_change_every_segment_is_kept(quiet: Year) -> None:
    looks = looks_of(quiet)
    assert len(looks) == 12 * 6
    assert not looks["verdict"].eq("revise").any()
    assert last(looks, "A")["verdict"] == "keep"


def test_a_good_segment_that_wins_less_is_revised_and_a_poor_one_that_wins_less_is_kept(quiet: Year) -> None:
    worse = last(looks_of(quiet, pursuits=with_wins(quiet, "A", 0.15)), "A")
    assert (worse["verdict"], worse["outcome"], worse["direction"]) == ("revise", "win_rate", "worse")
    assert worse["p_value"] <= 0.05
    assert worse["early_lift"] < 1.25
    assert (
        last(looks_of(quiet, TIERS.replace("tier_3", "deprioritized"), pursuits=with_wins(quiet, "C", 0.0)), "C")["verdict"]
        == "keep"
    )


def test_a_deprioritized_segment_that_wins_is_revised_and_a_good_one_that_wins_more_is_kept(quiet: Year) -> None:
    assert last(looks_of(quiet, pursuits=with_wins(quiet, "E", 0.6)), "E")["verdict"] == "revise"
    assert last(looks_of(quiet, pursuits=with_wins(quiet, "A", 0.8)), "A")["verdict"] == "keep"


def test_a_change_that_the_tier_survives_is_watched(quiet: Year) -> None:
    many = pd.concat([quiet.pursuits.assign(account_id=quiet.pursuits["account_id"] + f"-{copy}") for copy in range(5)])
    traits = pd.concat([quiet.traits.set_axis(quiet.traits.index + f"-{copy}") for copy in range(5)])
    large = quiet._replace(pursuits=many.reset_index(drop=True), traits=traits[["region"]])
    looks = last(looks_of(large, TIERS.replace("tier_1", "tier_2"), pursuits=with_wins(large, "A", 0.38)), "A")
    assert looks["p_value"] <= 0.05
    assert looks["early_lift"] > 1
    assert looks["verdict"] == "watch"


def test_smaller_first_orders_revise_and_longer_times_are_watched(quiet: Year) -> None:
    late = (quiet.pursuits["segment_id"] == "A") & (quiet.pursuits["closed_on"] > quiet.adopted)
    small = quiet.pursuits.assign(first_order_value=quiet.pursuits["first_order_value"].where(~late, 900.0))
    found = last(looks_of(quiet, pursuits=small.assign(first_order_value=small["first_order_value"].where(small["is_won"]))), "A")
    assert (found["verdict"], found["outcome"]) == ("revise", "first_order_value")
    long = quiet.pursuits.assign(days_to_close=quiet.pursuits["days_to_close"] + 200 * late)
    found = last(looks_of(quiet, pursuits=long), "A")
    assert (found["verdict"], found["outcome"], found["direction"]) == ("watch", "days_to_close", "worse")


def test_a_change_common_to_all_revises_nothing_and_all_is_watched(quiet: Year) -> None:
    late = quiet.pursuits["closed_on"] > quiet.adopted
    lost = late & (np.random.default_rng(0).random(len(late)) < 0.5)
    looks = looks_of(quiet, pursuits=quiet.pursuits.assign(is_won=quiet.pursuits["is_won"] & ~lost))
    assert not looks["verdict"].eq("revise").any()
    assert last(looks, "A")["verdict"] == "keep"
    found = last(looks, "all")
    assert (found["verdict"], found["outcome"], found["direction"]) == ("watch", "win_rate", "worse")


def test_a_moved_mix_is_watched_and_named(quiet: Year) -> None:
    late = quiet.pursuits.set_index("account_id")["closed_on"] > quiet.adopted + pd.DateOffset(months=6)
    moved = late.reindex(quiet.traits.index) & (np.arange(len(quiet.traits)) % 2 == 0)
    looks = looks_of(quiet, traits=quiet.traits.assign(region=quiet.traits["region"].mask(moved, "region 9")))
    found = last(looks, "A")
    assert (found["verdict"], found["psi_attribute"]) == ("watch", "region")
    assert "region" in found["reason"]
    assert looks[looks["cycle_start"] < quiet.cycles["cycle_start"].iloc[BEFORE + 5]]["verdict"].ne("watch").all()


def test_psi_is_that_of_its_definition(quiet: Year) -> None:
    found = last(looks_of(quiet, traits=quiet.traits[["region"]]), "A")
    own = quiet.pursuits[quiet.pursuits["segment_id"] == "A"]
    region = quiet.traits.loc[own["account_id"], "region"].to_numpy()
    names = ["missing", "rare", *sorted(set(region))]  # an empty place for each counts as half a pursuit
    recent = pd.Series(region[own["closed_on"] >= "2024-10-01"]).value_counts().reindex(names, fill_value=0) + 0.5
    before = pd.Series(region[own["closed_on"] <= quiet.adopted]).value_counts().reindex(names, fill_value=0) + 0.5
    p, q = recent / recent.sum(), before / before.sum()
    assert found["psi"] == pytest.approx(((p - q) * np.log(p / q)).sum(), rel=1e-9)
    assert found["psi_pursuits"] == (own["closed_on"] >= "2024-10-01").sum()


def test_little_data_has_a_reason_instead_of_a_verdict(quiet: Year) -> None:
    one = quiet.pursuits.assign(segment_id="A")
    looks = looks_of(quiet, TIERS[["A"]], pursuits=one)
    assert last(looks, "A")["reason"] == "one segment: nothing to compare it with"
    young = looks_of(quiet, pursuits=quiet.pursuits[quiet.pursuits["closed_on"] > quiet.adopted])
    assert young["verdict"].isna().all()
    assert set(young["reason"]) == {"fewer than 20 first deals to compare with"}
    few = looks_of(quiet, pursuits=quiet.pursuits[quiet.pursuits["closed_on"] <= quiet.adopted])
    assert set(few["reason"]) == {"fewer than 10 first deals closed in the year so far"}


@pytest.mark.parametrize("rows", [0, 1])
def test_nothing_and_one_pursuit_give_the_same_columns(quiet: Year, rows: int) -> None:
    pursuits = quiet.pursuits.tail(rows)
    looks, attributes = reviewed(quiet._replace(pursuits=pursuits))
    assert looks.dtypes.astype(str).to_dict() == LOOKS
    assert attributes.dtypes.astype(str).to_dict() == ATTRIBUTES
    assert looks["verdict"].isna().all()
    none = quiet.cycles.assign(is_finished=False)
    assert len(looks_of(quiet, cycles=none)) == 0


def test_the_order_of_rows_does_not_matter(quiet: Year) -> None:
    shuffled = quiet.pursuits.sample(frac=1, random_state=0)
    cycles, traits = quiet.cycles.sample(frac=1, random_state=0), quiet.traits.sample(frac=1, random_state=0)
    for one, other in zip(reviewed(quiet), reviewed(Year(shuffled, cycles, traits, quiet.adopted)), strict=True):
        pd.testing.assert_frame_equal(one, other)


@pytest.mark.parametrize(("cycle", "a_year"), [("W-SUN", 53), ("2W-SUN", 27), ("MS", 12), ("QS", 4)])
def test_a_year_of_looks_is_of_finished_cycles(cycle: str, a_year: int) -> None:
    starts = pd.date_range("2023-01-01", periods=3 * a_year, freq=cycle)
    cycles = pd.DataFrame({"cycle_start": starts[:-1], "cycle_end": starts[1:] - pd.Timedelta(days=1)})
    looks, many = year_of_looks(cycles.assign(is_finished=np.arange(len(cycles)) < len(cycles) - 1))
    assert many == a_year
    assert len(looks) == a_year
    assert looks["cycle_start"].iloc[-1] == starts[-3]


def test_an_attribute_that_pays_of_late_has_emerged_and_one_that_paid_has_faded() -> None:
    it = simulate_year(3, "no signal")
    random, late = np.random.default_rng(1), it.pursuits["closed_on"] > it.adopted
    region = it.pursuits["account_id"].map(it.traits["region"])
    for value, when in (("region 1", late), ("region 2", ~late)):
        more = (region == value) & when & (random.random(len(late)) < 0.5)
        it.pursuits.loc[more, "is_won"] = True
    found = emerged_attributes(it.pursuits, it.cycles, it.traits)
    at_end = found[found["cycle_start"] == it.cycles["cycle_start"].iloc[-1]].set_index("value")
    assert at_end["trend"].to_dict() == {"region 1": "emerged", "region 2": "faded"}
    own = it.pursuits[(region == "region 1") & late]
    assert at_end.loc["region 1", "latest_pursuits"] == len(own)
    assert at_end.loc["region 1", "latest_wins"] == own["is_won"].sum()


@pytest.mark.slow
def test_a_year_without_a_change_revises_nothing_and_no_attribute_emerges() -> None:
    years = [reviewed(simulate_year(seed, "no signal")) for seed in range(200, 208)]
    assert sum(looks["verdict"].eq("revise").any() for looks, _ in years) <= 1
    assert sum(attributes["trend"].eq("emerged").any() for _, attributes in years) <= 1


@pytest.mark.slow
def test_a_segment_that_moves_is_revised_soon_and_not_before() -> None:
    found = delays(range(100, 105))
    assert ((found["revise"] - found["knowing"]) <= 3).sum() >= 4
    assert (found["revise"] >= CHANGE).all()


# ------------------------------------------------------------------------------------------ the demo company


@pytest.mark.slow
def test_the_metrics_equal_those_of_pandas(demo: BuildResult) -> None:
    mart = frame(demo.database, "marts.icp_cycle_review").set_index(["cycle_start", "segment_id"])
    opportunities = frame(demo.database, "marts.fct_opportunities")
    closed = opportunities[
        opportunities["is_closed"].astype(bool) & opportunities["opportunity_type"].isin(["new_business", None])
    ].sort_values(["account_id", "closed_at", "opportunity_id"])
    own = closed.drop_duplicates("account_id").set_index("account_id")
    own = own.join(frame(demo.database, "marts.dim_accounts").set_index("account_id")[["segment_id"]], rsuffix="_now")
    own["segment"] = own["segment_id_now"] if "segment_id_now" in own else own["segment_id"]
    orders = frame(demo.database, "marts.fct_orders").sort_values(["closed_at", "order_id"])
    is_margin = orders["margin_amount"].notna().all()
    value = {}
    for order in orders.itertuples():
        win = own.loc[order.account_id] if order.account_id in own.index else None
        if win is None or not win["is_won"] or order.account_id in value:
            continue
        if win["created_at"] <= order.closed_at < pd.Timestamp(win["closed_at"]).normalize() + pd.DateOffset(months=24):
            value[order.account_id] = order.margin_amount if is_margin else order.net_amount
    own["value"] = pd.Series(value, dtype=object)
    own["month"] = pd.to_datetime(own["closed_at"]).dt.to_period("M")
    until = pd.Timestamp("2024-07-01")
    assert len(mart) > 0
    for (cycle, segment), row in mart.iterrows():
        its = own if segment == "all" else own[own["segment"] == segment]
        month = pd.Period(cycle, "M")
        sides = {"": its[its["month"] == month], "previous_": its[its["month"] == month - 1]}
        for prefix, part in (sides | {"reference_": its[pd.to_datetime(its["closed_at"]) < until]}).items():
            n, wins = len(part), int(part["is_won"].sum())
            known = [float(Decimal(v)) for v in part["value"].dropna()]
            assert (row[f"{prefix}pursuit_count"], row[f"{prefix}won_pursuit_count"]) == (n, wins)
            assert row[f"{prefix}first_order_count"] == len(known)
            if n:
                half = 1.959963984540054 * math.sqrt(wins / n * (1 - wins / n) / n + 1.959963984540054**2 / (4 * n * n))
                low = (wins / n + 1.959963984540054**2 / (2 * n) - half) / (1 + 1.959963984540054**2 / n)
                assert row[f"{prefix}win_rate"] == pytest.approx(wins / n)
                assert row[f"{prefix}win_rate_low"] == pytest.approx(max(low, 0), abs=1e-9)
            else:
                assert row[f"{prefix}win_rate"] is None
            if known:
                assert row[f"{prefix}average_first_order_value"] == pytest.approx(np.mean(known))
            days = [
                (pd.Timestamp(b).normalize() - pd.Timestamp(a).normalize()).days
                for a, b, won in zip(part["created_at"], part["closed_at"], part["is_won"], strict=True)
                if won
            ]
            assert row[f"{prefix}won_with_dates_count"] == len(days)
            assert (row[f"{prefix}median_days_to_close"] or 0) == pytest.approx(np.median(days) if days else 0)


@pytest.mark.slow
def test_the_emerging_segment_of_the_demo_company_is_seen(demo: BuildResult) -> None:
    attributes = frame(demo.database, "marts.icp_emerging_attributes")
    emerged = attributes[attributes["trend"] == "emerged"]
    assert set(zip(emerged["attribute"], emerged["value"], strict=True)) == {("industry", "Energy")}
    review = frame(demo.database, "marts.icp_cycle_review")
    latest = review[review["is_finished"].astype(bool)].sort_values("cycle_start").groupby("segment_id").last()
    energy = frame(demo.database, "(select distinct segment_id from marts.dim_accounts where industry = 'Energy')")["segment_id"]
    assert set(latest.loc[energy, "verdict"]) & {"watch", "revise"}
    assert latest.loc[emerged["segment_id"], "reason"].str.contains("Energy").all()
