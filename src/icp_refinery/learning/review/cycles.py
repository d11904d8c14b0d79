"""The review of every cycle: has a segment's outcome, or who is pursued in it, moved, and has an attribute emerged?

Looking every cycle is paid for: each p-value is of the largest statistic that a whole year of looks, with all segments and
outcomes, has by chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from icp_refinery.learning.intervals import TIER_1
from icp_refinery.learning.review.looks import YEARLY, typed_rows, year_of_looks
from icp_refinery.learning.review.mix import moved_mix
from icp_refinery.learning.review.outcomes import (
    DAYS,
    FIRST_VALUE,
    LEAST_REFERENCE,
    LEAST_WINDOW,
    WIN_RATE,
    Tested,
    contradicts,
    is_other,
    tested_outcomes,
)

WATCHED = 0.10  # of a year of looks, what is watched without being beyond the bound
ALL = "all"
WORDS = {WIN_RATE: "win rate", FIRST_VALUE: "first-order value", DAYS: "time to close"}
LOOKS = {
    "cycle_start": "datetime64[us]",
    "segment_id": "object",
    "verdict": "object",
    "reason": "object",
    "outcome": "object",
    "direction": "object",
    "window_start": "datetime64[us]",
    "window_pursuits": "float64",
    "window_wins": "float64",
    "early_lift": "float64",
    "z": "float64",
    "p_value": "float64",
    "psi": "float64",
    "psi_attribute": "object",
    "psi_pursuits": "float64",
    "psi_p_value": "float64",
}


def review_cycles(
    pursuits: pd.DataFrame,
    cycles: pd.DataFrame,
    tiers: pd.Series,
    traits: pd.DataFrame,
    attributes: pd.DataFrame,
    reference_end: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Judge the segments in the finished cycles of the last year: one row per cycle and segment (and `all`), as `LOOKS`.

    Parameters
    ----------
    pursuits : `account_id`, `segment_id`, `cycle_start` (that of the close), `closed_on`, `is_won`, and of wins
        `first_order_value` and `days_to_close` (missing where unknown).
    cycles : `cycle_start`, `cycle_end` (days), `is_finished`.
    tiers : by segment_id, of every segment.
    traits : index `account_id`, text or numbers.
    attributes : as `emerged_attributes` returns it.
    reference_end : the last day of the data that the adopted segments were learned from; without it what is
        compared with is the history before the last year.

    An outcome of a segment is compared with the reference over windows that end with the cycle (from one to a year
    of cycles), less what is common to all segments: a tier is relative. `all` is compared as it is. `p_value` is that of the
    largest |z| that a year of looks has without a change, by simulation: over all segments, outcomes and windows that can
    contradict a tier, and apart from them over all that cannot (time to close, `all`, what only confirms the tier).
    `revise`: the win rate or first-order value is beyond the bound (5 % a year) in the direction that contradicts the tier, and
    the window's early lift (first-order value per pursuit against all) is one that the tier does not have. `watch`: the
    same at 10 %, or without contradiction by the lift; a longer time to close; the mix; an attribute that emerged or
    faded. Without a verdict `reason` says why.
    """
    looks, a_year = year_of_looks(cycles)
    if looks.empty or pursuits.empty:
        return typed_rows([], LOOKS)
    pursuits = pursuits.sort_values("account_id", ignore_index=True)
    until = reference_end if reference_end is not None else looks["cycle_end"].iloc[-1] - pd.DateOffset(years=1)
    looks = looks[looks["cycle_end"] > until].reset_index(drop=True)
    if looks.empty:
        return typed_rows([], LOOKS)
    names = sorted(tiers.index)
    old = (pursuits["closed_on"] < until + pd.Timedelta(days=1)).to_numpy()
    place = pursuits["cycle_start"].map(pd.Series(looks.index, looks["cycle_start"])).to_numpy(dtype=float)
    place = np.where(old | np.isnan(place), -1, place).astype(int)
    codes = pd.Categorical(pursuits["segment_id"], categories=names).codes.astype(int)
    tested = tested_outcomes(pursuits, old, place, codes, len(looks), [tiers[name] for name in names], a_year)
    mix = moved_mix(pursuits, traits, old, place, codes, len(looks), names, a_year)
    rows = []
    for look, cycle in enumerate(looks["cycle_start"]):
        trends = attributes[attributes["cycle_start"] == cycle]
        for number, name in enumerate([*names, ALL]):
            own = trends if name == ALL else trends[trends["segment_id"] == name]
            rows.append((cycle, name, *_judged(look, number, name, tiers.get(name), looks, tested, mix, own)))
    return typed_rows(rows, LOOKS)


