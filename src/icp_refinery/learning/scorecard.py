"""Scorecard: points for an account's segment and traits that add up to a fit score from 0 to 100.

50 is the overall value per pursuit, and 20 points double it. A segment brings the points of its lift, which comes from data
that did not choose it. On top, conditions on single traits get points where they pay inside segments, on folds that did
not choose them. A tier bounds the score: no trait can carry an account across the line that its tier was given for.
"""

from __future__ import annotations

import hashlib
import json
from itertools import permutations

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from icp_refinery.learning.conditions import Condition, assign, holds, meets, number_text
from icp_refinery.learning.effects.leaks import leak_verdicts, suspected
from icp_refinery.learning.intervals import TIER_1, wilson_interval
from icp_refinery.learning.periods import FOLDS, folds, time_cells
from icp_refinery.learning.segments import Learned, checked
from icp_refinery.learning.traits import Trait, coded_trait
from icp_refinery.learning.tree import LEAST_LEAF
from icp_refinery.learning.value import expected_value, winsorised
from icp_refinery.learning.words import words

BASE = 50.0
DOUBLING = 20.0  # points that double the expected value
PER_SPREAD = 40.0  # points of one standard deviation of value, where ratios mean nothing
MOST_CONDITIONS = 15
LEAST_SHARE = 0.02  # of pursuits, for a condition to be looked at
LEAST_POINTS = 1.0  # a condition with fewer gets none
SPREAD_OF_EFFECTS = 0.15  # what ridge regression expects of a condition: by how much it changes the value, inside a segment
ERROR = 0.05  # of the test that anything pays inside segments; each trait is held to it again
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
    pursuits: pd.DataFrame, traits: pd.DataFrame, learned: Learned, *, seed: int = 0, leaks: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Learn the points of segments and of readable conditions.

    `pursuits` and `traits` as `learn_segments` takes them, `learned` as it returns. One row per condition: `attribute`,
    `operator`, `value` (operators and missing values as in the rules of segments), `points` (one decimal), `n` and
    `wins` (pursuits that meet it). The first row, without attribute, has the base points of everyone. A segment is a row with the
    attribute `segment` and its id as value; `lowest` and `highest` bound the score of its accounts: a `tier_1` score is not
    below what a lift of 1.25 gives, a `tier_2` score not below 50, a `deprioritized` one not above 50.

    `leaks`: what `leak_verdicts` says of the same pursuits, where it is known already: a suspected trait gets no points. Where
    there is one segment, there is no evidence: only the base row.
    """
    frame = checked(pursuits, traits)
    won = frame["is_won"].to_numpy(dtype=bool)
    rows = [[None, None, None, BASE, len(frame), int(won.sum()), np.nan, np.nan, "[]"]]
    if len(learned.segments) <= 1:
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    listed = learned.segments.set_index("segment_id").sort_index()
    # A segment that was adopted may have lost its pursuits: no evidence.
    if listed["lift"].notna().any():
        listed["lift"] = listed["lift"].fillna(1.0)
    known = traits.loc[frame["account_id"]]
    for attribute in set(learned.rules["attribute"]) - set(known.columns):
        known[attribute] = pd.Series(None, index=known.index, dtype=object)
    segment = assign(known, learned.rules).to_numpy()
    member = listed.index.get_indexer(segment)
    developed = expected_value(frame)[0].to_numpy()
    value = winsorised(developed, won)
    is_ratio = has_ratios(learned) and float(value.mean()) > 0
    count = np.bincount(member, minlength=len(listed))
    total = np.bincount(member, weights=value, minlength=len(listed))
    if is_ratio:
        effect = listed["lift"].to_numpy(dtype=float)
        # Inside a segment in units of its mean, weighted by it: one step of a Poisson regression with a log link.
        mean = np.maximum((total + value.mean()) / (count + 1), 0.05 * value.mean())
        weight = mean[member] / value.mean()
        outcome = value / mean[member]
    else:
        worth = listed["value_per_pursuit"].astype(float).fillna(developed.mean()).to_numpy()
        effect = (worth - developed.mean()) / max(value.std(), 1e-12)
        weight = np.ones(len(frame))
        outcome = value / max(value.std(), 1e-12)
    leaks = leak_verdicts(frame, known) if leaks is None else leaks
    # A trait that happens to be called segment would be taken for ours.
    candidates = known.drop(columns=[*suspected(leaks), "segment"], errors="ignore")
    coded = [t for name in sorted(candidates.columns) if (t := coded_trait(candidates[name])) is not None]
    with threadpool_limits(limits=1):
        conditions = _conditions(coded, outcome, weight, member, time_cells(frame), seed, is_ratio)
    gained = np.zeros(len(frame))
    for _, points, hit in conditions:
        gained += points * hit
    for at, (key, row) in enumerate(listed.iterrows()):
        inside = member == at
        # so that the mean of the segment's accounts is the segment's
        given = float(_effect(BASE + gained[inside], is_ratio).mean()) if inside.any() else _effect(BASE, is_ratio)
        points = round(_points(effect[at] / given if is_ratio else effect[at] - given, is_ratio), 1)
        rule = learned.rules[learned.rules["segment_id"] == key]
        rule = [Condition(r.attribute, r.operator, r.value) for r in rule.itertuples()]
        parts = _parts(rule, points, known, effect[member], is_ratio)
        counts = [int(inside.sum()), int(won[inside].sum())]
        rows.append(["segment", "=", key, points, *counts, *_bounds(row["tier"]), _reasons(parts)])
    for condition, points, hit in conditions:
        counts = [int(hit.sum()), int(won[hit].sum())]
        rows.append([*condition, points, *counts, np.nan, np.nan, _reasons([([condition], points)])])
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def described(card: pd.DataFrame, segment_names: pd.Series) -> pd.DataFrame:
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
    return words([Condition(row.attribute, row.operator, row.value)])


def fit_scores(traits: pd.DataFrame, scorecard: pd.DataFrame, segments_of_accounts: pd.Series) -> pd.Series:
    """The fit score of every account: the reference for what SQL does.

    `traits` has the index `account_id` (a trait that it lacks is missing for all), `segments_of_accounts` the segment by
    account. The points of all conditions that hold are added to the base, bounded by the segment's `lowest` and `highest`
    and by 0 and 100. Returns `fit_score` by account, to one decimal.
    """
    segment = segments_of_accounts.reindex(traits.index)
    score = pd.Series(0.0, index=traits.index, name="fit_score")
    low, high = pd.Series(0.0, index=traits.index), pd.Series(100.0, index=traits.index)
    for row in scorecard.itertuples():
        if pd.isna(row.attribute) or row.attribute == "":
            score += row.points
        elif row.attribute == "segment":
            inside = segment == row.value
            score[inside] += row.points
            low[inside], high[inside] = row.lowest, row.highest
        else:
            condition = pd.DataFrame([[row.attribute, row.operator, row.value]], columns=Condition._fields)
            score += row.points * meets(traits, condition)
    return score.clip(low, high).round(1)


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


def _reasons(parts: list[tuple[list[Condition], float]]) -> str:
    said = [{"reason": f"{words(c)} ({points:+.0f})", "points": str(points)} for c, points in parts if abs(points) >= 0.5]
    return json.dumps(said, ensure_ascii=False)


def _parts(
    rule: list[Condition], points: float, traits: pd.DataFrame, effect: np.ndarray, is_ratio: bool
) -> list[tuple[list[Condition], float]]:
    """Divide a segment's points among the traits of its rule."""
    asked = {name: [c for c in rule if c.attribute == name] for name in dict.fromkeys(c.attribute for c in rule)}
    hits = [np.all([holds(traits[c.attribute], c.operator, c.value) for c in of], axis=0) for of in asked.values()]
    if not hits:
        return []

    def worth(chosen: tuple[int, ...]) -> float:
        met = np.all([hits[i] for i in chosen], axis=0) if chosen else np.ones(len(effect), dtype=bool)
        return _points(float(effect[met].mean()), is_ratio) if met.any() else 0.0

    orders = list(permutations(range(len(hits))))
    shares = np.zeros(len(hits))
    for order in orders:
        for at, number in enumerate(order):
            shares[number] += (worth(order[: at + 1]) - worth(order[:at])) / len(orders)
    shares = np.round(shares, 1)
    shares[np.argmax(np.abs(shares))] += points - shares.sum()
    return [(of, round(float(share), 1)) for of, share in zip(asked.values(), shares, strict=True)]


