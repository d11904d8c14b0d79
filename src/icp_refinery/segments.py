"""Segments: a small readable partition of all accounts, learned for the value of a pursuit.

Whether any trait matters at all is tested first, by permutation within periods. Then boosted trees learn a score
of two parts, the chance of winning and the value of a win, on folds, and are distilled into one tree whose splits may
be sets of values. The figures of each segment come from folds that did not choose its sets and thresholds, and
are shrunk for the choice of its traits.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from icp_refinery.leaks import leak_flags

LEVEL = 0.01  # of the permutation test of the whole partition
CONFIDENCE = 0.95  # simultaneous, over the nodes of one tree
PROVISIONAL = 0.20  # up to this p accounts are told apart, and nothing is claimed of them
PERMUTATIONS = 599
PRIOR = 0.05  # variance of an effect that the test looks for, in units of the variance of the outcome
TESTED_ROWS = 10_000  # the permutation test reads a sample of at most this many pursuits
FOLDS = 5
MOST_VALUES = 50  # values of a trait that can appear in a rule; rarer ones fall on the not_in side
MOST_BINS = 48
LEAST_PURSUITS = 50
LEAST_WINS = 15
LEAST_SUPPORT = 8  # pursuits with a value, for the value to appear in a rule
PAIR_SUPPORT = 20
LEAST_LEAF = 30  # pursuits of a segment
LIKENESS = 0.6  # of the smaller sides of a split and of the same split without a fold, as a Jaccard index
LEAST_T = 2.0  # between the sides of a split, on folds that did not choose it
LEAST_GAIN = 0.02  # of the variance that the model explains, for a split
TIER_1, TIER_2 = 1.25, 1.0
NO_EVIDENCE = "not enough evidence"
SEGMENT_COLUMNS = [
    "segment_id",
    "segment_name",
    "definition",
    "tier",
    "pursuits",
    "wins",
    "win_rate",
    "win_rate_low",
    "win_rate_high",
    "value_per_pursuit",
    "lift",
    "lift_low",
    "lift_high",
    "evidence",
]
RULE_COLUMNS = ["segment_id", "condition_number", "attribute", "operator", "value"]


class Learned(NamedTuple):
    """What was learned: a row per segment, a row per condition, and notes (`topic`, `note`) on the model."""

    segments: pd.DataFrame
    rules: pd.DataFrame
    model_notes: pd.DataFrame


class Condition(NamedTuple):
    """One condition of a segment, as in `icp_segment_rules`."""

    attribute: str
    operator: str
    value: str | None


class Trait(NamedTuple):
    """A trait of all pursuits, as codes.

    Categorical: code i is `values[i]`, then one code for any other value, then one for missing. Numeric: code i
    is the bin below `edges[i]` (and not below the edge before), one more for the rest, then one for missing.
    """

    name: str
    is_numeric: bool
    values: list[str]
    edges: list[float]
    codes: np.ndarray
    raw: np.ndarray

    @property
    def size(self) -> int:
        """The number of codes."""
        return len(self.values) + 2 if not self.is_numeric else len(self.edges) + 2

    @property
    def missing(self) -> int:
        """The code of a missing value."""
        return self.size - 1


class Node(NamedTuple):
    """A node of the tree: which codes of each trait it allows, and how it is split (or -1)."""

    allowed: dict[int, np.ndarray]
    trait: int
    is_missing_split: bool
    left: int
    right: int


class Split(NamedTuple):
    """A split of a node: the codes of one trait that go left (to the lower side)."""

    gain: float
    trait: int
    is_missing_split: bool
    left: np.ndarray


# ---------------------------------------------------------------------------------------------- public


def learn_segments(
    pursuits: pd.DataFrame,
    traits: pd.DataFrame,
    *,
    max_segments: int = 12,
    max_conditions: int = 4,
    seed: int = 0,
    history: pd.DataFrame | None = None,
    permutations: int | None = None,
) -> Learned:
    """Learn a partition of all accounts for the value of a pursuit.

    Parameters
    ----------
    pursuits
        One row per pursuit: `account_id` (text, unique), `began_on`, `closed_on` (dates), `is_won` (bool), `value`
        (sold within the horizon so far, money, 0 if lost), `months_observed` (months since the win, NaN if lost).
    traits
        Index `account_id`, one column per trait: object columns are categorical, float columns numeric;
        None or NaN is missing. Prospects may be there too.
    max_segments, max_conditions
        Limits of the partition and of each rule.
    history
        Optional, for `expected_value`: what was sold by month since the win.
    permutations
        Of the test of the whole partition; 599 if left out.

    Returns
    -------
    `segments`: what each segment is, its observed pursuits, wins and win rate, and its cross-fitted value per
    pursuit and lift with simultaneous 95 % intervals. Where no effect is found there is one segment of
    all accounts. `lift` is missing where the overall value per pursuit is not above 0; `lift_low` and `lift_high`
    are then 1 + (difference from overall) / (standard deviation of the value of a pursuit).

    Raises ValueError where a column is missing, an account has two pursuits, or has none of the `traits`.
    """
    frame = _checked(pursuits, traits)
    value, notes = expected_value(frame, history=history)
    value = value.to_numpy()
    won = frame["is_won"].to_numpy(dtype=bool)
    n = len(frame)
    if n < LEAST_PURSUITS or won.sum() < LEAST_WINS:
        notes.append(("evidence", f"{n} pursuits with {won.sum()} wins are too few to learn from"))
        return _one_segment(frame, value, notes)
    flagged = leak_flags(frame, traits)
    flagged = flagged[flagged["is_leak"]]
    for flag in flagged.itertuples():
        notes.append(("leak" if flag.is_left_out else "likely leak", f"{flag.attribute}: {flag.reason}"))
    table = traits.loc[frame["account_id"]].drop(columns=flagged.loc[flagged["is_left_out"], "attribute"])
    coded = [t for name in sorted(table.columns) if (t := _coded(table[name])) is not None]
    if not coded:
        notes.append(("evidence", "no trait differs between accounts"))
        return _one_segment(frame, value, notes)
    cells = time_cells(frame)
    robust = _winsorised(value, won)
    score = _centred(_score(won, robust), cells)
    with threadpool_limits(limits=1):
        p = _permutation_p(coded, won, score, cells, seed, permutations or PERMUTATIONS)
        notes.append(("permutation test", f"p = {p:.3f} by permutation within periods"))
        if p > max(LEVEL, PROVISIONAL):
            return _one_segment(frame, value, notes)
        fold = _folds(n, cells, seed)
        predicted = _teach(coded, score, fold, seed)
    target = predicted.mean(axis=1)
    everyone = np.ones(n, dtype=bool)
    tree = _grow(coded, target, everyone, max_segments, max_conditions)
    crossed = np.empty(n, dtype=int)
    kept, free = np.empty(n), np.empty(n)
    for k in range(FOLDS):
        held, taught = fold == k, predicted[:, k]
        again = _refitted(tree, coded, taught, ~held)
        crossed[held] = _leaf_of(again, coded, held)
        kept[held] = _leaf_means(again, coded, taught, ~held, held)
        other = _grow(coded, taught, ~held, max_segments, max_conditions)
        free[held] = _leaf_means(other, coded, taught, ~held, held)
    shrinkage = _shrinkage(score, kept, free)
    looked_at = len(tree)
    tree, crossed = _pruned(tree, crossed, target, score)
    leaves = sorted(set(_leaves_under(tree, 0)))
    if len(leaves) == 1:
        notes.append(("evidence", "no split of the accounts explains the outcome"))
        return _one_segment(frame, value, notes)
    own = _leaf_of(tree, coded, everyone)
    notes.append(("shrinkage", f"effects times {shrinkage:.2f}"))
    notes.append(("cross-fit", f"{np.mean(own == crossed):.0%} of pursuits keep their segment without their fold"))
    figures = _figures(leaves, looked_at, shrinkage, crossed, robust, value, won, cells)
    if p > LEVEL:
        # All effects may still be none, so every interval has room for that: an order of accounts, and no claim.
        figures = figures._replace(low=np.minimum(figures.low, 1.0), high=np.maximum(figures.high, 1.0))
    return _tables(tree, leaves, coded, own, figures, frame, value, p, notes)


def assign(traits: pd.DataFrame, rules: pd.DataFrame) -> pd.Series:
    """Find the segment of every account: the reference for what SQL does.

    `traits` as in `learn_segments`, `rules` as it returns. `not_in`, `!=` and `<` hold for a missing value, `in`,
    `=` and `>=` do not. Without rules all accounts are in the one segment without conditions. Returns `segment_id`
    by account. Raises ValueError where an account is in no segment or in two.
    """
    if rules.empty:
        return pd.Series(segment_id([]), index=traits.index, name="segment_id", dtype=object)
    found = pd.Series(None, index=traits.index, name="segment_id", dtype=object)
    hits = np.zeros(len(traits), dtype=int)
    for segment, conditions in rules.groupby("segment_id", sort=True):
        hit = np.ones(len(traits), dtype=bool)
        for condition in conditions.itertuples():
            hit &= _holds(traits[condition.attribute], condition.operator, condition.value)
        hits += hit
        found[hit] = segment
    if (hits != 1).any():
        raise ValueError(f"{int((hits != 1).sum())} accounts are not in exactly one segment")
    return found


def segment_id(conditions: list[Condition]) -> str:
    """The id that follows from a rule, whatever the order of its conditions."""
    canonical = json.dumps(sorted([c.attribute, c.operator, c.value or ""] for c in conditions), ensure_ascii=True)
    return "seg_" + hashlib.sha256(canonical.encode()).hexdigest()[:10]


def expected_value(
    pursuits: pd.DataFrame,
    *,
    history: pd.DataFrame | None = None,
    horizon: int = 24,
    least_wins: int = 30,
) -> tuple[pd.Series, list[tuple[str, str]]]:
    """Develop the value of young wins to the horizon, by chain ladder.

    With `history` (`account_id`, `month`: whole months since the win, from 0, `value`: sold in that month) the factor
    from one age to the next is the sum over wins old enough to know both. Without it, the mean of matured wins is
    set against that of wins of an age, in bands of six months. A factor is 1 where fewer than `least_wins` wins
    are behind it, and is never below 1.

    Returns the developed value of each pursuit (same index) and notes.
    """
    value = pursuits["value"].astype(float).copy()
    won = pursuits["is_won"].astype(bool)
    age = pursuits["months_observed"].astype(float).clip(0, horizon)
    young = won & (age < horizon)
    if not young.any():
        return value, []
    if history is not None:
        factors = _ladder(pursuits, history, horizon, least_wins)
        applied = pd.Series(factors[age.fillna(horizon).astype(int).to_numpy()], index=value.index)
    else:
        applied = pd.Series(1.0, index=value.index)
        matured = value[won & (age >= horizon)]
        if len(matured) >= least_wins:
            cap = matured.quantile(0.99)
            for start in range(0, horizon, 6):
                band = young & (age >= start) & (age < start + 6)
                seen = value[band].clip(upper=cap).mean() if band.sum() >= least_wins else np.nan
                if seen > 0:
                    applied[band] = max(1.0, min(3.0, matured.clip(upper=cap).mean() / seen))
    value[young] *= applied[young]
    unchanged = int((young & (applied == 1)).sum())
    note = f"{int(young.sum())} wins younger than {horizon} months, factors up to {applied[young].max():.2f}"
    return value, [("development", note + (f"; {unchanged} taken as they are" if unchanged else ""))]


def time_cells(pursuits: pd.DataFrame, cell: int = 30) -> np.ndarray:
    """Periods to compare within: bins of the beginning, each split by closing, of about `cell` pursuits or more.

    Equal counts instead of calendar quarters keep small data from falling into cells of one. Returns one whole
    number per row of `pursuits` (`began_on`, `closed_on`; a missing date is taken from the other).
    """
    closed = pd.to_datetime(pursuits["closed_on"]).fillna(pd.to_datetime(pursuits["began_on"]))
    began = pd.to_datetime(pursuits["began_on"]).fillna(closed)
    n = len(pursuits)
    outer = int(np.clip(n // (3 * cell), 1, 32))
    first = _equal_bins(began, np.zeros(n, dtype=int), outer)
    return first * 3 + _equal_bins(closed, first, 3 if n >= 3 * cell else 1)


# ------------------------------------------------------------------------------------------ preparation


def _checked(pursuits: pd.DataFrame, traits: pd.DataFrame) -> pd.DataFrame:
    needed = {"account_id", "began_on", "closed_on", "is_won", "value", "months_observed"}
    if lacking := sorted(needed - set(pursuits.columns)):
        raise ValueError(f"pursuits lack {', '.join(lacking)}")
    if pursuits["account_id"].duplicated().any():
        raise ValueError("an account has more than one pursuit")
    if traits.index.has_duplicates:
        raise ValueError("an account has more than one row of traits")
    if not pursuits["account_id"].isin(traits.index).all():
        raise ValueError("a pursuit's account has no row of traits")
    return pursuits.sort_values("account_id", ignore_index=True)


def _equal_bins(when: pd.Series, within: np.ndarray, bins: int) -> np.ndarray:
    """Bins of equal count within groups; equal dates stay together."""
    rank = when.groupby(within).rank(method="min").to_numpy() - 1
    total = pd.Series(within).groupby(within).transform("size").to_numpy()
    return np.minimum((rank * bins / np.maximum(total, 1)).astype(int), bins - 1)


def _text(column: pd.Series) -> pd.Series:
    """A categorical trait as text, missing as None."""
    missing = column.isna().to_numpy()
    return pd.Series([None if m else str(v) for v, m in zip(column, missing, strict=True)], column.index, dtype=object)


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _coded(column: pd.Series) -> Trait | None:
    """A trait as codes, or None where it does not vary."""
    name = str(column.name)
    missing = column.isna().to_numpy()
    if _is_numeric(column):
        raw = column.to_numpy(dtype=float, na_value=np.nan)
        present = raw[np.isfinite(raw)]
        edges: list[float] = []
        if len(present) >= 2 * LEAST_SUPPORT:
            cuts = np.quantile(present, np.linspace(0, 1, MOST_BINS + 1)[1:-1])
            edges = sorted({_round(c) for c in cuts} - {present.min()})
            edges = [e for e in edges if (present < e).any() and (present >= e).any()]
        codes = np.searchsorted(np.array(edges), raw, side="right")
        codes[missing] = len(edges) + 1
        trait = Trait(name, True, [], edges, codes.astype(np.int32), np.where(missing, np.nan, raw))
    else:
        text = _text(column)
        counts = text.value_counts()
        counts = counts[counts >= LEAST_SUPPORT]
        kept = sorted(counts.index, key=lambda v: (-counts[v], v))[:MOST_VALUES]
        place = {v: i for i, v in enumerate(kept)}
        codes = np.array([place.get(v, len(kept)) for v in text], dtype=np.int32)
        codes[missing] = len(kept) + 1
        trait = Trait(name, False, kept, [], codes, np.where(missing, np.nan, codes.astype(float)))
    return trait if len(np.unique(trait.codes)) > 1 else None


def _round(number: float) -> float:
    """Two significant digits, so that a threshold can be said aloud."""
    return float(f"{number:.2g}")


def _winsorised(value: np.ndarray, won: np.ndarray, share: float = 0.99) -> np.ndarray:
    """Cap the largest (and, of losses, the smallest) values of wins, so that no single deal makes a segment."""
    if not won.any():
        return value
    high = np.quantile(value[won], share)
    low = min(0.0, np.quantile(value[won], 1 - share))
    return np.clip(value, low, high)


def _centred(y: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Differences from the mean of the period."""
    total = np.bincount(cells, weights=y)
    count = np.bincount(cells)
    return y - (total / np.maximum(count, 1))[cells]


