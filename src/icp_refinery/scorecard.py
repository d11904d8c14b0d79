"""Scorecard: points for an account's segment and traits that add up to a fit score from 0 to 100.

50 is the overall value per pursuit, and 20 points double it. A segment brings the points of its lift, which comes from data
that did not choose it. On top, conditions on single traits get points where they pay inside segments, on folds that did
not choose them. A tier bounds the score: no trait can carry an account across the line that its tier was given for.
Whether the scores hold is shown out of time: learned before a cut-off, set against what happened after it.
"""

from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from icp_refinery import segments as sg
from icp_refinery.leaks import leak_flags
from icp_refinery.segments import Condition, Learned, Trait

BASE = 50.0
DOUBLING = 20.0  # points that double the expected value
PER_SPREAD = 40.0  # points of one standard deviation of value, where ratios mean nothing
MOST_CONDITIONS = 15
LEAST_SHARE = 0.02  # of pursuits, for a condition to be looked at
LEAST_POINTS = 1.0  # a condition with fewer gets none
SPREAD_OF_EFFECTS = 0.15  # what ridge regression expects of a condition: by how much it changes the value, inside a segment
ERROR = 0.05  # of the test that anything pays inside segments; each trait is held to it again
MOST_PAST = 20_000  # pursuits that are learned from again, to be set against later ones
RESAMPLES = 999
BAND = 20.0  # width of a score band
CALIBRATION = {
    "score_band": "object",
    "score_from": "float64",
    "score_to": "float64",
    "cutoff_on": "datetime64[us]",
    "learned_from_pursuits": "int64",
    "n": "int64",
    "wins": "int64",
    "mean_score": "float64",
    "win_rate": "float64",
    "win_rate_low": "float64",
    "win_rate_high": "float64",
    "value_per_pursuit": "float64",
    "value_low": "float64",
    "value_high": "float64",
    "predicted_value": "float64",
}
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


def learn_scorecard(pursuits: pd.DataFrame, traits: pd.DataFrame, learned: Learned, *, seed: int = 0) -> pd.DataFrame:
    """Learn the points of segments and of readable conditions.

    `pursuits` and `traits` as `learn_segments` takes them, `learned` as it returns. One row per condition: `attribute`,
    `operator`, `value` (operators and missing values as in the rules of segments), `points` (one decimal), `n` and
    `wins` (pursuits that meet it). The first row, without attribute, has the base points of everyone. A segment is a row with the
    attribute `segment` and its id as value; `lowest` and `highest` bound the score of its accounts: a `tier_1` score is not
    below what a lift of 1.25 gives, a `tier_2` score not below 50, a `deprioritized` one not above 50.

    Where there is one segment, there is no evidence: only the base row. Traits flagged as leaks get no points of their own.
    """
    frame = sg._checked(pursuits, traits)
    won = frame["is_won"].to_numpy(dtype=bool)
    rows = [[None, None, None, BASE, len(frame), int(won.sum()), np.nan, np.nan, "[]"]]
    if len(learned.segments) <= 1:
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    listed = learned.segments.set_index("segment_id").sort_index()
    known = traits.loc[frame["account_id"]]
    segment = sg.assign(known, learned.rules).to_numpy()
    member = listed.index.get_indexer(segment)
    developed = sg.expected_value(frame)[0].to_numpy()
    value = sg.winsorised(developed, won)
    is_ratio = _is_ratio(learned)
    count = np.bincount(member, minlength=len(listed))
    total = np.bincount(member, weights=value, minlength=len(listed))
    if is_ratio:
        effect = listed["lift"].to_numpy(dtype=float)
        # Inside a segment in units of its mean, weighted by it: one step of a Poisson regression with a log link.
        mean = np.maximum((total + value.mean()) / (count + 1), 0.05 * value.mean())
        weight = mean[member] / value.mean()
        outcome = value / mean[member]
    else:
        effect = (listed["value_per_pursuit"].to_numpy(dtype=float) - developed.mean()) / max(value.std(), 1e-12)
        weight = np.ones(len(frame))
        outcome = value / max(value.std(), 1e-12)
    flags = leak_flags(frame, known)
    # A trait that happens to be called segment would be taken for ours.
    candidates = known.drop(columns=[*flags.loc[flags["is_leak"], "attribute"], *({"segment"} & set(known.columns))])
    coded = [t for name in sorted(candidates.columns) if (t := sg._coded(candidates[name])) is not None]
    with threadpool_limits(limits=1):
        conditions = _conditions(coded, outcome, weight, member, sg.time_cells(frame), seed, is_ratio)
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
            absent = pd.Series(None, index=traits.index, dtype=object)
            score += row.points * sg._holds(traits.get(row.attribute, absent), row.operator, row.value)
    return score.clip(low, high).round(1)