def _conditions(
    traits: list[Trait],
    outcome: np.ndarray,
    weight: np.ndarray,
    member: np.ndarray,
    cells: np.ndarray,
    seed: int,
    is_ratio: bool,
) -> list[tuple[Condition, float, np.ndarray]]:
    """Conditions that pay inside segments and periods: each with its points and who meets it."""
    hits, asked = [], []
    for number, trait in enumerate(traits):
        for condition, hit in _candidates(trait):
            if min(hit.sum(), len(hit) - hit.sum()) >= max(LEAST_LEAF, LEAST_SHARE * len(hit)):
                hits.append(hit)
                asked.append((number, condition))
    if not hits:
        return []
    owner = np.array([number for number, _ in asked])
    is_threshold = np.array([condition.operator == ">=" for _, condition in asked])
    x = _within(np.stack(hits, axis=1).astype(float), weight, [member, cells])
    y = _within(outcome[:, None], weight, [member, cells])[:, 0]
    fold = folds(len(y), cells, seed)
    penalty = float(np.average(y**2, weights=weight)) / SPREAD_OF_EFFECTS**2
    contribution = np.zeros((len(y), len(traits)))
    for k in range(FOLDS):
        held = fold == k
        chosen = _one_threshold_each(x[~held], y[~held], weight[~held], owner, is_threshold)
        coefficient = _ridge(x[~held][:, chosen], y[~held], weight[~held], penalty)
        for at, b in zip(chosen, coefficient, strict=True):
            contribution[held, owner[at]] += b * x[held, at]
    # The traits together, or one so clearly that having looked at all of them is paid for.
    t = {j: _pays(contribution[:, j], y, weight) for j in np.unique(owner)}
    least, least_of_all = norm.ppf(1 - ERROR), norm.ppf((1 - ERROR) ** (1 / len(t)))
    if _pays(contribution.sum(axis=1), y, weight) <= least and max(t.values()) <= least_of_all:
        return []
    paying = [j for j in t if t[j] > least]
    if not paying:
        return []
    together = contribution[:, paying].sum(axis=1)
    slope = np.clip((weight * together * y).sum() / max((weight * together**2).sum(), 1e-12), 0, 1)
    chosen = _one_threshold_each(x, y, weight, owner, is_threshold)
    chosen = chosen[np.isin(owner[chosen], paying)]
    coefficient = slope * _ridge(x[:, chosen], y, weight, penalty)
    made = []
    for at, b in zip(chosen, coefficient, strict=True):
        points = round(_points(1 + b if is_ratio else b, is_ratio), 1)
        if abs(points) >= LEAST_POINTS:
            made.append((asked[at][1], points, hits[at]))
    made.sort(key=lambda m: (-abs(m[1]) * m[2].sum() ** 0.5, m[0].attribute, m[0].operator, m[0].value or ""))
    return sorted(made[:MOST_CONDITIONS], key=lambda m: (m[0].attribute, -m[1], m[0].operator, m[0].value or ""))


