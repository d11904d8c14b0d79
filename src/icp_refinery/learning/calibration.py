"""Whether the scores hold: learned before a cut-off, set against what happened after it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from icp_refinery.learning.conditions import assign
from icp_refinery.learning.effects.leaks import leak_verdicts
from icp_refinery.learning.intervals import bootstrapped_mean, wilson_interval
from icp_refinery.learning.recency import recent_pursuits
from icp_refinery.learning.scorecard import expected_values, fit_scores, has_ratios, learn_scorecard
from icp_refinery.learning.segments import checked, learn_segments
from icp_refinery.learning.value import DAYS_PER_MONTH, developed, winsorised

MOST_PAST = 20_000  # pursuits that are learned from again, to be set against later ones
BAND = 20.0  # width of a score band
WINDOWS = (24, 18, 12, 9, 6, 3, 1)  # months since the win, over which predicted and observed are compared
LEAST_WINS = 30  # as old as the window at the cut-off
CALIBRATION = {
    "score_band": "object",
    "score_from": "float64",
    "score_to": "float64",
    "cutoff_on": "datetime64[us]",
    "window_months": "int64",
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
    "predicted_low": "float64",
    "predicted_high": "float64",
}


def score_calibration(
    pursuits: pd.DataFrame, traits: pd.DataFrame, sales: pd.DataFrame, *, later_share: float = 1 / 3, seed: int = 0
) -> pd.DataFrame:
    """Set scores against what happened, out of time.

    The cut-off is the day on which the last `later_share` of the pursuits began. Segments and scorecard are learned from
    pursuits that had closed before it (a sample of 20,000, where there are more), with what was sold before it, and score
    the pursuits that began from it on. `sales` has `account_id`, `sold_on` and `value`: what makes up the `value` of the
    pursuits.

    One row per band of scores that has later pursuits, and one for `all`: their `n`, `wins`, win rate (Wilson's 95 % interval)
    and value per pursuit (95 % by bootstrap; no interval below 5 wins), beside `predicted_value`, what their scores stand for,
    with what the earlier pursuits with such scores leave uncertain of it (95 % by bootstrap).
    Both are what is sold within `window_months` of a win, the longest of `WINDOWS` that 30 wins had behind them at the cut-off
    (of younger wins, developed by chain ladder). No row where nothing was closed before the cut-off.
    """
    frame = checked(pursuits, traits)
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
    sales = sales.assign(sold_on=pd.to_datetime(sales["sold_on"]), value=sales["value"].astype(float))
    month = (sales["sold_on"] - sales["account_id"].map(closed_on)).dt.days / DAYS_PER_MONTH
    sales["month"] = month.clip(lower=0).fillna(0).astype("int64")
    age = ((cutoff - closed.loc[past.index]).dt.days / DAYS_PER_MONTH).where(past["is_won"].astype(bool))
    # The longest window of which enough was known then: what wins bring later could not be predicted.
    window = next((months for months in WINDOWS if (age >= months).sum() >= LEAST_WINS), WINDOWS[-1])
    sales = sales[sales["month"] < window]
    past = _within(past, sales[sales["sold_on"] < cutoff], age, window)
    known = traits.loc[frame["account_id"]]
    leaks = leak_verdicts(past, known)
    past = recent_pursuits(past, known, seed=seed, leaks=leaks).pursuits
    learned = learn_segments(past, known, seed=seed, leaks=leaks)
    scorecard = learn_scorecard(past, known, learned, seed=seed, leaks=leaks)
    then = past["value"].to_numpy()
    spread = None
    if not has_ratios(learned):
        spread = float(winsorised(then, past["is_won"].to_numpy(dtype=bool)).std())
    after = known.iloc[np.flatnonzero(later)]
    score = fit_scores(after, scorecard, assign(after, learned.rules)).to_numpy()
    predicted = expected_values(pd.Series(score), float(then.mean()), spread).to_numpy()
    actual = _within(frame, sales, frame["months_observed"].astype(float), window)["value"].to_numpy()[later]
    won = frame["is_won"].to_numpy(dtype=bool)[later]
    band = _band(score)
    # A prediction is an estimate too: as good as the earlier pursuits with such scores are many.
    before = known.loc[past["account_id"]]
    past_band = _band(fit_scores(before, scorecard, assign(before, learned.rules)).to_numpy())
    rows = []
    for low in [None, *sorted(set(band))]:
        inside = np.ones(len(band), dtype=bool) if low is None else band == low
        n, wins = int(inside.sum()), int(won[inside].sum())
        rate_low, rate_high = (float(end[0]) for end in wilson_interval(np.array([wins]), np.array([n])))
        value_low, value_high = bootstrapped_mean(actual[inside], seed) if wins >= 5 else (np.nan, np.nan)
        name, ends = ("all", (0.0, 100.0)) if low is None else (f"{low:.0f} to {low + BAND:.0f}", (low, low + BAND))
        foretold = float(predicted[inside].mean())
        earlier = then[np.ones(len(then), dtype=bool) if low is None else past_band == low]
        errors = [end - earlier.mean() for end in bootstrapped_mean(earlier, seed)] if len(earlier) else [np.nan, np.nan]
        figures = [wins / n, rate_low, rate_high, float(actual[inside].mean()), value_low, value_high]
        figures += [foretold, *(foretold + error for error in errors)]
        rows.append([name, *ends, cutoff, window, len(past), n, wins, float(score[inside].mean()), *figures])
    return pd.DataFrame(rows, columns=list(CALIBRATION)).astype(CALIBRATION)


def _band(score: np.ndarray) -> np.ndarray:
    return np.minimum(score // BAND, 100 // BAND - 1) * BAND


def _within(pursuits: pd.DataFrame, sales: pd.DataFrame, age: pd.Series, window: int) -> pd.DataFrame:
    """The pursuits with what was sold within `window` months of the win; of wins younger than that (`age`), developed to it."""
    value = pursuits["account_id"].map(sales.groupby("account_id")["value"].sum()).astype(float).fillna(0.0)
    value = value.where(pursuits["is_won"].astype(bool), 0.0).where(pursuits["value"].notna())
    return developed(pursuits.assign(value=value, months_observed=age), history=sales, horizon=window)[0]