def _folds(n: int, cells: np.ndarray, seed: int) -> np.ndarray:
    """Folds of equal size within periods."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(n), cells))
    fold = np.empty(n, dtype=int)
    fold[order] = np.arange(n) % FOLDS
    return fold


# --------------------------------------------------------------------------------------------- the test


def _permutation_p(
    traits: list[Trait], won: np.ndarray, score: np.ndarray, cells: np.ndarray, seed: int, permutations: int
) -> float:
    """Test whether any trait, or pair of traits, goes with winning or value more than chance gives.

    The statistic is the likelihood ratio of "one value, range or pair of them has a normal effect" against "none has", averaged
    over all of them (the exponential average of Andrews and Ploberger 1994): unlike the largest effect it gains from several
    values that each tell a little. Outcomes are permuted within periods and every permutation is searched as
    the data were, so that having looked at many traits is paid for.
    """
    rng = np.random.default_rng(seed + 1)
    n = len(won)
    rows = np.sort(rng.choice(n, TESTED_ROWS, replace=False)) if n > TESTED_ROWS else np.arange(n)
    families = [part for part in _indicators(traits, rows) if sum(p.shape[1] for p in part)]
    cells = cells[rows]
    outcomes = [_centred(won[rows].astype(float), cells), _centred(score[rows], cells)]
    outcomes = [y / y.std() for y in outcomes if y.std() > 1e-12]
    if not outcomes or not families:
        return 1.0
    by_cell = np.argsort(cells, kind="stable")
    sorted_cells = cells[by_cell]
    order = np.empty((len(rows), permutations + 1), dtype=np.int32)
    order[:, 0] = np.arange(len(rows))
    for b in range(1, permutations + 1):
        order[by_cell, b] = by_cell[np.lexsort((rng.random(len(rows)), sorted_cells))]
    averages = []
    for y in outcomes:
        permuted = y.astype(np.float32)[order]
        for family in families:  # singles and pairs weigh the same, however many there are
            ratios = [_log_ratios(features, permuted) for features in family if features.shape[1]]
            averages.append(logsumexp(np.concatenate(ratios), axis=0) - np.log(sum(len(r) for r in ratios)))
    statistic = logsumexp(np.stack(averages), axis=0)
    return float((statistic >= statistic[0] - 1e-9).mean())


def _log_ratios(features: sparse.csc_matrix, outcomes: np.ndarray) -> np.ndarray:
    """Log likelihood ratios, features × outcomes, of an effect with variance PRIOR against none."""
    sums = np.asarray(features.T @ outcomes)
    spread = sums.std(axis=1, keepdims=True)
    z = np.divide(sums - sums.mean(axis=1, keepdims=True), spread, out=np.zeros_like(sums), where=spread > 1e-9)
    size = PRIOR * np.asarray(features.sum(axis=0), dtype=float).reshape(-1, 1)
    return z**2 * (size / (2 * (1 + size))) - np.log1p(size) / 2


def _indicators(traits: list[Trait], rows: np.ndarray) -> tuple[list[sparse.csc_matrix], list[sparse.csc_matrix]]:
    """Indicators of values (of ranges, for numbers), and of pairs of them: a matrix each for a trait and a pair of traits."""
    single, paired = [], []
    for trait in traits:
        codes = trait.codes[rows]
        if trait.is_numeric:
            present = codes != trait.missing
            cuts = np.unique(np.quantile(codes[present], np.linspace(0, 1, 9)[1:-1])) if present.any() else []
            band = np.where(present, np.searchsorted(np.asarray(cuts), codes, side="right"), -1)
            last = len(cuts)
            ranges = [(i, j) for i in range(last + 1) for j in range(i, last + 1) if (i, j) != (0, last)]
            made = [(band >= i) & (band <= j) for i, j in [*ranges, (-1, -1)]]
            wide = [m for m, (i, j) in zip(made, ranges, strict=False) if j - i in (1, 3)]
        else:
            made = wide = [codes == code for code in np.unique(codes)]
        single.append(_sparse(made, len(rows), LEAST_SUPPORT))
        paired.append(_sparse(wide, len(rows), PAIR_SUPPORT))
    pairs = []
    for i, one in enumerate(paired):
        for other in paired[i + 1 :]:
            left, right = np.nonzero((one.T @ other).toarray() >= PAIR_SUPPORT)
            if len(left):
                pairs.append(one[:, left].multiply(other[:, right]).tocsc())
    return single, pairs


def _sparse(made: list[np.ndarray], n: int, least: int) -> sparse.csc_matrix:
    kept = [m for m in made if least <= m.sum() <= n - least]
    return sparse.csc_matrix(np.stack(kept, axis=1).astype(np.float32)) if kept else sparse.csc_matrix((n, 0), dtype=np.float32)


# -------------------------------------------------------------------------------------------- the model


def _score(won: np.ndarray, value: np.ndarray) -> np.ndarray:
    """What a pursuit adds to the logarithm of value per pursuit, relative to the average pursuit.

    The chance of winning and the value of a win in one figure, the first-order (influence) term of
    log(win rate) + mean(log(value of a win)): a large deal weighs by its logarithm. Where values are not all positive, the
    capped value in units of its spread.
    """
    if not _all_positive(value[won]):
        capped = _winsorised(value, won, 0.95)
        return (capped - capped.mean()) / max(capped.std(), 1e-12)
    rate = won.mean()
    amount = np.log(np.maximum(value[won], np.quantile(value[won], 0.01)))
    score = np.where(won, 1.0, 0.0) - rate
    score[won] += amount - amount.mean()
    return score / rate


def _all_positive(value: np.ndarray) -> bool:
    return bool((value >= 0).all() and (value > 0).mean() > 0.98)


def _teach(traits: list[Trait], score: np.ndarray, fold: np.ndarray, seed: int) -> np.ndarray:
    """Boosted trees fitted without each fold: predicted score of every pursuit, pursuits × folds."""
    x = np.stack([t.raw for t in traits], axis=1)
    kinds = [not t.is_numeric for t in traits]
    return np.stack([_boosted(x, kinds, score, fold != k, seed) for k in range(FOLDS)], axis=1)


def _boosted(
    x: np.ndarray,
    kinds: list[bool],
    y: np.ndarray,
    train: np.ndarray,
    seed: int,
) -> np.ndarray:
    model = HistGradientBoostingRegressor(
        learning_rate=0.1,
        max_iter=60,
        max_leaf_nodes=3,
        min_samples_leaf=30,
        l2_regularization=20.0,
        max_bins=64,
        categorical_features=kinds,
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(x[train], y[train]).predict(x)


# --------------------------------------------------------------------------------------------- the tree


def _grow(traits: list[Trait], target: np.ndarray, train: np.ndarray, max_segments: int, max_conditions: int) -> list[Node]:
    """Grow a tree best split first; its leaves are the nodes whose trait is -1."""
    n = int(train.sum())
    least = max(LEAST_LEAF, round(0.02 * n))
    nodes = [Node({}, -1, False, -1, -1)]
    rows = {0: np.flatnonzero(train)}
    enough = LEAST_GAIN * n * target[train].var()
    splits = {0: _best_split(traits, target, rows[0], {}, least, max_conditions)}
    while len(splits) < max_segments:
        number = max(splits, key=lambda i: (splits[i].gain, -i))
        split = splits[number]
        if split.gain <= enough:
            break
        node = nodes[number]
        del splits[number]
        goes_left = split.left[traits[split.trait].codes[rows[number]]]
        for side in (True, False):
            nodes.append(Node(_narrowed(node.allowed, split, side, traits), -1, False, -1, -1))
            child = len(nodes) - 1
            rows[child] = rows[number][goes_left == side]
            splits[child] = _best_split(traits, target, rows[child], nodes[child].allowed, least, max_conditions)
        nodes[number] = Node(node.allowed, split.trait, split.is_missing_split, len(nodes) - 2, len(nodes) - 1)
    return nodes


def _narrowed(allowed: dict[int, np.ndarray], split: Split, left: bool, traits: list[Trait]) -> dict[int, np.ndarray]:
    before = allowed.get(split.trait, np.ones(traits[split.trait].size, dtype=bool))
    return allowed | {split.trait: before & (split.left if left else ~split.left)}


def _best_split(
    traits: list[Trait],
    target: np.ndarray,
    rows: np.ndarray,
    allowed: dict[int, np.ndarray],
    least: int,
    max_conditions: int,
) -> Split:
    best = Split(0.0, -1, False, np.zeros(0, dtype=bool))
    y = target[rows]
    for number, trait in enumerate(traits):
        for missing_split in (False, True):
            split = _split_of(trait, number, y, rows, allowed, least, missing_split)
            if split.gain > best.gain * (1 + 1e-9) and all(
                _count(traits, _narrowed(allowed, split, side, traits)) <= max_conditions for side in (True, False)
            ):
                best = split
    return best


def _split_of(
    trait: Trait,
    number: int,
    y: np.ndarray,
    rows: np.ndarray,
    allowed: dict[int, np.ndarray],
    least: int,
    missing_split: bool,
    like: np.ndarray | None = None,
) -> Split:
    """The best split of a node on one trait; gain 0 where there is none with `least` rows on both sides.

    With `like` (the codes that go left) only splits are looked at both of whose sides are much the same as its sides.
    """
    nothing = Split(0.0, number, missing_split, np.zeros(trait.size, dtype=bool))
    codes = trait.codes[rows]
    count = np.bincount(codes, minlength=trait.size).astype(float)
    total = np.bincount(codes, weights=y, minlength=trait.size)
    mask = allowed.get(number, np.ones(trait.size, dtype=bool))
    if missing_split:
        groups = [[trait.missing], [c for c in range(trait.size - 1) if mask[c]]]
        if not mask[trait.missing] or not groups[1]:
            return nothing
    elif trait.is_numeric:
        bins = [[c] for c in range(trait.size - 1) if mask[c]]
        if not bins:
            return nothing
        if mask[trait.missing]:
            bins[0].append(trait.missing)
        groups = bins
    else:
        rest = [c for c in (trait.size - 2, trait.missing) if mask[c]]
        if rest == [trait.missing]:
            return nothing
        seen = [c for c in range(trait.size - 2) if mask[c]]
        if rest:
            rest += [c for c in seen if not count[c]]
            seen = [c for c in seen if count[c]]
        groups = [[c] for c in seen] + ([rest] if rest else [])
        mean = y.mean() if len(y) else 0.0
        smoothed = [(total[g].sum() + 5 * mean) / (count[g].sum() + 5) for g in groups]
        if rest and count[rest].sum() < LEAST_SUPPORT:
            smoothed[-1] = -np.inf  # nothing is known of missing and of new values: they join the lower side
        groups = [groups[i] for i in sorted(range(len(groups)), key=lambda i: (smoothed[i], i))]
    if len(groups) < 2:
        return nothing
    counts = np.cumsum([count[g].sum() for g in groups])
    totals = np.cumsum([total[g].sum() for g in groups])
    left_n, left_sum = counts[:-1], totals[:-1]
    right_n, right_sum = counts[-1] - left_n, totals[-1] - left_sum
    valid = (left_n >= least) & (right_n >= least)
    if like is not None:
        both_left = np.cumsum([count[[c for c in g if like[c]]].sum() for g in groups])
        only_left, only_like = left_n - both_left[:-1], both_left[-1] - both_left[:-1]
        apart, both_right = only_left + only_like, right_n - only_like
        valid &= np.minimum(both_left[:-1], both_right) >= LIKENESS * (np.minimum(both_left[:-1], both_right) + apart)
    if not valid.any():
        return nothing
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = left_sum**2 / left_n + right_sum**2 / right_n - totals[-1] ** 2 / counts[-1]
    gain = np.where(valid, gain, -np.inf)
    at = int(np.argmax(gain))
    left = np.zeros(trait.size, dtype=bool)
    left[[c for g in groups[: at + 1] for c in g]] = True
    return Split(float(max(gain[at], 0.0)), number, missing_split, left)


def _refitted(tree: list[Node], traits: list[Trait], target: np.ndarray, train: np.ndarray) -> list[Node]:
    """The same tree with each split's set or threshold chosen again from `train` rows only, to place other rows.

    Each split is chosen among the rows that its node really has: were they those of the splits chosen again above it, one
    that turns out differently would make other segments of all that is below.
    """
    made = list(tree)
    rows = {0: np.flatnonzero(train)}
    least = max(10, round(0.01 * len(rows[0])))
    for number, node in enumerate(tree):
        if node.trait < 0:
            continue
        here, trait = rows[number], traits[node.trait]
        own = tree[node.left].allowed[node.trait]
        split = _split_of(trait, node.trait, target[here], here, node.allowed, least, node.is_missing_split, own)
        left = _for_all_codes(split.left if split.gain > 0 else own, trait, node.allowed.get(node.trait))
        goes_left = own[trait.codes[here]]
        for child, side in ((node.left, True), (node.right, False)):
            made[child] = made[child]._replace(allowed={node.trait: left == side})
            rows[child] = here[goes_left == side]
    return made


def _for_all_codes(left: np.ndarray, trait: Trait, mask: np.ndarray | None) -> np.ndarray:
    """A side also for codes that are not in the node: of numbers that of the nearest, else the lower side."""
    if mask is None or mask.all():
        return left
    if not trait.is_numeric or not mask[:-1].any():
        return left | ~mask
    bins = np.flatnonzero(mask[:-1])
    nearest = np.clip(np.arange(trait.size - 1), bins[0], bins[-1])
    return np.append(left[nearest], left[-1] if mask[-1] else left[bins[0]])


def _shrinkage(score: np.ndarray, kept: np.ndarray, free: np.ndarray) -> float:
    """By how much the effects are too large because the tree chose its traits with all folds in sight.

    `kept` are the predictions of trees that choose sets and thresholds without the fold, `free` of those that choose the
    traits as well. The ratio of what both explain is drawn to 1 by the standard error of their difference.
    """
    noise = float(np.sqrt((score**2 * (kept - free) ** 2).sum()))
    with_choice, without = max(float(score @ kept), 0.0), max(float(score @ free), 0.0)
    return min((without + noise) / (with_choice + noise), 1.0) if with_choice + noise > 0 else 1.0


def _pruned(tree: list[Node], leaf: np.ndarray, target: np.ndarray, score: np.ndarray) -> tuple[list[Node], np.ndarray]:
    """Undo, from the leaves up, each split whose sides do not differ on folds that did not choose it."""
    tree, leaf = list(tree), leaf.copy()
    for number in range(len(tree) - 1, -1, -1):
        node = tree[number]
        if node.trait < 0 or tree[node.left].trait >= 0 or tree[node.right].trait >= 0:
            continue
        left, right = leaf == node.left, leaf == node.right
        rises = target[right].sum() * left.sum() >= target[left].sum() * right.sum()
        low, high = (left, right) if rises else (right, left)
        if _t(score[low], score[high]) < LEAST_T:
            leaf[(leaf == node.left) | (leaf == node.right)] = number
            tree[number] = Node(node.allowed, -1, False, -1, -1)
    return tree, leaf


def _t(low: np.ndarray, high: np.ndarray) -> float:
    """Welch's t of high above low, 0 where a side is too small to say."""
    if min(len(low), len(high)) < 5:
        return 0.0
    se = np.sqrt(low.var() / len(low) + high.var() / len(high))
    return float((high.mean() - low.mean()) / se) if se > 0 else 0.0