def _candidates(trait: Trait) -> list[tuple[Condition, np.ndarray]]:
    """Frequent values, thresholds at about each eighth, and missing."""
    made = []
    if trait.is_numeric:
        for at in sorted({round(i * len(trait.edges) / 8) for i in range(8)} & set(range(len(trait.edges)))):
            hit = (trait.codes > at) & (trait.codes != trait.missing)
            made.append((Condition(trait.name, ">=", number_text(trait.edges[at])), hit))
    else:
        made = [(Condition(trait.name, "=", value), trait.codes == i) for i, value in enumerate(trait.values)]
        if len(trait.values) == 1:
            return made  # yes or nothing: missing says no more
    return [*made, (Condition(trait.name, "is_missing", None), trait.codes == trait.missing)]


def _within(x: np.ndarray, weight: np.ndarray, groups: list[np.ndarray], rounds: int = 3) -> np.ndarray:
    """Differences from the weighted means of groups, of one grouping after the other."""
    x = x.copy()
    for _ in range(rounds):
        for group in groups:
            share = np.bincount(group, weights=weight)
            for column in range(x.shape[1]):
                total = np.bincount(group, weights=weight * x[:, column])
                x[:, column] -= (total / np.maximum(share, 1e-12))[group]
    return x


def _one_threshold_each(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, owner: np.ndarray, is_threshold: np.ndarray
) -> np.ndarray:
    """All columns, but of the thresholds of a number only the one that explains most."""
    explained = (weight[:, None] * x * y[:, None]).sum(axis=0) ** 2 / np.maximum((weight[:, None] * x**2).sum(axis=0), 1e-12)
    chosen = list(np.flatnonzero(~is_threshold))
    for number in np.unique(owner[is_threshold]):
        own = np.flatnonzero(is_threshold & (owner == number))
        chosen.append(own[np.argmax(np.round(explained[own], 9))])
    return np.sort(np.array(chosen, dtype=int))


def _ridge(x: np.ndarray, y: np.ndarray, weight: np.ndarray, penalty: float) -> np.ndarray:
    return Ridge(alpha=penalty, fit_intercept=False, solver="cholesky").fit(x, y, sample_weight=weight).coef_


def _pays(contribution: np.ndarray, y: np.ndarray, weight: np.ndarray) -> float:
    """t of the squared error that a trait saves on folds that did not choose its points."""
    saved = weight * (2 * y * contribution - contribution**2)
    spread = saved.std()
    return float(saved.mean() / spread * len(saved) ** 0.5) if spread > 1e-12 else 0.0
