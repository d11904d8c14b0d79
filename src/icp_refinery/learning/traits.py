"""Traits as codes: fine bins in which rules find their own cuts, and the few bands that people speak of."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

MOST_VALUES = 50  # values of a trait that can appear in a rule; rarer ones fall on the not_in side
MOST_BINS = 48
LEAST_SUPPORT = 8  # pursuits with a value, for the value to appear in a rule
BANDS = 5


class Trait(NamedTuple):
    """A trait of all pursuits, as codes.

    Categorical: code i is `values[i]`, then one code for any other value, then one for missing. Numeric: code i
    is the bin below `edges[i]` (and not below the edge before), one more for the rest, then one for missing.
    """

    name: str
    is_numeric: bool
    values: list[str]
    edges: list[float]
    codes: np.ndarray
    raw: np.ndarray

    @property
    def size(self) -> int:
        """The number of codes."""
        return len(self.values) + 2 if not self.is_numeric else len(self.edges) + 2

    @property
    def missing(self) -> int:
        """The code of a missing value."""
        return self.size - 1


def coded_traits(traits: pd.DataFrame) -> list[Trait]:
    """The traits that vary, in the order of their names."""
    return [trait for name in sorted(traits.columns) if (trait := coded_trait(traits[name])) is not None]


def coded_trait(column: pd.Series) -> Trait | None:
    """A trait as codes, or None where it does not vary."""
    name = str(column.name)
    missing = column.isna().to_numpy()
    if is_numeric(column):
        raw = column.to_numpy(dtype=float, na_value=np.nan)
        present = raw[np.isfinite(raw)]
        edges: list[float] = []
        if len(present) >= 2 * LEAST_SUPPORT:
            cuts = np.quantile(present, np.linspace(0, 1, MOST_BINS + 1)[1:-1])
            edges = sorted({_round(c) for c in cuts} - {present.min()})
            edges = [e for e in edges if (present < e).any() and (present >= e).any()]
        codes = np.searchsorted(np.array(edges), raw, side="right")
        codes[missing] = len(edges) + 1
        trait = Trait(name, True, [], edges, codes.astype(np.int32), np.where(missing, np.nan, raw))
    else:
        text = texts(column)
        kept = most_frequent(text, MOST_VALUES, LEAST_SUPPORT)
        codes = pd.Index(kept, dtype=object).get_indexer(text).astype(np.int32)
        codes[codes < 0] = len(kept)
        codes[missing] = len(kept) + 1
        trait = Trait(name, False, kept, [], codes, np.where(missing, np.nan, codes.astype(float)))
    return trait if len(np.unique(trait.codes)) > 1 else None


def is_numeric(column: pd.Series) -> bool:
    """Whether a trait is a number; what is true or false is a text."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def texts(column: pd.Series) -> pd.Series:
    """A categorical trait as text, missing as None, what is true or false in lower case."""
    values = column.to_numpy(dtype=object, copy=True)
    values[column.isna().to_numpy()] = None
    if pd.api.types.infer_dtype(column, skipna=True) != "string":
        values = np.array([value if value is None else _text(value) for value in values], dtype=object)
    return pd.Series(values, column.index, dtype=object)


def most_frequent(text: pd.Series, most: int, least: int = 1) -> list[str]:
    """At most `most` values that occur `least` times or more, the most frequent first, then by their names."""
    counts = text.value_counts()
    return sorted(counts[counts >= least].index, key=lambda value: (-counts[value], value))[:most]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | np.bool_) else str(value)


def _round(number: float) -> float:
    """Two significant digits, so that a threshold can be said aloud."""
    return float(f"{number:.2g}")


class Banded(NamedTuple):
    """A trait as integers: `codes` per account (-1 = missing) into `labels`."""

    codes: np.ndarray
    labels: list[str]


def banded_traits(traits: pd.DataFrame) -> dict[str, Banded]:
    """Every trait by its name: texts as they are, numbers in at most five bands at rounded quantiles."""
    coded = {}
    for name in traits.columns:
        column = traits[name]
        if is_numeric(column):
            coded[name] = _banded(column.to_numpy(dtype="float64", na_value=np.nan))
        else:
            codes, labels = pd.factorize(texts(column), sort=True)
            coded[name] = Banded(codes.astype("int64"), list(labels))
    return coded


def _banded(numbers: np.ndarray) -> Banded:
    """Cut numbers at rounded quantiles; few distinct numbers, and a frequent lowest one, stand alone."""
    known = numbers[np.isfinite(numbers)]
    distinct = np.unique(known)
    codes = np.full(len(numbers), -1, dtype="int64")
    if len(distinct) == 0:
        return Banded(codes, [])
    if len(distinct) <= BANDS:
        cuts = distinct[1:]
    else:
        # Many a count is mostly 0: nothing, then bands of the rest.
        alone = (known == distinct[0]).mean() >= 1 / BANDS
        rest, bands = (known[known > distinct[0]], BANDS - 1) if alone else (known, BANDS)
        inner = np.quantile(rest, np.arange(1, bands) / bands)
        rounded = [float(f"{cut:.2g}") for cut in ([rest.min(), *inner] if alone else inner)]
        cuts = np.unique([cut for cut in rounded if cut > distinct[0]])
    finite = np.isfinite(numbers)
    codes[finite] = np.searchsorted(cuts, numbers[finite], side="right")
    edges = [f"{cut:.10g}" for cut in cuts]
    if len(edges) == 0:
        labels = [f"{distinct[0]:.10g}" if len(distinct) == 1 else "any"]
    elif len(distinct) <= BANDS:
        labels = [f"{number:.10g}" for number in distinct]
    else:
        below = f"{distinct[0]:.10g}" if (known[known < cuts[0]] == distinct[0]).all() else f"< {edges[0]}"
        between = [f"{low} to < {high}" for low, high in pairwise(edges)]
        labels = [below, *between, f">= {edges[-1]}"]
    return Banded(codes, labels)
