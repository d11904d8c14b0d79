"""Conditions on traits: what they hold for, the id of a rule, and the segment of every account.

The one evaluation of rules in Python, and the reference for what `macros/conditions.sql` does: a missing value is on the side of
`not_in`, `!=` and `<`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from icp_refinery.learning.traits import Trait, texts

RULE_COLUMNS = ["segment_id", "condition_number", "attribute", "operator", "value"]


class Condition(NamedTuple):
    """One condition of a segment, as in `icp_segment_rules`."""

    attribute: str
    operator: str
    value: str | None


def named_values(operator: str, value: str | None) -> list[str]:
    """The values that a condition on a text names."""
    if operator in ("in", "not_in"):
        return json.loads(value)
    return [value] if operator in ("=", "!=") else []


def holds(column: pd.Series, operator: str, value: str | None) -> np.ndarray:
    """For which accounts a condition on one trait holds."""
    missing = column.isna().to_numpy()
    if operator in ("is_missing", "is_not_missing"):
        return missing if operator == "is_missing" else ~missing
    if operator in (">=", "<"):
        at_least = column.to_numpy(dtype=float, na_value=np.nan) >= float(value)
        return at_least & ~missing if operator == ">=" else ~at_least | missing
    inside = texts(column).isin(named_values(operator, value)).to_numpy() & ~missing
    return inside if operator in ("=", "in") else ~inside


def meets(traits: pd.DataFrame, conditions: pd.DataFrame) -> np.ndarray:
    """Which accounts meet all `conditions` (`attribute`, `operator`, `value`); a trait that is not there is missing for all."""
    hit = np.ones(len(traits), dtype=bool)
    for condition in conditions.itertuples():
        column = traits.get(condition.attribute, pd.Series(None, index=traits.index, dtype=object))
        hit &= holds(column, condition.operator, condition.value)
    return hit


def assign(traits: pd.DataFrame, rules: pd.DataFrame, segments: Iterable[str] | None = None) -> pd.Series:
    """Find the segment of every account.

    `traits` as in `learn_segments`, `rules` as it returns; `segments` also names those without a condition (by default, where
    there are no rules, the one segment of all accounts). Returns `segment_id` by account. Raises ValueError where an account
    is in no segment or in two.
    """
    names = sorted(rules["segment_id"].unique() if segments is None else segments) or [segment_id([])]
    found = pd.Series(None, index=traits.index, name="segment_id", dtype=object)
    hits = np.zeros(len(traits), dtype=int)
    for name in names:
        hit = meets(traits, rules[rules["segment_id"] == name])
        hits += hit
        found[hit] = name
    if (hits != 1).any():
        raise ValueError(f"{int((hits != 1).sum())} accounts are not in exactly one segment")
    return found


def segment_id(conditions: list[Condition]) -> str:
    """The id that follows from a rule, whatever the order of its conditions."""
    canonical = json.dumps(sorted([c.attribute, c.operator, c.value or ""] for c in conditions), ensure_ascii=True)
    return "seg_" + hashlib.sha256(canonical.encode()).hexdigest()[:10]


def conditions_of(traits: list[Trait], allowed: dict[int, np.ndarray]) -> list[Condition]:
    """The conditions that allow exactly these codes (and, with `other`, all values never seen)."""
    made = []
    for number in sorted(allowed):
        made += (
            _numeric(traits[number], allowed[number])
            if traits[number].is_numeric
            else _categorical(traits[number], allowed[number])
        )
    return made


def _categorical(trait: Trait, mask: np.ndarray) -> list[Condition]:
    inside = sorted(v for v, m in zip(trait.values, mask, strict=False) if m)
    outside = sorted(v for v, m in zip(trait.values, mask, strict=False) if not m)
    other, missing = bool(mask[-2]), bool(mask[-1])
    if not other:
        if missing:
            return [Condition(trait.name, "is_missing", None)]
        if len(inside) == 1:
            return [Condition(trait.name, "=", inside[0])]
        return [Condition(trait.name, "in", json.dumps(inside, ensure_ascii=False))]
    made = [] if missing else [Condition(trait.name, "is_not_missing", None)]
    if len(outside) == 1:
        made.append(Condition(trait.name, "!=", outside[0]))
    elif outside:
        made.append(Condition(trait.name, "not_in", json.dumps(outside, ensure_ascii=False)))
    return made


def _numeric(trait: Trait, mask: np.ndarray) -> list[Condition]:
    bins = np.flatnonzero(mask[:-1])
    if len(bins) == 0:
        return [Condition(trait.name, "is_missing", None)]
    made = []
    if bins[0] > 0:
        made.append(Condition(trait.name, ">=", number_text(trait.edges[bins[0] - 1])))
    elif not mask[-1]:
        made.append(Condition(trait.name, "is_not_missing", None))
    if bins[-1] < len(trait.edges):
        made.append(Condition(trait.name, "<", number_text(trait.edges[bins[-1]])))
    return made


def number_text(number: float) -> str:
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))
