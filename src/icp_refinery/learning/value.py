"""The value of a pursuit: developed to the horizon, capped, and as the score that segments are learned from."""

from __future__ import annotations

import numpy as np
import pandas as pd

DAYS_PER_MONTH = 30.4375


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
    are behind it, and is never below 1. A win of unknown value counts with the mean of the developed others: it is a win, and
    says nothing of what wins are worth.

    Returns the developed value of each pursuit (same index; a number for each) and notes.
    """
    value, notes = _of_known_wins(pursuits, history, horizon, least_wins)
    unknown = value.isna()
    if unknown.any():
        others = value[pursuits["is_won"].astype(bool) & ~unknown]
        value = value.fillna(float(others.mean()) if len(others) else 0.0)
        notes.append(("amounts", f"{int(unknown.sum())} wins without an amount count with the mean of the others"))
    return value, notes


def _of_known_wins(
    pursuits: pd.DataFrame, history: pd.DataFrame | None, horizon: int, least_wins: int
) -> tuple[pd.Series, list[tuple[str, str]]]:
    value = pursuits["value"].astype(float).copy()
    won = pursuits["is_won"].astype(bool) & value.notna()
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


def developed(pursuits: pd.DataFrame, *, history: pd.DataFrame, horizon: int) -> tuple[pd.DataFrame, list[tuple[str, str]]]:
    """The pursuits with their `expected_value` (and `value_so_far`), so old that it is not developed again; and notes."""
    value, notes = expected_value(pursuits, history=history, horizon=horizon)
    age = pursuits["months_observed"].where(pursuits["months_observed"].isna(), np.inf)
    return pursuits.assign(value=value, months_observed=age, value_so_far=pursuits["value"].astype(float)), notes


def observed_mean(pursuits: pd.DataFrame) -> float:
    """What a pursuit has brought so far, undeveloped and uncapped; wins without an amount count with the mean of the others."""
    so_far = pursuits["value_so_far" if "value_so_far" in pursuits else "value"].astype(float)
    won = pursuits["is_won"].astype(bool)
    if pursuits.empty:
        return float("nan")
    return float(won.mean() * so_far[won].mean()) if so_far[won].notna().any() else 0.0


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


def winsorised(value: np.ndarray, won: np.ndarray, share: float = 0.99) -> np.ndarray:
    """Cap the largest (and, of losses, the smallest) values of wins, so that no single deal makes a segment."""
    if not won.any():
        return value
    high = np.quantile(value[won], share)
    low = min(0.0, np.quantile(value[won], 1 - share))
    return np.clip(value, low, high)


def log_score(won: np.ndarray, value: np.ndarray) -> np.ndarray:
    """What a pursuit adds to the logarithm of value per pursuit, relative to the average pursuit.

    The chance of winning and the value of a win in one figure, the first-order (influence) term of
    log(win rate) + mean(log(value of a win)): a large deal weighs by its logarithm. Where values are not all positive, the
    capped value in units of its spread.
    """
    if not all_positive(value[won]):
        capped = winsorised(value, won, 0.95)
        return (capped - capped.mean()) / max(capped.std(), 1e-12)
    rate = won.mean()
    # A free first deal is among the smallest, not infinitely small.
    amount = np.log(np.maximum(value[won], np.quantile(value[won & (value > 0)], 0.01)))
    score = np.where(won, 1.0, 0.0) - rate
    score[won] += amount - amount.mean()
    return score / rate


def all_positive(value: np.ndarray) -> bool:
    return bool((value >= 0).all() and (value > 0).mean() > 0.98)
