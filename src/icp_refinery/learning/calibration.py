"""Whether the scores hold: learned before a cut-off, set against what happened after it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from icp_refinery.learning.conditions import assign
from icp_refinery.learning.intervals import bootstrapped_mean, wilson_interval
from icp_refinery.learning.scorecard import expected_values, fit_scores, has_ratios, learn_scorecard
from icp_refinery.learning.segments import checked, learn_segments
from icp_refinery.learning.value import DAYS_PER_MONTH, expected_value, winsorised

MOST_PAST = 20_000  # pursuits that are learned from again, to be set against later ones
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


def score_calibration(
    pursuits: pd.DataFrame, traits: pd.DataFrame, sales: pd.DataFrame, *, later_share: float = 1 / 3, seed: int = 0
) -> pd.DataFrame:
    """Set scores against what happened, out of time.

    The cut-off is the day on which the last `later_share` of the pursuits began. Segments and scorecard are learned from
    pursuits that had closed before it (a sample of 20,000, where there are more), with what was sold before it, and score
    the pursuits that began from it on. `sales` has `account_id`, `sold_on` and `value`: what makes up the `value` of the
    pursuits.

    One row per band of scores that has later pursuits, and one for `all`: their `n`, `wins`, win rate (Wilson's 95 % interval)
    and value per pursuit (developed to the horizon by chain ladder; 95 % by bootstrap; no interval below 5 wins), beside
    `predicted_value`, what their scores stand for. No row where nothing was closed before the cut-off.
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
    sales["month"] = ((sales["sold_on"] - sales["account_id"].map(closed_on)).dt.days / DAYS_PER_MONTH).clip(lower=0).fillna(0)
    sales["month"] = sales["month"].astype("int64")
    sold_before = sales[sales["sold_on"] < cutoff]
    sold = sold_before.groupby("account_id")["value"].sum()
    days = (cutoff - closed.loc[past.index]).dt.days
    past = past.assign(
        value=past["account_id"].map(sold).astype(float).fillna(0.0).where(past["is_won"].astype(bool), 0.0),
        months_observed=(days / DAYS_PER_MONTH).clip(upper=24).where(past["is_won"].astype(bool)),
    )
    known = traits.loc[frame["account_id"]]
    learned = learn_segments(past, known, seed=seed)
    scorecard = learn_scorecard(past, known, learned, seed=seed)
    then = expected_value(past, history=sold_before)[0].to_numpy()
    spread = None
    if not has_ratios(learned):
        spread = float(winsorised(then, past["is_won"].to_numpy(dtype=bool)).std())
    after = known.iloc[np.flatnonzero(later)]
    score = fit_scores(after, scorecard, assign(after, learned.rules)).to_numpy()
    predicted = expected_values(pd.Series(score), float(then.mean()), spread).to_numpy()
    actual = expected_value(frame, history=sales)[0].to_numpy()[later]
    won = frame["is_won"].to_numpy(dtype=bool)[later]
    band = np.minimum(score // BAND, 100 // BAND - 1) * BAND
    rows = []
    for low in [None, *sorted(set(band))]:
        inside = np.ones(len(band), dtype=bool) if low is None else band == low
        n, wins = int(inside.sum()), int(won[inside].sum())
        rate_low, rate_high = (float(end[0]) for end in wilson_interval(np.array([wins]), np.array([n])))
        value_low, value_high = bootstrapped_mean(actual[inside], seed) if wins >= 5 else (np.nan, np.nan)
        name, ends = ("all", (0.0, 100.0)) if low is None else (f"{low:.0f} to {low + BAND:.0f}", (low, low + BAND))
        figures = [wins / n, rate_low, rate_high, float(actual[inside].mean()), value_low, value_high]
        row = [name, *ends, cutoff, len(past), n, wins, float(score[inside].mean()), *figures, float(predicted[inside].mean())]
        rows.append(row)
    return pd.DataFrame(rows, columns=list(CALIBRATION)).astype(CALIBRATION)
