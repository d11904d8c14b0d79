"""Attributes that emerged or faded."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, norm

from icp_refinery.learning.review.looks import DRAWS, YEARLY, typed_rows, year_of_looks
from icp_refinery.learning.traits import banded_traits

LEAST_SUPPORT, LEAST_SIDE = 30, 10  # pursuits with a value, for it to be tried; then, before and of late, on either side
DRAWN = 37  # draws at a time
ATTRIBUTES = {
    "cycle_start": "datetime64[us]",
    "attribute": "object",
    "value": "object",
    "trend": "object",
    "segment_id": "object",
    "latest_pursuits": "int64",
    "latest_wins": "int64",
    "latest_lift": "float64",
    "before_pursuits": "int64",
    "before_wins": "int64",
    "before_lift": "float64",
    "p_value": "float64",
    "change_p_value": "float64",
}


def emerged_attributes(pursuits: pd.DataFrame, cycles: pd.DataFrame, traits: pd.DataFrame) -> pd.DataFrame:
    """What raises the win rate in the year before a look and did not so before (`emerged`), or the other way round (`faded`).

    Two questions, as of `attribute_effects`. First, which values raise, in the year (or, for `faded`, before): wins against those
    expected in each cycle; the p-value is of the largest of all values and of a year of looks. Only of these it is
    asked whether the odds against the others have changed: 5 % of them at a look may be false (Benjamini-Hochberg).
    """
    none = typed_rows([], ATTRIBUTES)
    looks, a_year = year_of_looks(cycles)
    if looks.empty or pursuits.empty:
        return none
    pursuits = pursuits.sort_values("account_id", ignore_index=True)
    start = pursuits["cycle_start"].to_numpy()
    cycles = np.unique(start)
    wide = traits.reindex(pursuits["account_id"])
    won = pursuits["is_won"].to_numpy(dtype=float)
    if len(cycles) < 2 or won.min() == won.max():
        return none
    values, members, compared = [], [], []
    for name, coded in banded_traits(wide[sorted(wide.columns)]).items():
        count = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.labels))
        # A trait with one value only: missing means "not".
        known = coded.codes >= 0 if len(coded.labels) > 1 else np.ones(len(won), dtype=bool)
        for code in np.flatnonzero(count >= LEAST_SUPPORT):
            values.append((name, coded.labels[code]))
            members.append(coded.codes == code)
            compared.append(known)
    if not values:
        return none
    has, of = np.stack(members, axis=1), np.stack(compared, axis=1)
    cycle = np.searchsorted(cycles, start)
    cells = [_by_cycle(part, cycle, len(cycles)) for part in (has, has * won[:, None], of, of * won[:, None])]
    ends = np.searchsorted(cycles, looks["cycle_start"].to_numpy(), "right")
    begins = np.searchsorted(cycles, (looks["cycle_end"] - pd.DateOffset(years=1)).to_numpy(), "right")

    def raises(a: np.ndarray, of_before: bool) -> np.ndarray:
        """z by look and value; zeros where too few are on either side."""
        n1, _, n, m = cells
        expected = n1 * m / np.maximum(n, 1)
        variance = expected * (n - n1) / np.maximum(n, 1) * (n - m) / np.maximum(n - 1, 1)
        parts = [
            np.cumsum(np.concatenate([np.zeros_like(x[..., :1, :]), x], axis=-2), axis=-2)
            for x in (a - expected, variance, n1, n)
        ]
        low, high = (np.zeros_like(begins), begins) if of_before else (begins, ends)
        excess, spread, inside, both = (x[..., high, :] - x[..., low, :] for x in parts)
        enough = (inside >= LEAST_SIDE) & (both - inside >= LEAST_SIDE) & (spread > 1e-6)
        return np.where(enough, excess / np.sqrt(np.maximum(spread, 1e-6)), 0.0)

    random = np.random.default_rng(20_250_103)
    n1, a, n, m = cells
    largest = {False: [], True: []}
    for _ in range(DRAWS // DRAWN):
        drawn = random.hypergeometric(n1.astype(int), (n - n1).astype(int), m.astype(int), (DRAWN, *n1.shape)).astype(float)
        for of_before, its in largest.items():
            its.append(raises(drawn, of_before).reshape(DRAWN, -1).max(axis=1))
    found = {}
    for trend, of_before in (("emerged", False), ("faded", True)):
        z = raises(a, of_before)
        chance = np.concatenate(largest[of_before])
        p = (1 + (chance[:, None] >= z.reshape(1, -1) - 1e-9).sum(axis=0)) / (1 + DRAWS)
        found[trend] = (1 - (1 - p) ** max(a_year / len(looks), 1)).reshape(z.shape)
    rows = []
    for look, cycle_start in enumerate(looks["cycle_start"]):
        late, early = slice(begins[look], ends[look]), slice(0, begins[look])
        for trend, sign in (("emerged", 1), ("faded", -1)):
            picked = np.flatnonzero(found[trend][look] <= YEARLY)
            sides = [_mantel_haenszel([part[when][:, picked] for part in cells]) for when in (late, early)]
            with np.errstate(invalid="ignore", divide="ignore"):
                z = sign * (sides[0][0] - sides[1][0]) / np.sqrt(sides[0][1] + sides[1][1])
            asked = np.isfinite(z)
            q = np.full(len(picked), np.nan)
            if asked.any():
                q[asked] = false_discovery_control(2 * norm.sf(np.abs(z[asked])))
            for at, value in enumerate(picked):
                if q[at] <= YEARLY and z[at] > 0:
                    recent = (cycle >= begins[look]) & (cycle < ends[look]) & has[:, value]
                    homes = pursuits.loc[recent, "segment_id"].value_counts(sort=False).sort_index()
                    home = homes.idxmax() if len(homes) else None
                    figures = [_lift([part[when][:, value] for part in cells]) for when in (late, early)]
                    p = found[trend][look, value]
                    change = 2 * norm.sf(abs(z[at]))
                    rows.append((cycle_start, *values[value], trend, home, *figures[0], *figures[1], p, change))
    return typed_rows(rows, ATTRIBUTES)


def _by_cycle(part: np.ndarray, cycle: np.ndarray, cycles: int) -> np.ndarray:
    summed = np.zeros((cycles, part.shape[1]))
    np.add.at(summed, cycle, part)
    return summed


def _mantel_haenszel(cells: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the common odds ratio over the cycles and its variance (Robins, Breslow and Greenland 1986)."""
    n1, a, n, m = cells
    b, c = n1 - a, m - a
    d, t = n - n1 - c, np.maximum(n, 1)
    r, s, p, q = a * d / t, b * c / t, (a + d) / t, (b + c) / t
    r_all, s_all = r.sum(axis=0), s.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        odds = np.log(r_all / s_all)
        variance = (p * r).sum(axis=0) / (2 * r_all**2) + (p * s + q * r).sum(axis=0) / (2 * r_all * s_all)
        variance += (q * s).sum(axis=0) / (2 * s_all**2)
    few = (n1.sum(axis=0) < LEAST_SIDE) | ((n - n1).sum(axis=0) < LEAST_SIDE)
    return np.where(few | ~np.isfinite(odds), np.nan, odds), variance


def _lift(cells: list[np.ndarray]) -> tuple[int, int, float]:
    n1, a, n, m = cells
    expected = (n1 * m / np.maximum(n, 1)).sum()
    return int(n1.sum()), int(a.sum()), a.sum() / expected if expected else np.nan
