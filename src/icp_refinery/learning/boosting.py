"""Gradient boosting: what segments are distilled from, and the unreadable yardstick of the backtest.

As scikit-learn's `HistGradientBoostingRegressor`, and by its trees, but on traits that are codes already: on some hundred
pursuits that takes most of its time to prepare columns, again for every fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble._hist_gradient_boosting.grower import TreeGrower

from icp_refinery.learning.effects.leaks import leak_verdicts, suspected
from icp_refinery.learning.periods import FOLDS
from icp_refinery.learning.traits import Trait, is_numeric, most_frequent, texts
from icp_refinery.learning.value import expected_value, winsorised

MOST_VALUES = 200  # of a trait, that the yardstick tells apart
TREES = 60
TAUGHT_BINS, YARDSTICK_BINS = 64, 255


def teach(traits: list[Trait], score: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Boosted trees fitted without each fold: predicted score of every pursuit, pursuits × folds."""
    columns = np.stack([t.raw for t in traits])
    return boosted(columns, np.array([not t.is_numeric for t in traits]), score, np.arange(FOLDS)[:, None] != fold, TAUGHT_BINS).T


def boosted_scores(pursuits: pd.DataFrame, traits: pd.DataFrame, leaks: pd.DataFrame | None = None) -> pd.Series:
    """The unreadable yardstick: gradient boosting of the value of a pursuit on the same traits, for all accounts in `traits`.

    Small trees and capped values: on heavy-tailed money larger ones are a yardstick that is easy to beat.
    """
    # What was known of nobody then is not a trait yet.
    learned_from = traits.loc[pursuits["account_id"]].dropna(axis="columns", how="all")
    leaks = leak_verdicts(pursuits, learned_from) if leaks is None else leaks
    columns, kinds = [], []
    for name in sorted(set(learned_from.columns) - set(suspected(leaks))):
        column = traits[name]
        kinds.append(not is_numeric(column))
        columns.append(_codes(column, learned_from[name]) if kinds[-1] else column.to_numpy(dtype=float, na_value=np.nan))
    if not columns:
        return pd.Series(0.0, index=traits.index)
    won = pursuits["is_won"].to_numpy(dtype=bool)
    at = traits.index.get_indexer(pursuits["account_id"])
    value, train = np.zeros(len(traits)), np.zeros((1, len(traits)), dtype=bool)
    value[at], train[0, at] = winsorised(expected_value(pursuits)[0].to_numpy(), won), True
    return pd.Series(boosted(np.stack(columns), np.array(kinds), value, train, YARDSTICK_BINS)[0], index=traits.index)


def _codes(column: pd.Series, learned_from: pd.Series) -> np.ndarray:
    """A categorical trait as numbers; values that are rare, or that nothing was learned from, share one."""
    kept = sorted(most_frequent(texts(learned_from), MOST_VALUES))
    codes = pd.Index(kept, dtype=object).get_indexer(texts(column)).astype(float)
    codes[codes < 0] = len(kept)
    codes[column.isna().to_numpy()] = np.nan
    return codes


def boosted(columns: np.ndarray, is_text: np.ndarray, y: np.ndarray, train: np.ndarray, bins: int) -> np.ndarray:
    """Fit a model on each of several sets of rows: predictions for all rows, models × rows.

    `columns`: traits × rows, texts as codes from 0, NaN where missing; `train`: models × rows, which rows each learns from;
    `bins`: the most bins of a trait.
    """
    order = np.argsort(~is_text, kind="stable")  # texts first, as scikit-learn has them: of equal splits the first counts
    columns, is_text = columns[order], is_text[order]
    predicted = np.empty(train.shape)
    for model, rows in enumerate(train):
        codes = np.stack([_binned(*trait, rows, bins) for trait in zip(columns, is_text, strict=True)]).T
        learned, value = np.asfortranarray(codes[rows]), y[rows]
        settings = {
            "max_leaf_nodes": 3,
            "min_samples_leaf": 30,
            "l2_regularization": 20.0,
            "shrinkage": 0.1,
            "n_bins": bins + 1,
            "n_bins_non_missing": [column[column < bins].max(initial=0) + 1 for column in learned.T],
            "has_missing_values": (learned == bins).any(axis=0),
            "is_categorical": is_text,
            "n_threads": 1,
        }
        edges = np.arange(bins, dtype=float)
        predicted[model] = value.mean()
        fitted = np.full(len(value), value.mean())
        for _ in range(TREES):
            gradient = (fitted - value).astype(np.float32)
            grower = TreeGrower(learned, gradient, np.ones(1, dtype=np.float32), **settings)
            grower.grow()
            tree = grower.make_predictor([edges] * len(columns))
            for leaf in grower.finalized_leaves:
                fitted[leaf.sample_indices] += leaf.value
            predicted[model] += tree.predict_binned(codes, bins, 1)
    return predicted


def _binned(column: np.ndarray, is_text: bool, rows: np.ndarray, bins: int) -> np.ndarray:
    """The bin of every row, the last where the value is missing or a text that `rows` do not have."""
    known = ~np.isnan(column)
    codes = np.full(len(column), bins, dtype=np.uint8)
    if is_text:
        known &= np.isin(column, column[rows & known])
        codes[known] = column[known]
        return codes
    # Between all values, or at as many quantiles as there may be bins.
    seen = column[rows & known]
    edges = np.unique(seen)
    if len(edges) <= bins:
        edges = (edges[:-1] + edges[1:]) / 2
    else:
        edges = np.unique(np.percentile(seen, np.linspace(0, 100, bins + 1)[1:-1], method="averaged_inverted_cdf"))
    codes[known] = np.searchsorted(edges, column[known])
    return codes