def _leaves_under(tree: list[Node], number: int) -> list[int]:
    node = tree[number]
    if node.trait < 0:
        return [number]
    return _leaves_under(tree, node.left) + _leaves_under(tree, node.right)


def _leaf_means(tree: list[Node], traits: list[Trait], target: np.ndarray, train: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The mean target of train rows in the leaf of each held row, relative to the mean of all."""
    known = _leaf_of(tree, traits, train)
    total = np.bincount(known, weights=target[train], minlength=len(tree))
    count = np.bincount(known, minlength=len(tree))
    mean = target[train].mean()
    return (np.where(count > 0, total / np.maximum(count, 1), mean) - mean)[_leaf_of(tree, traits, held)]


def _leaf_of(tree: list[Node], traits: list[Trait], chosen: np.ndarray) -> np.ndarray:
    """The number of the leaf of each chosen row."""
    rows = np.flatnonzero(chosen)
    leaf = np.zeros(len(rows), dtype=int)
    for number, node in enumerate(tree):
        if node.trait < 0:
            continue
        here = np.flatnonzero(leaf == number)
        goes_left = tree[node.left].allowed[node.trait][traits[node.trait].codes[rows[here]]]
        leaf[here] = np.where(goes_left, node.left, node.right)
    return leaf


# ---------------------------------------------------------------------------------------------- figures


class Figures(NamedTuple):
    """Per leaf: estimate and interval of the lift, or of 1 + difference / spread where there is no lift."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    is_ratio: bool
    overall: float
    unit: float


def _figures(
    leaves: list[int],
    looked_at: int,
    shrinkage: float,
    leaf: np.ndarray,
    robust: np.ndarray,
    value: np.ndarray,
    won: np.ndarray,
    cells: np.ndarray,
) -> Figures:
    """Compare segments within periods: least squares on segment and period, robust standard errors.

    Intervals are simultaneous (Sidak) over all nodes that the tree had before pruning and, where no value is negative,
    symmetric on the scale of the square root, on which the spread of a sum of rare and skewed amounts is about constant.
    """
    n = len(leaf)
    member = (leaf[:, None] == np.array(leaves)[None, :]).astype(float)
    count = member.sum(axis=0)
    d = np.stack([_centred(m, cells) for m in member.T], axis=1)
    y = _centred(robust, cells)
    inverse = np.linalg.pinv(d.T @ d, rcond=1e-10)
    effect = inverse @ (d.T @ y)
    centre = np.eye(len(leaves)) - np.outer(np.ones(len(leaves)), count / n)
    residual = y - d @ effect
    degrees = n / max(n - len(np.unique(cells)) - len(leaves), 1)
    meat = (d * residual[:, None] ** 2).T @ d * degrees
    effect = shrinkage * (centre @ effect)
    half = centre @ inverse
    variance = np.diag(half @ meat @ half.T).copy()
    overall = float(robust.mean())
    spread = float(robust.std())
    is_ratio = overall > 0 and float(value.mean()) > 0
    nonnegative = bool((robust >= 0).all())
    if nonnegative and overall > 0:
        # A segment that happens to lack a large win has both a low mean and a low variance; so the variance is
        # averaged with what a sum of wins of the usual spread would have, one win more than seen.
        per_win = (robust[won] ** 2).sum() / robust[won].sum()
        one = 1 / max(won.mean(), 1e-9)
        mean = np.maximum(overall + effect, 0)
        mean = (mean * count + overall) / (count + one)
        expected = np.maximum(mean * per_win - mean**2 * (won.mean() >= 0.999), 0) / np.maximum(count, 1)
    else:
        expected = robust.var() / np.maximum(count, 1)
    se = np.sqrt(np.maximum(variance, (variance + expected) / 2))
    z = norm.ppf(1 - (1 - CONFIDENCE ** (1 / looked_at)) / 2)
    unit = overall if is_ratio else spread
    estimate = 1 + effect / unit
    if is_ratio and nonnegative:
        estimate = np.maximum(estimate, 0)
        root = np.sqrt(estimate)
        step = z * se / unit / (2 * np.sqrt(np.maximum(estimate, expected**0.5 / unit)))
        low, high = np.maximum(root - step, 0) ** 2, (root + step) ** 2
    else:
        low, high = estimate - z * se / unit, estimate + z * se / unit
    unknown = count == 0
    low, high = np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)
    return Figures(estimate, low, high, is_ratio, float(value.mean()), unit)


