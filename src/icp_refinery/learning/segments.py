"""Segments: a small readable partition of all accounts, learned for the value of a pursuit.

Whether any trait matters at all is tested first, by permutation within periods. Then boosted trees learn a score
of two parts, the chance of winning and the value of a win, on folds, and are distilled into one tree whose splits may
be sets of values. The figures of each segment come from folds that did not choose its sets and thresholds, and
are shrunk for the choice of its traits."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from icp_refinery.learning.boosting import teach
from icp_refinery.learning.conditions import RULE_COLUMNS, conditions_of, segment_id
from icp_refinery.learning.effects.leaks import leak_verdicts, suspected
from icp_refinery.learning.intervals import (
    CHANGED,
    Figures,
    contradicted,
    reaching_today,
    segment_figures,
    tier_of,
    wilson_interval,
)
from icp_refinery.learning.periods import FOLDS, centred, folds, time_cells
from icp_refinery.learning.signal import PERMUTATIONS, permutation_p
from icp_refinery.learning.traits import Trait, coded_traits
from icp_refinery.learning.tree import Node, grow, leaf_means, leaf_of, leaves_under, pruned, refitted
from icp_refinery.learning.value import expected_value, log_score, observed_mean, winsorised
from icp_refinery.learning.words import definition, rule_name

LEVEL = 0.01  # of the permutation test of the whole partition
PROVISIONAL = 0.20  # up to this p accounts are told apart, and nothing is claimed of them
LEAST_PURSUITS = 50
LEAST_WINS = 15
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
    "observed_value_per_pursuit",
    "lift",
    "lift_low",
    "lift_high",
    "evidence",
]


class Learned(NamedTuple):
    """What was learned: a row per segment, a row per condition, and notes (`topic`, `note`) on the model."""

    segments: pd.DataFrame
    rules: pd.DataFrame
    model_notes: pd.DataFrame


def learn_segments(
    pursuits: pd.DataFrame,
    traits: pd.DataFrame,
    *,
    max_segments: int = 12,
    max_conditions: int = 4,
    seed: int = 0,
    history: pd.DataFrame | None = None,
    permutations: int | None = None,
    leaks: pd.DataFrame | None = None,
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
    leaks
        What `leak_verdicts` says of the same pursuits and traits, where it is known already: a suspected trait makes no segment.

    Returns
    -------
    `segments`: what each segment is, its observed pursuits, wins, win rate and value per pursuit so far, and its cross-fitted
    value per pursuit and lift with simultaneous 95 % intervals. Where no effect is found there is one segment of all accounts.
    `lift` is missing where the overall value per pursuit is not above 0; `lift_low` and `lift_high` are then 1 + (difference
    from overall) / (standard deviation of the value of a pursuit). Where the latest third of the pursuits leaves out what all
    say, an interval holds that third's as well. A tier is a claim about now: where the latest third contradicts it, it is
    `tier_3`, and `evidence` says so.

    Raises ValueError where a column is missing, an account has two pursuits, or has none of the `traits`.
    """
    frame = checked(pursuits, traits)
    value, notes = expected_value(frame, history=history)
    value = value.to_numpy()
    won = frame["is_won"].to_numpy(dtype=bool)
    n = len(frame)
    if n < LEAST_PURSUITS or won.sum() < LEAST_WINS:
        notes.append(("evidence", f"{n} first deals with {won.sum()} wins are too few to learn from"))
        return one_segment(frame, value, notes)
    leaks = leak_verdicts(frame, traits) if leaks is None else leaks
    notes += [("leak", f"{leak.attribute}: {leak.note}") for leak in leaks[leaks["is_suspected"]].itertuples()]
    table = traits.loc[frame["account_id"]].drop(columns=suspected(leaks), errors="ignore")
    coded = coded_traits(table)
    if not coded:
        notes.append(("evidence", "no trait differs between accounts"))
        return one_segment(frame, value, notes)
    cells = time_cells(frame)
    robust = winsorised(value, won)
    score = centred(log_score(won, robust), cells)
    with threadpool_limits(limits=1):
        p = permutation_p(coded, won, score, cells, seed, permutations or PERMUTATIONS)
        notes.append(("permutation test", f"p = {p:.3f} by permutation within periods"))
        if p > max(LEVEL, PROVISIONAL):
            return one_segment(frame, value, notes)
        fold = folds(n, cells, seed)
        predicted = teach(coded, score, fold)
    target = predicted.mean(axis=1)
    everyone = np.ones(n, dtype=bool)
    tree = grow(coded, target, everyone, max_segments, max_conditions)
    crossed = np.empty(n, dtype=int)
    kept, free = np.empty(n), np.empty(n)
    for k in range(FOLDS):
        held, taught = fold == k, predicted[:, k]
        again = refitted(tree, coded, taught, ~held)
        crossed[held] = leaf_of(again, coded, held)
        kept[held] = leaf_means(again, coded, taught, ~held, held)
        other = grow(coded, taught, ~held, max_segments, max_conditions)
        free[held] = leaf_means(other, coded, taught, ~held, held)
    shrinkage = _shrinkage(score, kept, free)
    looked_at = len(tree)
    tree, crossed = pruned(tree, crossed, target, score)
    leaves = sorted(set(leaves_under(tree, 0)))
    if len(leaves) == 1:
        notes.append(("evidence", "no split of the accounts explains the outcome"))
        return one_segment(frame, value, notes)
    own = leaf_of(tree, coded, everyone)
    notes.append(("shrinkage", f"effects times {shrinkage:.2f}"))
    notes.append(("cross-fit", f"{np.mean(own == crossed):.0%} of pursuits keep their segment without their fold"))
    seen = (crossed, robust, value, won, cells)
    figures = segment_figures(leaves, looked_at, shrinkage, *seen)
    if p > LEVEL:
        # All effects may still be none, so every interval has room for that: a ranking of accounts, and not a claim.
        figures = figures._replace(low=np.minimum(figures.low, 1.0), high=np.maximum(figures.high, 1.0))
    tiers = [tier_of(*bounds) for bounds in zip(figures.low, figures.high, strict=True)]
    is_changed = contradicted(tiers, leaves, *seen, is_ratio=figures.is_ratio)
    figures = reaching_today(figures, leaves, *seen)
    tiers = [tier_of(*bounds) for bounds in zip(figures.low, figures.high, strict=True)]
    return _tables(tree, leaves, coded, own, figures, tiers, is_changed, frame, value, p, notes)


