"""Scorecard: points for an account's segment and for the levels of its traits that add up to a fit score from 0 to 100.

50 is the overall value per pursuit, and 20 points double it. Levels (values, bands of numbers, a missing trait) get the points of
their partially pooled effects (of few pursuits, of effects averaged over rules) and of what single values have of their own, a
segment those of its lift, which comes from data that did not choose it. Both are held back by how much of such effects shows in
pursuits that they were not learned from: where nothing does, the score is flat. A tier bounds the score: no trait can carry an
account across the line that its tier was given for.
"""

from __future__ import annotations

import hashlib
import json
from itertools import permutations

import numpy as np
import pandas as pd
from scipy.special import expit, logsumexp
from threadpoolctl import threadpool_limits

from icp_refinery.learning.averaged import averaged_effects
from icp_refinery.learning.conditions import Condition, assign, holds, number_text
from icp_refinery.learning.effects.leaks import leak_verdicts, suspected
from icp_refinery.learning.intervals import TIER_1, wilson_interval
from icp_refinery.learning.periods import centred, folds, time_cells
from icp_refinery.learning.pooled import Levels, Outcome, levels_of, outcome_of, own_effects, pooled_effects, summed
from icp_refinery.learning.segments import LEAST_PURSUITS, LEAST_WINS, NO_EVIDENCE, Learned, checked
from icp_refinery.learning.signal import sampled
from icp_refinery.learning.traits import coded_traits, texts
from icp_refinery.learning.value import all_positive, expected_value, log_score, winsorised
from icp_refinery.learning.words import words

BASE = 50.0
DOUBLING = 20.0  # points that double the expected value
PER_SPREAD = 40.0  # points of one standard deviation of value, where ratios mean nothing
HELD_OUT = 3  # parts of the pursuits, each predicted from the others
FEW = 500  # pursuits, up to which effects are averaged over rules instead of pooled
EXPECTED_SLOPE, SLOPE_SPREAD = 0.75, 0.35  # of outcomes on effects of levels, where traits say anything
SLOPES = np.arange(1, 31) / 20  # that are thought possible
NOTHING, NOTHING_OF_FEW = 1.0, 0.7  # odds that no trait says anything, where no segment is proven; of effects over rules
PROVEN_SLOPE, ORDER_SLOPE = 1.15, 0.4  # of outcomes on lifts, where they are claimed, and where they are an order only
LEAST_SPREAD = 0.8  # standard deviation of scores, where effects are so large at all
COLUMNS = {
    "attribute": "object",
    "operator": "object",
    "value": "object",
    "points": "float64",
    "n": "int64",
    "wins": "int64",
    "lowest": "float64",
    "highest": "float64",
    "reasons": "object",
}


