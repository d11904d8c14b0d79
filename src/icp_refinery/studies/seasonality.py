"""Study of seasons: worlds without one, and one industry that buys in September."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from icp_refinery.learning.seasonality import seasonality

INDUSTRIES, SEGMENTS = 10, 5
WORLDS = {
    "even": "orders at an even pace",
    "growth": "twice as many each year",
    "step": "five times as many from one day on",
    "campaign": "one month with twelve times as many",
    "bursts": "months that differ at random (a coefficient of variation of 0.35)",
}


def simulate_months(orders: int, months: int, seed: int, world: str = "even", in_season: float = 0.0) -> pd.DataFrame:
    """New business of ten industries and five segments, as `seasonality` takes it.

    No world has a season but for `in_season`: the share of the first industry's orders that close in September.
    """
    random = np.random.default_rng(seed)
    month = pd.date_range("2022-01-01", periods=months, freq="MS")
    time = np.arange(months)
    pace = {
        "even": np.ones(months),
        "growth": 2.0 ** (time / 12),
        "step": np.where(time >= random.integers(3, months - 3), 5.0, 1.0),
        "campaign": np.where(time == random.integers(0, months), 12.0, 1.0),
        "bursts": random.gamma(8.0, 1.0, months),
    }[world]
    chance = pace * month.days_in_month.to_numpy()
    industry = random.choice(INDUSTRIES, orders, p=random.dirichlet(np.full(INDUSTRIES, 10.0)))
    closed = random.choice(months, orders, p=chance / chance.sum())
    moved = (industry == 0) & (random.random(orders) < in_season)
    closed[moved] = random.choice(time[month.month == 9], int(moved.sum()))
    groups = [np.zeros(orders, dtype=int), industry, random.integers(0, SEGMENTS, orders)]
    frames = []
    for dimension, number in zip(("all", "industry", "segment"), groups, strict=True):
        counts = pd.crosstab(number, closed).reindex(columns=time, fill_value=0)
        frame = counts.set_axis(month, axis=1).melt(ignore_index=False, var_name="month", value_name="order_count")
        frames.append(frame.assign(dimension=dimension, value=[f"{dimension} {n}" for n in frame.index]))
    return pd.concat(frames, ignore_index=True)


def seasonality_study(seeds: int = 100) -> str:
    """Worlds without a season and with one, looked at every month of a year. Returns a section in Markdown.

    The looks of a year, at 30 to 41 months, see two verdicts: on two full years and on three.
    """

    def found(world: str, orders: int, in_season: float) -> pd.DataFrame:
        rows = []
        for seed in range(seeds):
            months = simulate_months(orders, 41, seed, world, in_season)
            looks = [seasonality(months[months["month"] < until]) for until in ("2024-07-01", "2025-06-01")]
            seen = [set(look.loc[(look["verdict"] == "seasonal") & (look["dimension"] == "industry"), "value"]) for look in looks]
            planted = {"industry 0"} if in_season else set()
            size = looks[-1].loc[looks[-1]["value"] == "industry 0", "tested_orders"].max()
            rows.append((bool(set.union(*seen) - planted), [planted <= its for its in seen], size))
        return pd.DataFrame(rows, columns=["false", "found", "orders"])

    lines = ["## Seasonality", "", f"{seeds} worlds each: ten industries, five segments, a look every month of a year.", ""]
    lines += ["| world without a season | new business orders | worlds with a seasonal industry |", "|---|---:|---:|"]
    for world, name in WORLDS.items():
        for orders in (300, 3000):
            lines.append(f"| {name} | {orders:,} | {found(world, orders, 0.0)['false'].mean():.0%} |")
    lines += ["", "| one industry buys in September | its orders | found after two years | after three | worlds with another |"]
    lines += ["|---|---:|---:|---:|---:|"]
    for share in (0.75, 0.4):
        for orders in (150, 300, 1000):
            result = found("even", orders, share)
            early, late = np.mean(result["found"].tolist(), axis=0)
            counts = f"{result['orders'].median():.0f} | {early:.0%} | {late:.0%} | {result['false'].mean():.0%}"
            lines.append(f"| {share:.0%} of its orders | {counts} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(seasonality_study())