def checked(pursuits: pd.DataFrame, traits: pd.DataFrame) -> pd.DataFrame:
    needed = {"account_id", "began_on", "closed_on", "is_won", "value", "months_observed"}
    if lacking := sorted(needed - set(pursuits.columns)):
        raise ValueError(f"pursuits lack {', '.join(lacking)}")
    if pursuits["account_id"].duplicated().any():
        raise ValueError("an account has more than one pursuit")
    if traits.index.has_duplicates:
        raise ValueError("an account has more than one row of traits")
    if (traits.index.get_indexer(pursuits["account_id"]) < 0).any():
        raise ValueError("a pursuit's account has no row of traits")
    return pursuits.sort_values("account_id", ignore_index=True)


def _shrinkage(score: np.ndarray, kept: np.ndarray, free: np.ndarray) -> float:
    """By how much the effects are too large because the tree chose its traits with all folds in sight.

    `kept` are the predictions of trees that choose sets and thresholds without the fold, `free` of those that choose the
    traits as well. The ratio of what both explain is drawn to 1 by the standard error of their difference.
    """
    noise = float(np.sqrt((score**2 * (kept - free) ** 2).sum()))
    with_choice, without = max(float(score @ kept), 0.0), max(float(score @ free), 0.0)
    return min((without + noise) / (with_choice + noise), 1.0) if with_choice + noise > 0 else 1.0