def learn_scorecard(
    pursuits: pd.DataFrame,
    traits: pd.DataFrame,
    learned: Learned,
    *,
    seed: int = 0,
    leaks: pd.DataFrame | None = None,
    is_order: bool = False,
) -> pd.DataFrame:
    """Learn the points of segments and of the levels of traits.

    `pursuits` and `traits` as `learn_segments` takes them, `learned` as it returns. One row per condition: `attribute`,
    `operator`, `value` (`=`, `is_missing`, or `between` with a JSON array of the lowest number and the first one above, null
    where there is none), `points` (one decimal), `n` and `wins` (pursuits that meet it). The first row, without attribute, has
    the points of everyone, such that the mean of the pursuits is the overall value. A segment is a row with the attribute
    `segment` and its id as value; `lowest` and `highest` bound the score of its accounts: a `tier_1` score is not below what a
    lift of 1.25 gives, a `tier_2` score not below 50, a `deprioritized` one not above 50.

    `leaks`: what `leak_verdicts` says of the same pursuits, where it is known already: a suspected trait gets no points. Of too
    few pursuits or wins nothing is learned: only the first row. `is_order`: only the order of scores is asked for, not how far
    they are apart; of one segment, that is learned in a third of the time.
    """
    frame = checked(pursuits, traits)
    won = frame["is_won"].to_numpy(dtype=bool)
    known = traits.loc[frame["account_id"]]
    rows = []
    raw = np.zeros(len(frame))
    is_ratio = True
    if len(frame) >= LEAST_PURSUITS and won.sum() >= LEAST_WINS:
        value = winsorised(expected_value(frame)[0].to_numpy(), won)
        is_ratio = has_ratios(learned) and float(value.mean()) > 0
        for attribute in set(learned.rules["attribute"]) - set(known.columns):
            known[attribute] = pd.Series(None, index=known.index, dtype=object)
        leaks = leak_verdicts(frame, known) if leaks is None else leaks
        # A trait that happens to be called segment would be taken for ours.
        candidates = known.drop(columns=[*suspected(leaks), "segment"], errors="ignore")
        levels = [levels_of(trait) for trait in coded_traits(candidates)]
        with threadpool_limits(limits=1):
            if is_order and len(learned.segments) == 1:
                effects, slope, signal = pooled_effects(levels, outcome_of(won, value, time_cells(frame))), 1.0, 1.0
            else:
                effects, slope, signal = _effects(levels, won, value, time_cells(frame), seed)
        of_levels = _level_points(levels, effects, value, won, is_ratio)
        of_segments, member = _segment_points(known, learned, value, is_ratio)
        is_order = learned.segments["evidence"].astype(str).str.startswith(NO_EVIDENCE).any()
        segment_slope, signal = (ORDER_SLOPE, signal) if is_order else (PROVEN_SLOPE, 1.0)
        by_levels = summed(levels, of_levels, np.arange(len(frame)))
        weight = _weight(by_levels, of_segments[member], signal * slope, signal * segment_slope)
        rows, raw = _segment_rows(known, learned, weight * of_segments, member, won)
        for condition, points, hit in _level_rows(levels, [weight * its for its in of_levels]):
            counts = [int(hit.sum()), int(won[hit].sum())]
            rows.append(
                [*condition, points, *counts, np.nan, np.nan, _reasons([(condition.attribute, _plain(condition), points)])]
            )
            raw += points * hit
    base = BASE if not rows else round(BASE - _points(float(np.mean(_effect(BASE + raw, is_ratio))), is_ratio), 1)
    rows.insert(0, [None, None, None, base, len(frame), int(won.sum()), np.nan, np.nan, "[]"])
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _effects(
    levels: list[Levels], won: np.ndarray, value: np.ndarray, cells: np.ndarray, seed: int
) -> tuple[list[np.ndarray], float, float]:
    """The effect of each level; and of these, learned elsewhere, the slope of outcomes and the chance that there is any."""
    outcome: Outcome = outcome_of(won, value, cells)
    rows = sampled(len(won), seed)
    part = folds(len(rows), cells[rows], seed) % HELD_OUT
    told, is_few = np.zeros(len(rows)), outcome.is_ratio and bool(levels) and len(won) <= FEW
    if is_few:
        effects, told = averaged_effects(levels, outcome, part, HELD_OUT, seed)
    else:
        effects = pooled_effects(levels, outcome)
    for number in range(HELD_OUT):
        known, held = rows[part != number], rows[part == number]
        taught = effects if is_few else pooled_effects(levels, outcome, known)
        if not is_few:
            told[part == number] = summed(levels, taught, held)
        told[part == number] += summed(levels, own_effects(levels, outcome, taught, known), held)
    own = own_effects(levels, outcome, effects, np.arange(len(won)))
    effects = [its + more for its, more in zip(effects, own, strict=True)]
    seen = centred(log_score(won, value), cells)[rows]
    return effects, *_shown(told, seen, NOTHING_OF_FEW if is_few else NOTHING, outcome.is_ratio)


