"""Boosted trees are scikit-learn's, whatever way they are called."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from icp_refinery.learning.boosting import boosted


@pytest.mark.parametrize("bins", [64, 255])
def test_predictions_are_those_of_scikit_learn(bins):
    random = np.random.default_rng(1)
    n = 400
    texts = [random.integers(0, values, n).astype(float) for values in (1, 2, 5, 40)]
    columns = np.stack([random.lognormal(size=n), *texts, random.poisson(3, n).astype(float)])
    columns[random.random(columns.shape) < 0.1] = np.nan
    columns[2] = np.nan_to_num(columns[2])  # never missing
    is_text = np.array([False, True, True, True, True, False])
    y = random.normal(size=n) + np.log1p(np.nan_to_num(columns[0])) + (columns[4] > 20) - (columns[5] > 4)
    train = np.arange(3)[:, None] != random.integers(0, 3, n)
    settings = {"learning_rate": 0.1, "max_iter": 60, "max_leaf_nodes": 3, "min_samples_leaf": 30, "l2_regularization": 20.0}
    model = HistGradientBoostingRegressor(**settings, max_bins=bins, categorical_features=is_text, early_stopping=False)
    expected = [model.fit(columns.T[rows], y[rows]).predict(columns.T) for rows in train]
    assert boosted(columns, is_text, y, train, bins) == pytest.approx(np.stack(expected), rel=1e-12)
