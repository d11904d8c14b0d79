"""Which groups of customers buy at a time of the year: a pattern of months that comes back, year after year."""

from __future__ import annotations

import calendar

import numpy as np
import pandas as pd
from scipy.stats import binom

# Cycle after cycle, a year sees two verdicts: before and after its full years grow by one. Each spends half of 5 %.
LEVEL = 0.025
LEAST_YEARS, LEAST_ORDERS, MOST_GROUPS = 2, 10, 50
# A month of a season has at least this many times the orders of an even spread: what is smaller is of no use, however sure.
MATERIAL, MONTH_LEVEL = 1.25, 0.01
FIRST_DRAWS, DRAWS = 1_000, 20_000
MONTHS = list(calendar.month_name)[1:]
TYPES = {
    "dimension": "str",
    "value": "str",
    "calendar_month": "int64",
    "verdict": "str",
    "reason": "str",
    "is_season": "bool",
    "full_years": "int64",
    "tested_orders": "int64",
    "p_value": "float64",
    "adjusted_p_value": "float64",
}


def monthly_orders(orders: pd.DataFrame, months: pd.Series) -> pd.DataFrame:
    """New business of each group by month, as `seasonality` takes it: all, every industry and every segment.

    `orders`: `industry`, `segment`, `closed_month`; `months`: those of the company's history, whatever a group's first order.
    """
    months, groups = pd.Index(pd.to_datetime(months), name="month"), []
    for dimension, value in {"all": "all", "industry": orders["industry"], "segment": orders["segment"]}.items():
        closed = orders.assign(month=pd.to_datetime(orders["closed_month"]), value=value)
        counts = closed.groupby(["value", "month"]).size().unstack(fill_value=0).reindex(columns=months, fill_value=0)
        groups.append(counts.stack().rename("order_count").reset_index().assign(dimension=dimension))
    return pd.concat(groups, ignore_index=True)


def seasonality(months: pd.DataFrame) -> pd.DataFrame:
    """Test every group's calendar months: one row per group and month of the year.

    `months`: `dimension`, `value`, `month` (first day), `order_count`; every group with every month of the same history,
    months without orders as 0. Only full years count, from the first month on: within a year the verdict does not change,
    so that looking every cycle is looking once. Returns the columns of `TYPES`: `verdict` is `seasonal`, `no_evidence` or
    `not_enough_data`; p-values are adjusted by Holm over the groups of the
    dimension that were tested.
    """
    if months.empty:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in TYPES.items()})
    table = months.assign(month=pd.to_datetime(months["month"])).pivot(
        index=["dimension", "value"], columns="month", values="order_count"
    )
    table = table.sort_index().sort_index(axis=1)
    groups, years = pd.DataFrame(index=table.index), table.shape[1] // 12
    share, month_of = even_shares(pd.DatetimeIndex(table.columns), years)
    counts = table.to_numpy(dtype=float)[:, : 12 * years].reshape(len(table), years, 12)
    groups["tested_orders"] = counts.sum(axis=(1, 2)).astype(int)
    groups["full_years"], groups["p_value"], groups["adjusted_p_value"] = years, np.nan, np.nan
    # By size alone, without a look at the months.
    largest = groups["tested_orders"].groupby(level="dimension").rank(method="first", ascending=False) <= MOST_GROUPS
    tested = (largest & (groups["tested_orders"] >= LEAST_ORDERS) & (years >= LEAST_YEARS)).to_numpy()
    groups.loc[tested, "p_value"] = [recurrence_p_value(its, share) for its in counts[tested]]
    for _, its in groups[tested].groupby(level="dimension"):
        # Holm (1979), by hand: statsmodels collects garbage each time, which in dbt's process takes a third of a second.
        ordered = its["p_value"].sort_values()
        groups.loc[ordered.index, "adjusted_p_value"] = (ordered * np.arange(len(ordered), 0, -1)).cummax().clip(upper=1)
    rows = []
    for (dimension, value), row, its, is_large in zip(groups.index, groups.itertuples(), counts, largest, strict=True):
        season = season_months(its, share)
        is_seasonal = bool(row.adjusted_p_value <= LEVEL and season.any())
        verdict, reason = _verdict(row, is_seasonal, is_large, month_of[season])
        for month in range(1, 13):
            is_season = is_seasonal and month in month_of[season]
            figures = (row.full_years, row.tested_orders, row.p_value, row.adjusted_p_value)
            rows.append((dimension, value, month, verdict, reason, is_season, *figures))
    result = pd.DataFrame(rows, columns=list(TYPES)).astype(TYPES)
    return result.round({"p_value": 12, "adjusted_p_value": 12})