def _shown(told: np.ndarray, seen: np.ndarray, nothing: float, is_ratio: bool) -> tuple[float, float]:
    """The slope of outcomes on what was told of them, if there is any; and the chance that there is.

    `nothing`: the odds before any is seen that there is none. Of ratios, the mean outcome is the exponential of what was told
    times the slope, and its variance is proportional to it: single bold words count for no more than they should.
    """
    told, noise = told - told.mean(), max(float(seen.var()), 1e-12)
    cost = SLOPES**2 * (told @ told) / 2
    if is_ratio:
        cost = len(told) * np.log([np.exp(slope * told).mean() for slope in SLOPES])
    prior = np.exp(-((SLOPES - EXPECTED_SLOPE) ** 2) / (2 * SLOPE_SPREAD**2))
    evidence = (SLOPES * (told @ seen) - cost) / noise + np.log(prior / prior.sum())
    factor = float(logsumexp(evidence))  # logarithm of the Bayes factor of any slope against none
    return float(np.exp(evidence - factor) @ SLOPES), float(expit(factor - np.log(nothing)))


def _weight(by_levels: np.ndarray, by_segment: np.ndarray, slope: float, segment_slope: float) -> float:
    """By how much both points of each pursuit are held back: the slope of outcomes on their sum.

    Each tells much of what the other does. Where next to nothing shows, scores stay so far apart that decimals do not hide their
    order.
    """
    both = by_levels + by_segment
    spread = float(both.std())
    if spread < 1e-9:
        return 0.0
    held = (slope * float(by_levels.var()) + segment_slope * float(by_segment.var())) / spread**2
    return max(held, min(LEAST_SPREAD / spread, 1.0))


def _segment_points(known: pd.DataFrame, learned: Learned, value: np.ndarray, is_ratio: bool) -> tuple[np.ndarray, np.ndarray]:
    """The points that the lift of each segment (by id) stands for, and each pursuit's segment; 0 where there is one."""
    if len(learned.segments) <= 1:
        return np.zeros(1), np.zeros(len(known), dtype=int)
    listed = learned.segments.set_index("segment_id").sort_index()
    # A segment that was adopted may have lost its pursuits: no evidence.
    if is_ratio:
        effect = listed["lift"].fillna(1.0).to_numpy(dtype=float)
    else:
        worth = listed["value_per_pursuit"].astype(float).fillna(value.mean()).to_numpy()
        effect = (worth - value.mean()) / max(value.std(), 1e-12)
    return np.array([_points(its, is_ratio) for its in effect]), listed.index.get_indexer(assign(known, learned.rules))


def _segment_rows(
    known: pd.DataFrame, learned: Learned, points: np.ndarray, member: np.ndarray, won: np.ndarray
) -> tuple[list[list], np.ndarray]:
    """A row per segment, and its points for each pursuit; none where there is one segment."""
    if len(learned.segments) <= 1:
        return [], np.zeros(len(known))
    points = points.round(1)
    rows = []
    for at, (key, row) in enumerate(learned.segments.set_index("segment_id").sort_index().iterrows()):
        inside = member == at
        rule = learned.rules[learned.rules["segment_id"] == key]
        rule = [Condition(r.attribute, r.operator, r.value) for r in rule.itertuples()]
        counts = [int(inside.sum()), int(won[inside].sum())]
        reasons = _reasons(_parts(rule, points[at], known, points[member]))
        rows.append(["segment", "=", key, points[at], *counts, *_bounds(row["tier"]), reasons])
    return rows, points[member]


def _level_points(
    levels: list[Levels], effects: list[np.ndarray], value: np.ndarray, won: np.ndarray, is_ratio: bool
) -> list[np.ndarray]:
    """The points that the effect of each level of each trait stands for."""
    if all_positive(value[won]):
        return [DOUBLING / np.log(2) * its for its in effects]
    spread = float(winsorised(value, won, 0.95).std())  # their unit
    if not is_ratio:
        return [PER_SPREAD * spread / max(float(value.std()), 1e-12) * its for its in effects]
    return [np.array([_points(1 + effect * spread / value.mean(), is_ratio) for effect in its]) for its in effects]


