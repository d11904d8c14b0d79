"""What is tried, chosen by frequency before any outcome is looked at, and counted by period."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from icp_refinery.learning.traits import Banded

# What a first order holds is no news about what it holds; one with an add-on is nearly always a bundle.
TAUTOLOGIES = frozenset({("multi_year", "multi_year"), ("add_on", "add_on"), ("bundle", "add_on")})
COMMON_SHARE = 0.5
REDUNDANT_SHARE = 0.9


class Counts(NamedTuple):
    """Tests x periods: accounts with the value, their successes, all that are compared, their successes."""

    n1: np.ndarray
    a: np.ndarray
    n: np.ndarray
    m: np.ndarray

    def take(self, rows: np.ndarray) -> Counts:
        return Counts(*(part[rows] for part in self))

    def during(self, periods: np.ndarray) -> Counts:
        return Counts(*(part[:, periods] for part in self))


def long_outcomes(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Rows of account_id, period, outcome and value (1.0, 0.0 or NaN), one per account and outcome."""
    frame = outcomes if "account_id" in outcomes.columns else outcomes.reset_index()
    if absent := {"account_id", "period"} - set(frame.columns):
        raise ValueError(f"outcomes lack the column {sorted(absent)[0]}")
    if {"outcome", "value"} <= set(frame.columns):
        long = frame[["account_id", "period", "outcome", "value"]].copy()
    else:
        named = [name for name in frame.columns if name not in ("account_id", "period")]
        long = frame.melt(["account_id", "period"], named, var_name="outcome", value_name="value")
    long["value"] = pd.to_numeric(long["value"], errors="raise").astype("float64")
    if frame["period"].isna().any():
        raise ValueError("outcomes have a row without a period")
    if not long["value"].dropna().isin([0.0, 1.0]).all():
        raise ValueError("an outcome is 1, 0 or missing")
    long["account_id"] = long["account_id"].astype(str)
    if long.duplicated(["account_id", "outcome"]).any():
        raise ValueError("outcomes have an account twice")
    return long