def tier_of(low: float, high: float) -> str:
    """The tier that follows from the interval of a lift."""
    if low >= TIER_1:
        return "tier_1"
    if low > TIER_2:
        return "tier_2"
    return "deprioritized" if high < TIER_2 else "tier_3"


def _wilson(wins: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval of a share; missing where n is 0."""
    z = norm.ppf(0.975)
    wins, n = np.asarray(wins, dtype=float), np.asarray(n, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = wins / n
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _one_segment(frame: pd.DataFrame, value: np.ndarray, notes: list[tuple[str, str]]) -> Learned:
    n, wins = len(frame), int(frame["is_won"].sum())
    low, high = _wilson(np.array([wins]), np.array([n]))
    overall = float(value.mean()) if n else np.nan
    lift = 1.0 if overall > 0 else np.nan
    row = [segment_id([]), "All accounts", "every account", "tier_3", n, wins, wins / n if n else np.nan]
    row += [low[0], high[0], overall, lift, lift, lift, NO_EVIDENCE]
    segments = pd.DataFrame([row], columns=SEGMENT_COLUMNS)
    return Learned(
        segments, pd.DataFrame(columns=RULE_COLUMNS, dtype=object).astype({"condition_number": "int64"}), _notes(notes)
    )


def _notes(notes: list[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(notes, columns=["topic", "note"])


def _tables(
    tree: list[Node],
    leaves: list[int],
    traits: list[Trait],
    leaf: np.ndarray,
    figures: Figures,
    frame: pd.DataFrame,
    value: np.ndarray,
    p: float,
    notes: list[tuple[str, str]],
) -> Learned:
    won = frame["is_won"].to_numpy(dtype=bool)
    segments, rules, used = [], [], set()
    for i in np.argsort(-figures.estimate, kind="stable"):
        conditions = _conditions(traits, tree[leaves[i]].allowed)
        key = segment_id(conditions)
        inside = leaf == leaves[i]
        n, wins = int(inside.sum()), int(won[inside].sum())
        rate_low, rate_high = (float(b[0]) for b in _wilson(np.array([wins]), np.array([n])))
        low, high = float(figures.low[i]), float(figures.high[i])
        name = _name(conditions, short=True)
        name = _name(conditions, short=False) if name in used else name
        used.add(name)
        worth = figures.overall + (figures.estimate[i] - 1) * (figures.overall if figures.is_ratio else figures.unit)
        lift = float(figures.estimate[i]) if figures.is_ratio else np.nan
        observed = [n, wins, wins / n if n else np.nan, rate_low, rate_high]
        evidence = f"permutation p = {p:.3f}" if p <= LEVEL else f"{NO_EVIDENCE}: permutation p = {p:.3f}"
        tier = tier_of(low, high)
        segments.append([key, name, _definition(conditions), tier, *observed, float(worth), lift, low, high, evidence])
        rules += [[key, j + 1, *condition] for j, condition in enumerate(conditions)]
    if not figures.is_ratio:
        notes.append(("lift", "value per pursuit is not above 0: bounds are 1 + difference / standard deviation"))
    return Learned(
        pd.DataFrame(segments, columns=SEGMENT_COLUMNS),
        pd.DataFrame(rules, columns=RULE_COLUMNS, dtype=object).astype({"condition_number": "int64"}),
        _notes(notes),
    )


# ------------------------------------------------------------------------------------------------ rules


def _count(traits: list[Trait], allowed: dict[int, np.ndarray]) -> int:
    return len(_conditions(traits, allowed))


def _conditions(traits: list[Trait], allowed: dict[int, np.ndarray]) -> list[Condition]:
    """The conditions that allow exactly these codes (and, with `other`, all values never seen)."""
    made = []
    for number in sorted(allowed):
        made += (
            _numeric(traits[number], allowed[number])
            if traits[number].is_numeric
            else _categorical(traits[number], allowed[number])
        )
    return made


def _categorical(trait: Trait, mask: np.ndarray) -> list[Condition]:
    inside = sorted(v for v, m in zip(trait.values, mask, strict=False) if m)
    outside = sorted(v for v, m in zip(trait.values, mask, strict=False) if not m)
    other, missing = bool(mask[-2]), bool(mask[-1])
    if not other:
        if missing:
            return [Condition(trait.name, "is_missing", None)]
        if len(inside) == 1:
            return [Condition(trait.name, "=", inside[0])]
        return [Condition(trait.name, "in", json.dumps(inside, ensure_ascii=False))]
    made = [] if missing else [Condition(trait.name, "is_not_missing", None)]
    if len(outside) == 1:
        made.append(Condition(trait.name, "!=", outside[0]))
    elif outside:
        made.append(Condition(trait.name, "not_in", json.dumps(outside, ensure_ascii=False)))
    return made


def _numeric(trait: Trait, mask: np.ndarray) -> list[Condition]:
    bins = np.flatnonzero(mask[:-1])
    if len(bins) == 0:
        return [Condition(trait.name, "is_missing", None)]
    made = []
    if bins[0] > 0:
        made.append(Condition(trait.name, ">=", _number(trait.edges[bins[0] - 1])))
    elif not mask[-1]:
        made.append(Condition(trait.name, "is_not_missing", None))
    if bins[-1] < len(trait.edges):
        made.append(Condition(trait.name, "<", _number(trait.edges[bins[-1]])))
    return made


def _number(number: float) -> str:
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))


def _holds(column: pd.Series, operator: str, value: str | None) -> np.ndarray:
    missing = column.isna().to_numpy()
    if operator in ("is_missing", "is_not_missing"):
        return missing if operator == "is_missing" else ~missing
    if operator in (">=", "<"):
        at_least = column.to_numpy(dtype=float, na_value=np.nan) >= float(value)
        return at_least & ~missing if operator == ">=" else ~at_least | missing
    listed = json.loads(value) if operator in ("in", "not_in") else [value]
    inside = _text(column).isin(listed).to_numpy() & ~missing
    return inside if operator in ("=", "in") else ~inside


# ------------------------------------------------------------------------------------------------ words

PLAIN = ("industry", "country", "region", "size_band", "revenue_band")


def _name(conditions: list[Condition], short: bool) -> str:
    """A name for people: values alone where the trait is plain from them."""
    parts = []
    for attribute in dict.fromkeys(c.attribute for c in conditions):
        parts.append(_phrase(attribute, [c for c in conditions if c.attribute == attribute], short))
    text = ", ".join(parts) or "All accounts"
    return text[0].upper() + text[1:]


def _phrase(attribute: str, conditions: list[Condition], short: bool) -> str:
    label = attribute.replace("_", " ")
    by = {c.operator: c.value for c in conditions}
    if "is_missing" in by:
        return f"{label} unknown"
    if ">=" in by or "<" in by:
        return _range(attribute, by)
    if "=" in by or "in" in by:
        values = [by["="]] if "=" in by else json.loads(by["in"])
        listed = _listed(values, "or", short)
        return listed if attribute in PLAIN else f"{label} {listed}"
    known = f"{label} known" if "is_not_missing" in by else ""
    if "!=" in by or "not_in" in by:
        values = [by["!="]] if "!=" in by else json.loads(by["not_in"])
        without = f"{label} other than {_listed(values, 'or', short)}"
        return f"{without} and known" if known else without
    return known


def _range(attribute: str, by: dict[str, str | None]) -> str:
    low, high = by.get(">="), by.get("<")
    unit = {"employee_count": " employees"}.get(attribute, "")
    label = "" if unit else attribute.replace("_", " ") + " "
    if attribute.endswith("count") and high is not None and float(high).is_integer():
        top = _spoken(float(high) - 1)
    else:
        top = f"below {_spoken(float(high))}" if high is not None else ""
    if low is not None and high is not None:
        if top.startswith("below"):
            return f"{label}{_spoken(float(low))} to {top}{unit}"
        same = _spoken(float(low)) == top
        return f"{label}{top}{unit}" if same else f"{label}{_spoken(float(low))} to {top}{unit}"
    if low is not None:
        return f"{label}{_spoken(float(low))} or more{unit}"
    unknown = "" if "is_not_missing" in by else " or unknown"
    return f"{label}below {_spoken(float(high))}{unit}{unknown}"


def _spoken(number: float) -> str:
    for size, mark in ((1e9, "bn"), (1e6, "m")):
        if abs(number) >= size:
            return f"{number / size:.3g}{mark}"
    return f"{number:.10g}" if abs(number) < 10_000 else f"{number:,.0f}"


def _listed(values: list[str], joiner: str, short: bool) -> str:
    if short and len(values) > 3:
        return f"{', '.join(values[:2])} {joiner} {len(values) - 2} more"
    if len(values) == 1:
        return str(values[0])
    return f"{', '.join(values[:-1])} {joiner} {values[-1]}"


def _definition(conditions: list[Condition]) -> str:
    """The whole rule in words."""
    words = {
        "=": "is",
        "!=": "is not",
        "in": "is one of",
        "not_in": "is none of",
        ">=": "at least",
        "<": "below",
    }
    parts = []
    for c in conditions:
        label = c.attribute.replace("_", " ")
        if c.value is None:
            parts.append(f"{label} {'is missing' if c.operator == 'is_missing' else 'is known'}")
            continue
        value = ", ".join(json.loads(c.value)) if c.operator in ("in", "not_in") else c.value
        lenient = " or missing" if c.operator in ("!=", "not_in", "<") else ""
        parts.append(f"{label} {words[c.operator]} {value}{lenient}")
    return " and ".join(parts) or "every account"


# ------------------------------------------------------------------------------------------ development


def _ladder(pursuits: pd.DataFrame, history: pd.DataFrame, horizon: int, least_wins: int) -> np.ndarray:
    """Factors from each age in months to the horizon."""
    won = pursuits[pursuits["is_won"].astype(bool)]
    place = pd.Series(np.arange(len(won)), index=won["account_id"])
    known = history[history["account_id"].isin(place.index) & history["month"].between(0, horizon - 1)]
    grid = np.zeros((len(won), horizon))
    np.add.at(
        grid,
        (place[known["account_id"]].to_numpy(), known["month"].astype(int).to_numpy()),
        known["value"].astype(float),
    )
    grid = grid.cumsum(axis=1)
    age = won["months_observed"].astype(float).to_numpy()
    step = np.ones(horizon + 1)
    for month in range(1, horizon):
        old = age >= month + 1
        before, after = grid[old, month - 1].sum(), grid[old, month].sum()
        if old.sum() >= least_wins and before > 0:
            step[month] = max(1.0, after / before)
    return np.append(np.cumprod(step[::-1])[::-1][1:], 1.0)[: horizon + 1]
