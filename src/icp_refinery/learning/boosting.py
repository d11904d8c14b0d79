"""Gradient boosting: what segments are distilled from, and the unreadable yardstick of the backtest."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from icp_refinery.learning.effects.leaks import leak_verdicts, suspected
from icp_refinery.learning.periods import FOLDS
from icp_refinery.learning.traits import Trait, is_numeric, texts
from icp_refinery.learning.value import expected_value, winsorised

MOST_VALUES = 200  # of a trait, that the yardstick tells apart


def teach(traits: list[Trait], score: np.ndarray, fold: np.ndarray, seed: int) -> np.ndarray:
    """Boosted trees fitted without each fold: predicted score of every pursuit, pursuits × folds."""
    x = np.stack([t.raw for t in traits], axis=1)
    kinds = [not t.is_numeric for t in traits]
    return np.stack([boosted(x, kinds, score, fold != k, seed) for k in range(FOLDS)], axis=1)


def boosted(
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


def boosted_scores(pursuits: pd.DataFrame, traits: pd.DataFrame, leaks: pd.DataFrame | None = None) -> pd.Series:
    """The unreadable yardstick: gradient boosting of the value of a pursuit on the same traits, for all accounts in `traits`.

    Small trees and capped values: on heavy-tailed money larger ones are a yardstick that is easy to beat.
    """
    # What was known of nobody then is not a trait yet.
    learned_from = traits.loc[pursuits["account_id"]].dropna(axis="columns", how="all")
    leaks = leak_verdicts(pursuits, learned_from) if leaks is None else leaks
    columns, kinds = {}, []
    for name in sorted(set(learned_from.columns) - set(suspected(leaks))):
        column = traits[name]
        kinds.append(not is_numeric(column))
        columns[name] = _codes(column, learned_from[name]) if kinds[-1] else column.astype(float)
    if not columns:
        return pd.Series(0.0, index=traits.index)
    x = pd.DataFrame(columns)
    model = HistGradientBoostingRegressor(
        learning_rate=0.1,
        max_iter=60,
        max_leaf_nodes=3,
        min_samples_leaf=30,
        l2_regularization=20.0,
        categorical_features=kinds,
        early_stopping=False,
        random_state=0,
    )
    won = pursuits["is_won"].to_numpy(dtype=bool)
    value = winsorised(expected_value(pursuits)[0].to_numpy(), won)
    with threadpool_limits(limits=1):
        model.fit(x.loc[pursuits["account_id"]].to_numpy(), value)
        return pd.Series(model.predict(x.to_numpy()), index=x.index)


def _codes(column: pd.Series, learned_from: pd.Series) -> pd.Series:
    """A categorical trait as numbers; values that are rare, or that nothing was learned from, share one."""
    counts = texts(learned_from).value_counts()
    kept = sorted(sorted(counts.index, key=lambda value: (-counts[value], value))[:MOST_VALUES])
    codes = pd.Categorical(texts(column), categories=kept).codes.astype(float)
    codes[codes < 0] = len(kept)
    return pd.Series(codes, column.index).mask(column.isna())