def even_shares(months: pd.DatetimeIndex, years: int) -> tuple[np.ndarray, np.ndarray]:
    """What an even spread gives each month of its year, by its days, (years, 12); and the columns' months of the year."""
    days = months[: 12 * years].days_in_month.to_numpy(dtype=float).reshape(years, 12)
    return days / days.sum(axis=1, keepdims=True), (months[0].month - 1 + np.arange(12)) % 12 + 1


def recurrence(counts: np.ndarray, share: np.ndarray) -> np.ndarray:
    """How well the months of each year follow those of the other years, summed over the years without the best one.

    `counts` (..., years, 12) orders, `share` (years, 12) what an even spread gives each month of its year. Of each year the
    score of the others' pattern is standardised as under an even spread within the year, or by the years' scatter about
    pattern and slope where that is wider (a quasi-Poisson score test): orders that come in bursts are not a season. The pattern
    loses its slope first: neither is growth within the year. The best year is left out, because what happened in one year
    only (a campaign, a step in demand) must not count; so a pattern has to hold in two years at least.
    """
    total = counts.sum(axis=-1)
    surplus = (counts - total[..., None] * share) / share
    time = np.arange(12) - (share * np.arange(12)).sum(axis=-1, keepdims=True)
    slope = (share * time**2).sum(axis=-1)
    pattern = surplus.sum(axis=-2, keepdims=True) - surplus
    pattern = pattern - time * ((share * time * pattern).sum(axis=-1) / slope)[..., None]
    spread = np.sqrt(total * (share * pattern**2).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(spread > 1e-9, (counts * pattern).sum(axis=-1) / spread, 0.0)
        drift = np.where(total > 0, (counts * time).sum(axis=-1) ** 2 / (total * slope), 0.0)
        scatter = np.where(total > 0, (share * surplus**2).sum(axis=-1) / total, 0.0)
    # 12 months less level, slope and pattern leave 9 degrees of freedom a year.
    dispersion = (scatter - drift - score**2).sum(axis=-1, keepdims=True) / (
        9 * np.maximum((total > 0).sum(axis=-1, keepdims=True), 1)
    )
    score = score / np.sqrt(np.maximum(dispersion, 1.0))
    return score.sum(axis=-1) - score.max(axis=-1)


def recurrence_p_value(counts: np.ndarray, share: np.ndarray, seed: int = 0) -> float:
    """Monte Carlo p-value of `recurrence` against years whose orders are spread evenly, their number given.

    Drawn more often only where few draws do not already say that there is nothing.
    """
    random, observed = np.random.default_rng(seed), float(recurrence(counts, share))

    def p_value(draws: int) -> float:
        years = [random.multinomial(int(n), p, size=draws) for n, p in zip(counts.sum(axis=1), share, strict=True)]
        return float((1 + (recurrence(np.stack(years, axis=1), share) >= observed - 1e-9).sum()) / (1 + draws))

    rough = p_value(FIRST_DRAWS)
    return rough if rough > 2 * LEVEL else p_value(DRAWS)


def season_months(counts: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Which columns are the season: over all years `MATERIAL` times the even spread or more, hardly by chance (a binomial
    tail of `MONTH_LEVEL`), and above it in two years or more."""
    even = counts.sum(axis=1, keepdims=True) * share
    orders, expected = counts.sum(), even.sum(axis=0)
    tail = binom.sf(counts.sum(axis=0) - 1, orders, expected / max(orders, 1))
    return (counts.sum(axis=0) >= MATERIAL * expected) & (tail <= MONTH_LEVEL) & ((counts > even).sum(axis=0) >= 2)


def _verdict(row: tuple, is_seasonal: bool, is_large: bool, season: np.ndarray) -> tuple[str, str]:
    span = f"{row.full_years} full years"
    if row.full_years < LEAST_YEARS:
        return "not_enough_data", "less than two full years of orders"
    if row.tested_orders < LEAST_ORDERS:
        return "not_enough_data", f"fewer than {LEAST_ORDERS} orders in {span}"
    if not is_large:
        return "not_enough_data", f"not among the {MOST_GROUPS} with the most orders"
    if is_seasonal:
        names = ", ".join(MONTHS[month - 1] for month in sorted(season))
        return "seasonal", f"{names}: more than an even spread, again and again in {span}"
    return "no_evidence", f"no months that come back in {span}"