def one_segment(frame: pd.DataFrame, value: np.ndarray, notes: list[tuple[str, str]]) -> Learned:
    """All accounts in one segment, of which nothing is claimed."""
    n, wins = len(frame), int(frame["is_won"].sum())
    low, high = wilson_interval(np.array([wins]), np.array([n]))
    overall = float(value.mean()) if n else np.nan
    lift = 1.0 if overall > 0 else np.nan
    row = [segment_id([]), "All accounts", "every account", "tier_3", n, wins, wins / n if n else np.nan]
    row += [low[0], high[0], overall, observed_mean(frame), lift, lift, lift, NO_EVIDENCE]
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
    tiers: list[str],
    is_changed: list[bool],
    frame: pd.DataFrame,
    value: np.ndarray,
    p: float,
    notes: list[tuple[str, str]],
) -> Learned:
    won = frame["is_won"].to_numpy(dtype=bool)
    segments, rules = [], []
    listed = [conditions_of(traits, tree[number].allowed) for number in leaves]
    names = [rule_name(conditions, short=True) for conditions in listed]
    for i in np.argsort(-figures.estimate, kind="stable"):
        conditions = listed[i]
        key = segment_id(conditions)
        inside = leaf == leaves[i]
        n, wins = int(inside.sum()), int(won[inside].sum())
        rate_low, rate_high = (float(b[0]) for b in wilson_interval(np.array([wins]), np.array([n])))
        low, high = float(figures.low[i]), float(figures.high[i])
        name = rule_name(conditions, short=False) if names.count(names[i]) > 1 else names[i]
        worth = figures.overall + (figures.estimate[i] - 1) * (figures.overall if figures.is_ratio else figures.unit)
        lift = float(figures.estimate[i]) if figures.is_ratio else np.nan
        observed = [n, wins, wins / n if n else np.nan, rate_low, rate_high]
        worths = [float(worth), observed_mean(frame[inside])]
        evidence = f"permutation p = {p:.3f}" if p <= LEVEL else f"{NO_EVIDENCE}: permutation p = {p:.3f}"
        tier, evidence = ("tier_3", CHANGED) if is_changed[i] else (tiers[i], evidence)
        segments.append([key, name, definition(conditions), tier, *observed, *worths, lift, low, high, evidence])
        rules += [[key, j + 1, *condition] for j, condition in enumerate(conditions)]
    if not figures.is_ratio:
        notes.append(("lift", "value per pursuit is not above 0: bounds are 1 + difference / standard deviation"))
    return Learned(
        pd.DataFrame(segments, columns=SEGMENT_COLUMNS),
        pd.DataFrame(rules, columns=RULE_COLUMNS, dtype=object).astype({"condition_number": "int64"}),
        _notes(notes),
    )


# ------------------------------------------------------------------------------------------- as one table


def as_table(learned: Learned, notes: list[tuple[str, str]], since: pd.Timestamp | None = None) -> pd.DataFrame:
    """A row per segment with `rules`, a JSON array of {attribute, operator, value}, `notes` in one text, and `learned_since`."""
    rules = {key: rows for key, rows in learned.rules.groupby("segment_id")}
    said = [*notes, *learned.model_notes.itertuples(index=False)]
    return learned.segments.assign(
        rules=[_as_json(rules.get(key)) for key in learned.segments["segment_id"]],
        notes="; ".join(f"{topic}: {note}" for topic, note in said),
        learned_since=pd.Series(since, learned.segments.index, dtype="datetime64[us]"),
    )


def from_table(segments: pd.DataFrame) -> Learned:
    """What `as_table` made, or a definition with the same columns, as `learn_segments` returns it (without its notes)."""
    rules = [
        [row.segment_id, number, rule["attribute"], rule["operator"], rule["value"]]
        for row in segments.itertuples()
        for number, rule in enumerate(json.loads(row.rules), start=1)
    ]
    table = pd.DataFrame(rules, columns=RULE_COLUMNS, dtype=object).astype({"condition_number": "int64"})
    return Learned(segments, table, _notes([]))


def _as_json(rules: pd.DataFrame | None) -> str:
    if rules is None:
        return "[]"
    return json.dumps(rules[["attribute", "operator", "value"]].to_dict("records"), ensure_ascii=False)
