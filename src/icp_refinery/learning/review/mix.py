"""Whether other accounts are pursued than before."""

from __future__ import annotations

import numpy as np
import pandas as pd

from icp_refinery.learning.review.looks import trailing
from icp_refinery.learning.traits import banded_traits

MIX_LEAST = 20  # pursuits of a quarter, for its mix to be compared
MIX_DRAWS = 299


def moved_mix(
    pursuits: pd.DataFrame,
    traits: pd.DataFrame,
    old: np.ndarray,
    place: np.ndarray,
    codes: np.ndarray,
    looks: int,
    names: list[str],
    a_year: int,
) -> pd.DataFrame:
    """PSI of the trait that moved most, of the quarter that ends with each look against the reference, by look and segment.

    Each PSI is set against those of the same pursuits with their dates permuted inside the segment; the p-value is of the
    largest excess over all traits, segments and looks.
    """
    index = pd.MultiIndex.from_product([range(looks), range(len(names) + 1)])
    result = pd.DataFrame({"psi": np.nan, "attribute": None, "pursuits": np.nan, "p_value": np.nan}, index=index)
    result["attribute"] = result["attribute"].astype(object)
    used = old | (place >= 0)
    table, columns = _one_code(traits.reindex(pursuits["account_id"]), codes if len(names) > 1 else None, names)
    if not used.any() or not columns:
        return result
    table, codes = table[used], codes[used]
    period = np.where(old[used], 0, place[used] + 1)
    sizes = np.array([size for _, size in columns])
    starts = np.r_[0, np.cumsum(sizes)]
    k, periods, cells = int(starts[-1]), looks + 1, len(names) + 1
    column_of = np.repeat(np.arange(len(sizes)), sizes)
    quarter = max(1, round(a_year / 4))
    flat = table + starts[:-1][None, :]

    def counts(when: np.ndarray, members: np.ndarray, codes: np.ndarray, many: int) -> np.ndarray:
        at = ((codes * periods + when)[:, None] * k + flat[members]).ravel()
        return np.bincount(at, minlength=many * periods * k).reshape(many, periods, k).astype(float)

    def psi(by_segment: np.ndarray, in_all: np.ndarray) -> np.ndarray:
        both = np.concatenate([by_segment, in_all])
        recent = trailing(both[:, 1:], [quarter])[:, :, 0]
        recent, base = recent + 0.5, both[:, :1] + 0.5
        p = recent / np.add.reduceat(recent, starts[:-1], axis=2)[:, :, column_of]
        q = base / np.add.reduceat(base, starts[:-1], axis=2)[:, :, column_of]
        return np.add.reduceat((p - q) * np.log(p / q), starts[:-1], axis=2)

    everyone = np.arange(len(codes))
    nobody = np.zeros(len(codes), dtype=int)
    segments = len(names)
    seen = psi(counts(period, everyone, codes, segments), counts(period, everyone, nobody, 1))
    size = np.stack(
        [np.bincount(period[codes == s], minlength=periods) for s in range(segments)] + [np.bincount(period, minlength=periods)]
    )
    recent = trailing(size[:, 1:, None].astype(float), [quarter])[:, :, 0, 0]
    judged = (recent >= MIX_LEAST) & (size[:, :1] >= MIX_LEAST)
    random = np.random.default_rng(20_250_102)
    # Sorted by segment, a permutation inside segments is a sort of random numbers by segment.
    order = np.argsort(codes, kind="stable")
    drawn = np.empty((MIX_DRAWS, *seen.shape))
    for draw in range(MIX_DRAWS):
        shuffled = np.empty_like(period)
        shuffled[order] = period[np.lexsort((random.random(len(codes)), codes))]
        drawn[draw] = psi(counts(shuffled, everyone, codes, segments), counts(random.permutation(period), everyone, nobody, 1))
    middle, spread = drawn.mean(axis=0), drawn.std(axis=0)
    able = judged[:, :, None] & (spread > 1e-9)
    excess = np.where(able, (seen - middle) / np.maximum(spread, 1e-9), -np.inf)
    largest = np.where(able, (drawn - middle) / np.maximum(spread, 1e-9), -np.inf).reshape(MIX_DRAWS, -1).max(axis=1)
    for segment in range(cells):
        for look in range(looks):
            if able[segment, look].any():
                best = int(excess[segment, look].argmax())
                p = (1 + (largest >= excess[segment, look, best]).sum()) / (1 + MIX_DRAWS)
                # Of a year that has just begun, the looks to come are paid for too.
                p = 1 - (1 - p) ** (a_year / looks)
                result.loc[(look, segment)] = [seen[segment, look, best], columns[best][0], recent[segment, look], p]
    return result


def _one_code(traits: pd.DataFrame, codes: np.ndarray | None, names: list[str]) -> tuple[np.ndarray, list[tuple[str, int]]]:
    """Every trait as whole numbers from 0 (missing, then rare ones together, then the frequent values): pursuits x traits."""
    parts, columns = [], []
    for name, coded in banded_traits(traits[sorted(traits.columns)]).items():
        count = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.labels))
        frequent = np.flatnonzero(count >= MIX_LEAST)
        to = np.ones(len(count) + 1, dtype=int)
        to[frequent] = 2 + np.arange(len(frequent))
        to[-1] = 0
        parts.append(to[coded.codes])
        columns.append((name, 2 + len(frequent)))
    if codes is not None:
        parts.append(codes)
        columns.append(("segment", len(names)))
    return (np.stack(parts, axis=1) if parts else np.zeros((len(traits), 0), dtype=int)), columns
