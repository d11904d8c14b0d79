"""Measure a partition that somebody else fixed: an adopted one, or a profile that people believe in.

Nothing is chosen on these data, so nothing is shrunk, and the intervals pay only for the number of segments.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from icp_refinery.learning.conditions import assign, meets
from icp_refinery.learning.intervals import CHANGED, contradicted, segment_figures, tier_of, wilson_interval
from icp_refinery.learning.periods import time_cells
from icp_refinery.learning.segments import from_table
from icp_refinery.learning.value import expected_value, observed_mean, winsorised

LEAST_PURSUITS = 30  # of a segment and of the rest, for an interval
LEAST_WINS = 15  # in all, for an interval
COLUMNS = {
    "segment_id": "object",
    "pursuits": "int64",
    "wins": "int64",
    "win_rate": "float64",
    "win_rate_low": "float64",
    "win_rate_high": "float64",
    "value_per_pursuit": "float64",
    "observed_value_per_pursuit": "float64",
    "lift": "float64",
    "lift_low": "float64",
    "lift_high": "float64",
    "measured_tier": "object",
}


def measure_segments(
    pursuits: pd.DataFrame, assignment: pd.Series, *, segments: list[str] | None = None, family: int | None = None
) -> pd.DataFrame:
    """Win rate, value per pursuit and lift of each segment of a fixed partition.

    Parameters
    ----------
    pursuits
        As `learn_segments` takes them: one row per account.
    assignment
        Index `account_id`: the segment of every account that has a pursuit, and perhaps of others.
    segments
        All segments of the partition, also those without a pursuit; by default those in `assignment`.
    family
        The number of intervals that hold together with 95 %; by default the number of segments.

    Returns one row per segment with `COLUMNS`: the win rate with Wilson's 95 % interval, the mean value of a pursuit
    (modelled, and as observed so far), and the lift over all pursuits, compared within periods, by which of
    `value_per_pursuit` a change over time is taken out (least squares with robust standard errors; large wins are capped).
    Where the overall value is not above 0, `lift` is missing and the bounds are 1 + difference / spread. A segment of less
    than 30 pursuits, or all but 30, has no bounds. Raises ValueError where a pursuit's account has no segment.
    """
    frame = pursuits.sort_values("account_id", ignore_index=True)
    own = assignment.reindex(frame["account_id"])
    if own.isna().any():
        raise ValueError(f"{int(own.isna().sum())} accounts with a pursuit have no segment")
    names = sorted(assignment.unique() if segments is None else segments)
    codes = pd.Categorical(own, categories=names).codes.astype(int)
    n, won = len(frame), frame["is_won"].to_numpy(dtype=bool)
    count, wins = np.bincount(codes, minlength=len(names)), np.bincount(codes[won], minlength=len(names))
    low, high = wilson_interval(wins, count)
    lift = bottom = top = worth = np.full(len(names), np.nan)
    if n:
        value = expected_value(frame)[0].to_numpy()
        cells = time_cells(frame)
        if len(names) == 1:
            worth, lift = np.array([value.mean()]), np.array([1.0 if value.mean() > 0 else np.nan])
            bottom = top = lift
        else:
            figures = segment_figures(
                list(range(len(names))), family or len(names), 1.0, codes, winsorised(value, won), value, won, cells
            )
            seen = (count >= LEAST_PURSUITS) & (n - count >= LEAST_PURSUITS) & (won.sum() >= LEAST_WINS)
            bottom, top = np.where(seen, figures.low, np.nan), np.where(seen, figures.high, np.nan)
            change = np.where(count > 0, figures.estimate - 1, np.nan)
            worth = figures.overall + change * (figures.overall if figures.is_ratio else figures.unit)
            lift = 1 + change if figures.is_ratio else lift
    with np.errstate(invalid="ignore"):
        rate = np.where(count > 0, wins / np.maximum(count, 1), np.nan)
    observed = [observed_mean(frame[codes == code]) for code in range(len(names))]
    rows = [names, count, wins, rate, low, high, worth, observed, lift, bottom, top]
    measured = pd.DataFrame(dict(zip(COLUMNS, rows, strict=False)))
    measured["measured_tier"] = [tier_of(*bounds) for bounds in zip(bottom, top, strict=True)]
    numbers = [name for name, kind in COLUMNS.items() if kind == "float64"]
    measured[numbers] = measured[numbers].map(lambda x: float(f"{x:.12g}"))
    return measured.astype(COLUMNS)


def measure_profiles(pursuits: pd.DataFrame, traits: pd.DataFrame, profiles: pd.DataFrame) -> pd.DataFrame:
    """Each profile that somebody believes in beside all pursuits, intervals for all profiles together.

    `profiles`: `profile`, `attribute`, `operator`, `value`. One row per profile: `profile` and `COLUMNS`.
    """
    measured = [pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in ({"profile": "object"} | COLUMNS).items()})]
    for name, conditions in profiles.groupby("profile", sort=True):
        own = np.where(meets(traits.loc[pursuits["account_id"]], conditions), "in", "out")
        assignment = pd.Series(own, index=pursuits["account_id"], dtype=object)
        figures = measure_segments(pursuits, assignment, segments=["in", "out"], family=profiles["profile"].nunique())
        measured.append(figures[figures["segment_id"] == "in"].assign(profile=name))
    # Texts are texts also where there is no profile.
    return pd.concat(measured, ignore_index=True).astype(dict.fromkeys(["profile", "segment_id", "measured_tier"], "str"))


def measured_in_force(
    learned: pd.DataFrame, adopted: pd.DataFrame, pursuits: pd.DataFrame, traits: pd.DataFrame, revised: Iterable[str] = ()
) -> pd.DataFrame:
    """The definition in force, a row per segment with `measured_tier`.

    A learned one is as it was learned; of an `adopted` one (no rows where there is none) the figures are those of today's
    `pursuits`. A tier that the latest third of the pursuits contradicts, or that the review of the last cycle says is to be
    `revised` (ids of segments), is a claim no more: `is_contradicted`, `measured_tier` is another, and `evidence` says so. What
    was learned loses the tier too; what people adopted keeps it until they adopt again.
    """
    if adopted.empty:
        none = {"learned_as_of": pd.NaT, "recorded_value_per_pursuit": np.nan}
        kept = learned.drop(columns=["notes", "learned_since"]).assign(**none).astype({"learned_as_of": "datetime64[us]"})
        lost = kept["segment_id"].isin(list(revised)) & kept["tier"].ne("tier_3")
        kept = kept.assign(tier=kept["tier"].mask(lost, "tier_3"), evidence=kept["evidence"].mask(lost, CHANGED))
        return kept.assign(measured_tier=kept["tier"], is_contradicted=kept["evidence"].eq(CHANGED))
    names = list(adopted["segment_id"])
    assignment = assign(traits.loc[pursuits["account_id"]], from_table(adopted).rules, names)
    made = adopted.merge(measure_segments(pursuits, assignment, segments=names), on="segment_id", validate="one_to_one")
    lost = made["segment_id"].isin({*revised, *_contradicted(pursuits, assignment, made.set_index("segment_id")["tier"])})
    lost &= made["tier"].ne("tier_3")
    made["measured_tier"] = made["measured_tier"].mask(lost & made["measured_tier"].eq(made["tier"]), "tier_3")
    return made.assign(evidence=made["evidence"].mask(lost, made["evidence"] + "; " + CHANGED), is_contradicted=lost)


def _contradicted(pursuits: pd.DataFrame, assignment: pd.Series, tiers: pd.Series) -> list[str]:
    """The segments whose tier the latest third of the pursuits contradicts."""
    frame = pursuits.sort_values("account_id", ignore_index=True)
    won = frame["is_won"].to_numpy(dtype=bool)
    if won.sum() < LEAST_WINS or len(tiers) == 1:
        return []
    value, cells = expected_value(frame)[0].to_numpy(), time_cells(frame)
    codes = pd.Categorical(assignment.reindex(frame["account_id"]), categories=list(tiers.index)).codes.astype(int)
    robust = winsorised(value, won)
    found = contradicted(list(tiers), list(range(len(tiers))), codes, robust, value, won, cells, is_ratio=bool(value.mean() > 0))
    return list(tiers.index[found])