def observed(
    long: pd.DataFrame, outcome: str, accounts: np.ndarray, periods: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions in `accounts`, positions in `periods` and successes (1.0, 0.0) of those with a result."""
    rows = long[(long["outcome"] == outcome) & long["value"].notna()].sort_values("account_id")
    return (
        np.searchsorted(accounts, rows["account_id"].to_numpy()),
        np.searchsorted(periods, rows["period"].to_numpy()),
        rows["value"].to_numpy(dtype="float64"),
    )


def aligned(frame: pd.DataFrame, accounts: np.ndarray) -> pd.DataFrame:
    """The frame with one row per account in `accounts`, in that order; columns by name."""
    if "account_id" in frame.columns:
        frame = frame.set_index("account_id")
    frame = frame.set_axis(frame.index.astype(str), axis=0)
    if frame.index.has_duplicates:
        raise ValueError("traits or behaviours have an account twice")
    return frame.reindex(accounts)[sorted(frame.columns)]


def frequent_values(coded: dict[str, Banded], minimum_support: int, most_frequent: int) -> dict[str, list[tuple[int, int]]]:
    """Per trait the codes to try with their accounts, the most frequent first."""
    values = {}
    for name, trait in coded.items():
        counts = np.bincount(trait.codes[trait.codes >= 0], minlength=len(trait.labels))
        ranked = np.lexsort((np.arange(len(counts)), -counts))
        values[name] = [(int(code), int(counts[code])) for code in ranked if counts[code] >= minimum_support]
        values[name] = values[name][:most_frequent]
    return values


def frequent_pairs(
    coded: dict[str, Banded],
    values: dict[str, list[tuple[int, int]]],
    minimum_support: int,
    most_frequent: int,
    pair_traits: list[str] | None,
) -> list[tuple[str, int, str, int]]:
    """Pairs of values of two traits that enough accounts share and that are not just one of the two."""
    names = [name for name in coded if pair_traits is None or name in pair_traits]
    singles = [
        (-count, name, coded[name].labels[code], code)
        for name in names
        for code, count in values[name]
        # With a value that most accounts have, a pair is little more than its other half.
        if count <= COMMON_SHARE * (coded[name].codes >= 0).sum()
    ]
    singles = sorted(singles)[:most_frequent]
    if len(singles) < 2:
        return []
    member = np.column_stack([coded[name].codes == code for _, name, _, code in singles]).astype("float64")
    shared = member.T @ member
    return [
        (singles[i][1], singles[i][3], singles[j][1], singles[j][3])
        for i, j in sorted(combinations(range(len(singles)), 2))
        if singles[i][1] != singles[j][1]
        and shared[i, j] >= minimum_support
        and shared[i, j] <= REDUNDANT_SHARE * min(shared[i, i], shared[j, j])
    ]


def by_code(codes: np.ndarray, period: np.ndarray, weights: np.ndarray | None, size: int, periods: int):
    flat = np.bincount(codes * periods + period, weights=weights, minlength=size * periods)
    return flat.reshape(size, periods).astype("float64")


def count_all(
    outcome: str,
    coded: dict[str, Banded],
    values: dict[str, list[tuple[int, int]]],
    pairs: list[tuple[str, int, str, int]],
    acts: pd.DataFrame,
    rows: np.ndarray,
    period: np.ndarray,
    success: np.ndarray,
    periods: int,
    minimum_support: int,
) -> tuple[list[tuple[str, str, str]], Counts]:
    """Count every value, pair and behaviour that enough accounts with a result have: labels and counts."""
    labels: list[tuple[str, str, str]] = []
    parts: list[Counts] = []

    for name, trait in coded.items():
        codes = trait.codes[rows]
        # A trait that knows one value only says "has it" or nothing.
        lone = len(trait.labels) == 1
        seen = np.ones(len(rows), dtype=bool) if lone else codes >= 0
        size = len(trait.labels) + 1
        n1 = by_code(codes + 1, period, None, size, periods)
        a = by_code(codes + 1, period, success, size, periods)
        chosen = [code for code, _ in values[name]]
        if not chosen:
            continue
        n = np.bincount(period[seen], minlength=periods).astype("float64")
        m = np.bincount(period[seen], weights=success[seen], minlength=periods)
        take = np.array(chosen) + 1
        labels += [("trait", name, trait.labels[code]) for code in chosen]
        parts.append(Counts(n1[take], a[take], *(np.tile(x, (len(take), 1)) for x in (n, m))))

    if pairs:
        columns = sorted({part for a1, c1, a2, c2 in pairs for part in ((a1, c1), (a2, c2))})
        place = {column: number for number, column in enumerate(columns)}
        left = np.array([place[a1, c1] for a1, c1, _, _ in pairs])
        right = np.array([place[a2, c2] for _, _, a2, c2 in pairs])
        member = np.column_stack([coded[name].codes[rows] == code for name, code in columns])
        named = np.column_stack([coded[name].codes[rows] >= 0 for name, _ in columns])
        counted = [np.zeros((len(pairs), periods)) for _ in range(4)]
        for number in range(periods):
            inside = period == number
            won = inside & (success == 1.0)
            for slot, indicator, chosen_rows in (
                (0, member, inside),
                (1, member, won),
                (2, named, inside),
                (3, named, won),
            ):
                block = indicator[chosen_rows].astype("float64")
                counted[slot][:, number] = (block.T @ block)[left, right]
        labels += [
            ("pair", f"{a1} & {a2}", f"{coded[a1].labels[c1]} & {coded[a2].labels[c2]}")
            for a1, c1, a2, c2 in (_sorted_pair(pair) for pair in pairs)
        ]
        parts.append(Counts(*counted))

    for name in acts.columns if outcome != "won" else []:
        if (name, outcome) in TAUTOLOGIES:
            continue
        answer = acts[name].to_numpy(dtype="float64", na_value=np.nan)[rows]
        seen = np.isfinite(answer)
        codes = np.where(seen, answer, 0).astype("int64") + 1
        codes = np.where(seen, codes, 0)
        n1 = by_code(codes, period, None, 3, periods)
        a = by_code(codes, period, success, 3, periods)
        labels.append(("behaviour", f"first_order_{name}", "true"))
        parts.append(Counts(n1[2:3], a[2:3], (n1[1] + n1[2])[None, :], (a[1] + a[2])[None, :]))

    if not parts:
        return [], Counts(*(np.zeros((0, periods)),) * 4)
    counts = Counts(*(np.concatenate([part[slot] for part in parts]) for slot in range(4)))
    with_value, compared = counts.n1.sum(axis=1), counts.n.sum(axis=1)
    enough = (with_value >= minimum_support) & (compared - with_value >= minimum_support)
    return [label for label, keep in zip(labels, enough, strict=True) if keep], counts.take(enough)


def _sorted_pair(pair: tuple[str, int, str, int]) -> tuple[str, int, str, int]:
    """The pair with its attributes in alphabetical order, so that it has one name."""
    a1, c1, a2, c2 = pair
    return pair if a1 < a2 else (a2, c2, a1, c1)
