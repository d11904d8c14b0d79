"""What each learned model's table holds, by the model's name: dbt has it answered in a process of its own (`apart`).

`pursuits` and `traits` are as `learn_segments` takes them, `sales` and `horizon` as `developed` does; `both` are traits with
sizes as numbers and in bands, `bands` with bands alone. A `definition` is segments as `as_table` makes them.
"""

from __future__ import annotations

import pandas as pd

from icp_refinery.learning import clusters
from icp_refinery.learning.backtest import adopted_values, backtest
from icp_refinery.learning.conditions import assign
from icp_refinery.learning.effects.leaks import leak_verdicts, shared, suspected
from icp_refinery.learning.engagement import described_signals, learn_engagement
from icp_refinery.learning.measure import measure_profiles, measured_in_force
from icp_refinery.learning.recency import begun_since, recent_pursuits
from icp_refinery.learning.review.attributes import emerged_attributes
from icp_refinery.learning.review.cycles import review_cycles
from icp_refinery.learning.scorecard import described, learn_scorecard
from icp_refinery.learning.seasonality import monthly_orders, seasonality
from icp_refinery.learning.segments import as_table, from_table, learn_segments
from icp_refinery.learning.value import developed


def learned_leaks(pursuits: pd.DataFrame, both: pd.DataFrame, banded: dict[str, str]) -> pd.DataFrame:
    return shared(leak_verdicts(pursuits, both), banded)


def learned_segments(
    pursuits: pd.DataFrame, sales: pd.DataFrame, horizon: int, traits: pd.DataFrame, leaks: pd.DataFrame
) -> pd.DataFrame:
    frame, notes = developed(pursuits, history=sales, horizon=horizon)
    recent = recent_pursuits(frame, traits, leaks=leaks)
    return as_table(learn_segments(recent.pursuits, traits, leaks=leaks), notes + recent.notes, recent.since)


def learned_segments_in_force(
    learned: pd.DataFrame,
    adopted: pd.DataFrame,
    pursuits: pd.DataFrame,
    sales: pd.DataFrame,
    horizon: int,
    both: pd.DataFrame,
    revised: list[str],
) -> pd.DataFrame:
    frame, _ = developed(pursuits, history=sales, horizon=horizon)
    return measured_in_force(learned, adopted, frame, both, revised)


def learned_scorecard(
    definition: pd.DataFrame,
    since: pd.Timestamp | None,
    pursuits: pd.DataFrame,
    sales: pd.DataFrame,
    horizon: int,
    traits: pd.DataFrame,
    leaks: pd.DataFrame,
) -> pd.DataFrame:
    frame, _ = developed(pursuits, history=sales, horizon=horizon)
    card = learn_scorecard(begun_since(frame, since), traits, from_table(definition), leaks=leaks)
    return described(card, definition.set_index("segment_id")["segment_name"])


def learned_engagement_scorecard(moments: pd.DataFrame, signals: pd.DataFrame) -> pd.DataFrame:
    return described_signals(learn_engagement(moments, signals))


def learned_backtest(
    pursuits: pd.DataFrame,
    both: pd.DataFrame,
    traits: pd.DataFrame,
    sales: pd.DataFrame,
    spend: pd.DataFrame,
    as_of: pd.Timestamp,
    definition: pd.DataFrame,
    engaged: tuple[pd.DataFrame, pd.DataFrame],
) -> pd.DataFrame:
    return backtest(pursuits, traits, sales, spend, as_of=as_of, adopted=adopted_values(definition, both), engaged=engaged)


def learned_assumption_figures(
    pursuits: pd.DataFrame, sales: pd.DataFrame, horizon: int, both: pd.DataFrame, profiles: pd.DataFrame
) -> pd.DataFrame:
    return measure_profiles(developed(pursuits, history=sales, horizon=horizon)[0], both, profiles)


def learned_value_clusters(customers: pd.DataFrame) -> pd.DataFrame:
    return clusters.as_table(clusters.value_clusters(customers))


def learned_seasonality(definition: pd.DataFrame, orders: pd.DataFrame, both: pd.DataFrame, months: pd.Series) -> pd.DataFrame:
    return seasonality(monthly_orders(orders.assign(segment=_segment_of(orders, definition, both)), months))


def learned_emerging_attributes(
    definition: pd.DataFrame,
    closed: pd.DataFrame,
    cycles: pd.DataFrame,
    both: pd.DataFrame,
    bands: pd.DataFrame,
    leaks: pd.DataFrame,
) -> pd.DataFrame:
    closed = closed.assign(segment_id=_segment_of(closed, definition, both))
    return emerged_attributes(closed, cycles, bands.drop(columns=suspected(leaks), errors="ignore"))


def learned_cycle_review(
    definition: pd.DataFrame,
    closed: pd.DataFrame,
    cycles: pd.DataFrame,
    both: pd.DataFrame,
    bands: pd.DataFrame,
    emerging: pd.DataFrame,
) -> pd.DataFrame:
    closed, known = closed.assign(segment_id=_segment_of(closed, definition, both)), definition["learned_as_of"]
    tiers = definition.set_index("segment_id")["tier"]
    return review_cycles(closed, cycles, tiers, bands, emerging, known.max() if known.notna().any() else None)


def _segment_of(rows: pd.DataFrame, definition: pd.DataFrame, both: pd.DataFrame) -> pd.Series:
    return rows["account_id"].map(assign(both, from_table(definition).rules, definition["segment_id"]))