def _level_rows(levels: list[Levels], points: list[np.ndarray]) -> list[tuple[Condition, float, np.ndarray]]:
    """Levels with points: each with its condition and who meets it."""
    made = []
    for one, its in zip(levels, points, strict=True):
        for code, condition in _conditions(one):
            rounded = round(float(np.clip(its[code], -BASE, BASE)), 1)
            if rounded and (one.codes == code).any():
                made.append((condition, rounded, one.codes == code))
    return made


def _conditions(one: Levels) -> list[tuple[int, Condition]]:
    """The condition of each level: a value, a band (its lowest number, and the first one above), or a missing trait."""
    name = one.trait.name
    if one.trait.is_numeric:
        ends = [None, *(float(number_text(edge)) for edge in one.edges), None]
        made = [Condition(name, "between", json.dumps(ends[at : at + 2])) for at in range(len(ends) - 1)]
    else:
        made = [Condition(name, "=", value) for value in one.trait.values]
    return [*enumerate(made), (one.size - 1, Condition(name, "is_missing", None))]


def _plain(condition: Condition) -> list[Condition]:
    """A band as conditions that rules have, too."""
    if condition.operator != "between":
        return [condition]
    low, high = json.loads(condition.value)
    ends = [(">=", low), ("<", high)]
    asked = [Condition(condition.attribute, sign, number_text(end)) for sign, end in ends if end is not None]
    return [Condition(condition.attribute, "is_not_missing", None), *asked]


def described(card: pd.DataFrame, segment_names: pd.Series | None = None) -> pd.DataFrame:
    """The scorecard with `definition` (each condition in words), `condition_id`, and the win rate with Wilson's interval."""
    keys = card[["attribute", "operator", "value"]].fillna("").itertuples(index=False)
    low, high = wilson_interval(card["wins"].to_numpy(), card["n"].to_numpy())
    return card.assign(
        definition=[_definition(row, segment_names) for row in card.itertuples()],
        condition_id=[hashlib.md5("|".join(key).encode()).hexdigest() for key in keys],
        win_rate=card["wins"] / card["n"].where(card["n"] > 0),
        win_rate_low=low,
        win_rate_high=high,
    )


def _definition(row: object, segment_names: pd.Series) -> str:
    if pd.isna(row.attribute):
        return f"everyone ({BASE:.0f} is the overall value per pursuit)"
    if row.attribute == "segment":
        return f"segment {segment_names[row.value]}"
    return words(_plain(Condition(row.attribute, row.operator, row.value)))


def fit_scores(traits: pd.DataFrame, scorecard: pd.DataFrame, segments_of_accounts: pd.Series) -> pd.Series:
    """The fit score of every account: the reference for what SQL does.

    `traits` has the index `account_id` (a trait that it lacks is missing for all), `segments_of_accounts` the segment by
    account. The points of all conditions that hold are added to the base, bounded by the segment's `lowest` and `highest`
    and by 0 and 100. Returns `fit_score` by account, to one decimal.
    """
    segment = segments_of_accounts.reindex(traits.index)
    own = scorecard[scorecard["attribute"].eq("segment")].set_index("value")[["points", "lowest", "highest"]]
    own = own.reindex(segment).set_axis(traits.index)
    score = scorecard["points"][scorecard["attribute"].fillna("").eq("")].sum() + own["points"].fillna(0.0)
    low, high = own["lowest"].fillna(0.0), own["highest"].fillna(100.0)
    levels: dict[str, list[tuple[str, str | None, float]]] = {}
    for attribute, *row in zip(*(scorecard[name] for name in ("attribute", "operator", "value", "points")), strict=True):
        if not pd.isna(attribute) and attribute in traits and attribute != "segment":
            levels.setdefault(attribute, []).append(tuple(row))
    for attribute, rows in levels.items():
        score += _added(traits[attribute], rows)
    lacking = ~scorecard["attribute"].isin([*traits.columns, "segment", ""]) & scorecard["operator"].eq("is_missing")
    score += scorecard["points"][lacking].sum()
    return score.clip(low, high).round(1).rename("fit_score")