def _judged(
    look: int,
    number: int,
    name: str,
    tier: str | None,
    looks: pd.DataFrame,
    tested: Tested,
    mix: pd.DataFrame,
    trends: pd.DataFrame,
) -> tuple:
    """Verdict, reason and figures of one segment in one cycle."""
    best = None
    for outcome, p in tested.p.items():
        for width in range(len(tested.windows)):
            z = tested.z[outcome][look, width, number]
            if z == 0:
                continue
            lift = tested.early_lift[look, width, number]
            rank = _rank(outcome, name, tier, z > 0, lift, p[look, width, number])
            key = (rank, abs(z))
            if best is None or key > best[0]:
                best = (key, outcome, width, z, lift, p[look, width, number])
    own = mix.loc[(look, number)]
    said, verdict = [], None
    figures = [None, None, pd.NaT, np.nan, np.nan, np.nan, np.nan, np.nan]
    if best is not None:
        (rank, _), outcome, width, z, lift, p = best
        first = max(0, look - tested.windows[width] + 1)
        n = tested.won.n[first : look + 1].sum(axis=0)
        wins = tested.won.total[first : look + 1].sum(axis=0)
        n, wins = (n.sum(), wins.sum()) if name == ALL else (n[number], wins[number])
        start = looks["cycle_start"].iloc[first]
        figures = [outcome, "better" if z > 0 else "worse", start, n, wins, lift, z, p]
        verdict = {2: "revise", 1: "watch"}.get(rank, "keep")
        if rank:
            moved = {True: "better", False: "worse"}[z > 0]
            than = "than in the reference" if name == ALL else "against the other segments than in the reference"
            said.append(f"{WORDS[outcome]} {moved} {than} since {start:%Y-%m-%d}")
            if rank == 2 or is_other(tier or "", z > 0, lift):
                said[-1] += f", early lift {lift:.2f}" if np.isfinite(lift) and name != ALL else ""
    if own["p_value"] <= YEARLY:
        verdict = verdict if verdict == "revise" else "watch"
        said.append(f"other accounts are pursued: {own['attribute']}")
    for trend, rows in trends.groupby("trend", sort=True):
        verdict = verdict if verdict == "revise" else "watch"
        said.append(f"{trend}: " + ", ".join(f"{row.attribute} {row.value}" for row in rows.itertuples()))
    if verdict is None:
        reason = "one segment: nothing to compare it with" if tested.won.n.shape[1] == 1 else None
        few = tested.won.n0[number] < LEAST_REFERENCE if name != ALL else tested.won.n0.sum() < LEAST_REFERENCE
        reason = (f"fewer than {LEAST_REFERENCE} first deals to compare with" if few else None) or reason
        said = [reason or f"fewer than {LEAST_WINDOW} first deals closed in the year so far"]
    reason = "; ".join(said) or "no change beyond chance"
    return verdict, reason, *figures, own["psi"], own["attribute"], own["pursuits"], own["p_value"]


def _rank(outcome: str, name: str, tier: str | None, better: bool, lift: float, p: float) -> int:
    """2 calls for a revision, 1 is watched."""
    if name == ALL:
        return int(p <= YEARLY)
    if outcome == DAYS:
        return int(p <= YEARLY and not better)
    if contradicts(tier, better):
        return 2 if p <= YEARLY and is_other(tier, better, lift) else int(p <= WATCHED)
    return int(tier == "tier_2" and p <= YEARLY and lift >= TIER_1)
