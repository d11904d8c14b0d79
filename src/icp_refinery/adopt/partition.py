"""The proof that rules partition all accounts, over every value that a trait can have."""

import json
import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from icp_refinery.adopt.files import Row

NUMBER_OPERATORS = (">=", "<")


class Region(NamedTuple):
    """Values of one trait that no rule tells apart: which segments they leave possible, and words for them."""

    possible: frozenset[str]
    words: str


def partition_problem(rules: dict[str, list[Row]]) -> str | None:
    """A kind of account that is in no segment, or in two, in words; None where every possible account is in exactly one.

    `rules`: the conditions of each segment. Each trait's values fall into finitely many regions that no rule tells apart; a
    search over the regions of all traits remembers which sets of segments it has seen, so that each trait takes at most
    2 to the number of segments steps, and usually few.
    """
    attributes = sorted({row["attribute"] for conditions in rules.values() for row in conditions})
    regions = [_regions(attribute, rules) for attribute in attributes]

    @cache
    def search(place: int, possible: frozenset[str]) -> tuple[frozenset[str], tuple[str, ...]] | None:
        if not possible or (place == len(attributes) and len(possible) > 1):
            return possible, ()
        if place == len(attributes):
            return None
        for region in regions[place]:
            if below := search(place + 1, possible & region.possible):
                return below[0], (region.words, *below[1])
        return None

    found = search(0, frozenset(rules))
    if found is None:
        return None
    possible, path = found
    if not possible:
        return f"no segment holds an account with {' and '.join(path)}." if path else "there is no segment."
    first, second = sorted(possible)[:2]
    used = {row["attribute"] for row in [*rules[first], *rules[second]]}
    words = [words for attribute, words in zip(attributes, path, strict=True) if attribute in used]
    return f"segments {first} and {second} both hold an account with {' and '.join(words) or 'anything at all'}."


def _regions(attribute: str, rules: dict[str, list[Row]]) -> list[Region]:
    """The values of a trait, by the segments that they leave possible."""
    asked = {key: [row for row in conditions if row["attribute"] == attribute] for key, conditions in rules.items()}
    conditions = [row for rows in asked.values() for row in rows]
    samples: list[tuple[str | float | None, str]] = [(None, f"{attribute} missing")]
    if any(row["operator"] in NUMBER_OPERATORS for row in conditions):
        edges = sorted({float(row["value"]) for row in conditions if row["operator"] in NUMBER_OPERATORS})
        samples.append((-math.inf, f"{attribute} below {edges[0]:.12g}"))
        for low, high in zip(edges, [*edges[1:], None], strict=True):
            until = "or more" if high is None else f"to below {high:.12g}"
            samples.append((low, f"{attribute} {low:.12g} {until}"))
    else:
        named = sorted({value for row in conditions for value in _listed(row)})
        samples += [(value, f"{attribute} {value}") for value in named]
        samples.append(("\0", f"{attribute} other than those named" if named else f"{attribute} known"))
    found: dict[frozenset[str], str] = {}
    for value, words in samples:
        possible = frozenset(key for key, rows in asked.items() if all(_holds(row, value) for row in rows))
        found.setdefault(possible, words)
    return [Region(possible, words) for possible, words in found.items()]


def _listed(row: Row) -> list[str]:
    if row["operator"] in ("in", "not_in"):
        return json.loads(row["value"])
    return [row["value"]] if row["operator"] in ("=", "!=") else []


def _holds(row: Row, value: str | float | None) -> bool:
    """Whether a condition holds for a value, None being a missing one: what the macro account_conditions does."""
    tests: dict[str, Callable[[], bool]] = {
        "=": lambda: value in _listed(row),
        "in": lambda: value in _listed(row),
        "!=": lambda: value not in _listed(row),
        "not_in": lambda: value not in _listed(row),
        ">=": lambda: value is not None and value >= float(row["value"]),
        "<": lambda: value is None or value < float(row["value"]),
        "is_missing": lambda: value is None,
        "is_not_missing": lambda: value is not None,
    }
    return tests[row["operator"]]()
