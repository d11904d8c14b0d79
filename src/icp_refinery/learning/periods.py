"""Periods: pursuits are compared with others of their time only."""

from __future__ import annotations

import numpy as np
import pandas as pd

FOLDS = 5


def began_on(pursuits: pd.DataFrame) -> pd.Series:
    """When each pursuit began; where that is missing, when it was closed."""
    return pd.to_datetime(pursuits["began_on"]).fillna(pd.to_datetime(pursuits["closed_on"]))


def time_cells(pursuits: pd.DataFrame, cell: int = 30) -> np.ndarray:
    """Periods to compare within: bins of the beginning, each split by closing, of about `cell` pursuits or more.

    Equal counts instead of calendar quarters keep small data from falling into cells of one. Returns one whole
    number per row of `pursuits` (`began_on`, `closed_on`; a missing date is taken from the other).
    """
    closed = pd.to_datetime(pursuits["closed_on"]).fillna(pd.to_datetime(pursuits["began_on"]))
    began = began_on(pursuits)
    n = len(pursuits)
    outer = int(np.clip(n // (3 * cell), 1, 32))
    first = _equal_bins(began, np.zeros(n, dtype=int), outer)
    return first * 3 + _equal_bins(closed, first, 3 if n >= 3 * cell else 1)


def _equal_bins(when: pd.Series, within: np.ndarray, bins: int) -> np.ndarray:
    """Bins of equal count within groups; equal dates stay together."""
    rank = when.groupby(within).rank(method="min").to_numpy() - 1
    total = pd.Series(within).groupby(within).transform("size").to_numpy()
    return np.minimum((rank * bins / np.maximum(total, 1)).astype(int), bins - 1)


def centred(y: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Differences from the mean of the period."""
    total = np.bincount(cells, weights=y)
    count = np.bincount(cells)
    return y - (total / np.maximum(count, 1))[cells]


def folds(n: int, cells: np.ndarray, seed: int) -> np.ndarray:
    """Folds of equal size within periods."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(n), cells))
    fold = np.empty(n, dtype=int)
    fold[order] = np.arange(n) % FOLDS
    return fold