def _added(column: pd.Series, rows: list[tuple[str, str | None, float]]) -> np.ndarray:
    """The points of one attribute's rows (operator, value, points) for each account."""
    missing = column.isna().to_numpy()
    points = sum((its for operator, _, its in rows if operator == "is_missing"), 0.0) * missing
    if named := {value: its for operator, value, its in rows if operator == "="}:
        points += texts(column).map(named).fillna(0.0).to_numpy(dtype=float)
    if bands := [(*json.loads(value), its) for operator, value, its in rows if operator == "between"]:
        numbers = column.to_numpy(dtype=float, na_value=np.nan)
        for low, high, its in bands:
            inside = (numbers >= (-np.inf if low is None else low)) & (numbers < (np.inf if high is None else high))
            points += its * inside
    return points


def expected_values(scores: pd.Series, overall: float, spread: float | None = None) -> pd.Series:
    """The value per pursuit that a fit score stands for.

    `overall` is the value per pursuit of all. `spread`, the standard deviation of value, is given where ratios mean nothing:
    where the overall value, or a segment's, is below 0.
    """
    effect = _effect(scores.to_numpy(dtype=float), spread is None)
    return pd.Series(overall * effect if spread is None else overall + effect * spread, index=scores.index)


def _points(effect: float, is_ratio: bool) -> float:
    """Points of a lift, or of a difference in standard deviations, that add to the base."""
    if not is_ratio:
        return float(np.clip(PER_SPREAD * effect, -BASE, BASE))
    return float(DOUBLING * np.log2(np.clip(effect, 2 ** (-BASE / DOUBLING), 2 ** (BASE / DOUBLING))))


def _effect(score: np.ndarray | float, is_ratio: bool) -> np.ndarray | float:
    """The lift, or difference in standard deviations, of a score."""
    return 2 ** ((score - BASE) / DOUBLING) if is_ratio else (score - BASE) / PER_SPREAD


def has_ratios(learned: Learned) -> bool:
    """Whether values can be compared by ratios: not where the overall value, or a segment's, is below 0."""
    return bool((learned.segments["lift"].astype(float) >= 0).all())  # False where one is missing


def _bounds(tier: str) -> tuple[float, float]:
    """Where the scores of a tier lie: on the side of the lift that it was given for."""
    if tier == "tier_1":
        return round(BASE + _points(TIER_1, is_ratio=True), 1), 100.0
    if tier == "tier_2":
        return BASE, 100.0
    return (0.0, BASE) if tier == "deprioritized" else (0.0, 100.0)


def _reasons(parts: list[tuple[str, list[Condition], float]]) -> str:
    said = [
        {"attribute": attribute, "reason": words(conditions), "points": str(points)} for attribute, conditions, points in parts
    ]
    return json.dumps(said, ensure_ascii=False)


def _parts(
    rule: list[Condition], points: float, traits: pd.DataFrame, given: np.ndarray
) -> list[tuple[str, list[Condition], float]]:
    """Divide a segment's points among the traits of its rule (Shapley values); `given`: the points of each pursuit's segment."""
    asked = {name: [c for c in rule if c.attribute == name] for name in dict.fromkeys(c.attribute for c in rule)}
    hits = [np.all([holds(traits[c.attribute], c.operator, c.value) for c in of], axis=0) for of in asked.values()]
    if not hits:
        return []

    def worth(chosen: tuple[int, ...]) -> float:
        met = np.all([hits[i] for i in chosen], axis=0) if chosen else np.ones(len(given), dtype=bool)
        return float(given[met].mean()) if met.any() else 0.0

    orders = list(permutations(range(len(hits))))
    shares = np.zeros(len(hits))
    for order in orders:
        for at, number in enumerate(order):
            shares[number] += (worth(order[: at + 1]) - worth(order[:at])) / len(orders)
    shares = np.round(shares, 1)
    shares[np.argmax(np.abs(shares))] += points - shares.sum()
    return [(name, of, round(float(share), 1)) for (name, of), share in zip(asked.items(), shares, strict=True)]