def score_calibration(
    pursuits: pd.DataFrame, traits: pd.DataFrame, sales: pd.DataFrame, *, later_share: float = 1 / 3, seed: int = 0
) -> pd.DataFrame:
    """Set scores against what happened, out of time.

    The cut-off is the day on which the last `later_share` of the pursuits began. Segments and scorecard are learned from
    pursuits that had closed before it (a sample of 20,000, where there are more), with what was sold before it, and score
    the pursuits that began from it on. `sales` has `account_id`, `sold_on` and `amount`: what makes up the `value` of the
    pursuits.

    One row per band of scores that has later pursuits, and one for `all`: their `n`, `wins`, win rate (Wilson's 95 % interval)
    and value per pursuit (developed to the horizon by chain ladder; 95 % by bootstrap; no interval below 5 wins), beside
    `predicted_value`, what their scores stand for. No row where nothing was closed before the cut-off.
    """
    frame = sg._checked(pursuits, traits)
    empty = pd.DataFrame(columns=list(CALIBRATION)).astype(CALIBRATION)
    began, closed = pd.to_datetime(frame["began_on"]), pd.to_datetime(frame["closed_on"])
    if began.notna().sum() == 0:
        return empty
    cutoff = began.quantile(1 - later_share, interpolation="lower").normalize()
    past = frame[closed < cutoff]
    if len(past) > MOST_PAST:
        past = past.sample(MOST_PAST, random_state=seed).sort_index()
    later = (began >= cutoff).to_numpy()
    if past.empty:
        return empty
    closed_on = pd.Series(closed.to_numpy(), index=frame["account_id"])
    sales = sales.assign(sold_on=pd.to_datetime(sales["sold_on"]), value=sales["amount"].astype(float))
    sales["month"] = ((sales["sold_on"] - sales["account_id"].map(closed_on)).dt.days / 30.4375).clip(lower=0).fillna(0)
    sales["month"] = sales["month"].astype("int64")
    sold_before = sales[sales["sold_on"] < cutoff]
    sold = sold_before.groupby("account_id")["value"].sum()
    days = (cutoff - closed.loc[past.index]).dt.days
    past = past.assign(
        value=past["account_id"].map(sold).astype(float).fillna(0.0).where(past["is_won"].astype(bool), 0.0),
        months_observed=(days / 30.4375).clip(upper=24).where(past["is_won"].astype(bool)),
    )
    known = traits.loc[frame["account_id"]]
    learned = sg.learn_segments(past, known, seed=seed)
    scorecard = learn_scorecard(past, known, learned, seed=seed)
    then = sg.expected_value(past, history=sold_before)[0].to_numpy()
    spread = None
    if not _is_ratio(learned):
        spread = float(sg.winsorised(then, past["is_won"].to_numpy(dtype=bool)).std())
    after = known.iloc[np.flatnonzero(later)]
    score = fit_scores(after, scorecard, sg.assign(after, learned.rules)).to_numpy()
    predicted = expected_values(pd.Series(score), float(then.mean()), spread).to_numpy()
    actual = sg.expected_value(frame, history=sales)[0].to_numpy()[later]
    won = frame["is_won"].to_numpy(dtype=bool)[later]
    band = np.minimum(score // BAND, 100 // BAND - 1) * BAND
    rows = []
    for low in [None, *sorted(set(band))]:
        inside = np.ones(len(band), dtype=bool) if low is None else band == low
        n, wins = int(inside.sum()), int(won[inside].sum())
        rate_low, rate_high = (float(end[0]) for end in sg.wilson_interval(np.array([wins]), np.array([n])))
        value_low, value_high = _bootstrapped(actual[inside], seed) if wins >= 5 else (np.nan, np.nan)
        name, ends = ("all", (0.0, 100.0)) if low is None else (f"{low:.0f} to {low + BAND:.0f}", (low, low + BAND))
        figures = [wins / n, rate_low, rate_high, float(actual[inside].mean()), value_low, value_high]
        row = [name, *ends, cutoff, len(past), n, wins, float(score[inside].mean()), *figures, float(predicted[inside].mean())]
        rows.append(row)
    return pd.DataFrame(rows, columns=list(CALIBRATION)).astype(CALIBRATION)


def expected_values(scores: pd.Series, overall: float, spread: float | None = None) -> pd.Series:
    """The value per pursuit that a fit score stands for.

    `overall` is the value per pursuit of all. `spread`, the standard deviation of value, is given where ratios mean nothing:
    where the overall value, or a segment's, is below 0.
    """
    effect = _effect(scores.to_numpy(dtype=float), spread is None)
    return pd.Series(overall * effect if spread is None else overall + effect * spread, index=scores.index)


def words(conditions: list[Condition]) -> str:
    """Conditions on one trait as a salesperson would say them."""
    attribute = conditions[0].attribute
    for condition in conditions:
        if condition.operator in ("=", "in"):
            values = json.loads(condition.value) if condition.operator == "in" else [condition.value]
            return f"{attribute.replace('_', ' ')} is {sg._listed(values, 'or', short=True)}"
    if attribute.startswith(("engagement_", "topic_")) and conditions[0].operator == "is_missing":
        return f"no {attribute.replace('_', ' ')}"  # none was seen, nothing is unknown
    return sg._phrase(attribute, conditions, short=True)


# ----------------------------------------------------------------------------------------------- points


def _points(effect: float, is_ratio: bool) -> float:
    """Points of a lift, or of a difference in standard deviations, that add to the base."""
    if not is_ratio:
        return float(np.clip(PER_SPREAD * effect, -BASE, BASE))
    return float(DOUBLING * np.log2(np.clip(effect, 2 ** (-BASE / DOUBLING), 2 ** (BASE / DOUBLING))))


def _effect(score: np.ndarray | float, is_ratio: bool) -> np.ndarray | float:
    """The lift, or difference in standard deviations, of a score."""
    return 2 ** ((score - BASE) / DOUBLING) if is_ratio else (score - BASE) / PER_SPREAD


def _is_ratio(learned: Learned) -> bool:
    """Whether values can be compared by ratios: not where the overall value, or a segment's, is below 0."""
    return bool((learned.segments["lift"].astype(float) >= 0).all())  # False where one is missing


def _bounds(tier: str) -> tuple[float, float]:
    """Where the scores of a tier lie: on the side of the lift that it was given for."""
    if tier == "tier_1":
        return round(BASE + _points(sg.TIER_1, is_ratio=True), 1), 100.0
    if tier == "tier_2":
        return BASE, 100.0
    return (0.0, BASE) if tier == "deprioritized" else (0.0, 100.0)


def _bootstrapped(value: np.ndarray, seed: int) -> tuple[float, float]:
    """A 95 % interval of a mean, by bootstrap."""
    rng = np.random.default_rng(seed)
    means = [value[rng.integers(len(value), size=len(value))].mean() for _ in range(RESAMPLES)]
    return tuple(float(end) for end in np.quantile(means, [0.025, 0.975]))


def _reasons(parts: list[tuple[list[Condition], float]]) -> str:
    said = [{"reason": f"{words(c)} ({points:+.0f})", "points": str(points)} for c, points in parts if abs(points) >= 0.5]
    return json.dumps(said, ensure_ascii=False)


def _parts(
    rule: list[Condition], points: float, traits: pd.DataFrame, effect: np.ndarray, is_ratio: bool
) -> list[tuple[list[Condition], float]]:
    """Divide a segment's points among the traits of its rule."""
    asked = {name: [c for c in rule if c.attribute == name] for name in dict.fromkeys(c.attribute for c in rule)}
    hits = [np.all([sg._holds(traits[c.attribute], c.operator, c.value) for c in of], axis=0) for of in asked.values()]
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


# ------------------------------------------------------------------------------------------- conditions


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
            if min(hit.sum(), len(hit) - hit.sum()) >= max(sg.LEAST_LEAF, LEAST_SHARE * len(hit)):
                hits.append(hit)
                asked.append((number, condition))
    if not hits:
        return []
    owner = np.array([number for number, _ in asked])
    is_threshold = np.array([condition.operator == ">=" for _, condition in asked])
    x = _within(np.stack(hits, axis=1).astype(float), weight, [member, cells])
    y = _within(outcome[:, None], weight, [member, cells])[:, 0]
    fold = sg._folds(len(y), cells, seed)
    penalty = float(np.average(y**2, weights=weight)) / SPREAD_OF_EFFECTS**2
    contribution = np.zeros((len(y), len(traits)))
    for k in range(sg.FOLDS):
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
            made.append((Condition(trait.name, ">=", sg._number(trait.edges[at])), hit))
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
