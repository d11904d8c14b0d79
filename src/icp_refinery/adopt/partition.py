"""The proof that rules partition all accounts, over every value that a trait can have."""

import math
from functools import cache
from typing import NamedTuple

import pandas as pd

from icp_refinery.adopt.files import Row
from icp_refinery.learning.conditions import holds, named_values

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
    is_number = any(row["operator"] in NUMBER_OPERATORS for row in conditions)
    if is_number:
        edges = sorted({float(row["value"]) for row in conditions if row["operator"] in NUMBER_OPERATORS})
        samples.append((-math.inf, f"{attribute} below {edges[0]:.12g}"))
        for low, high in zip(edges, [*edges[1:], None], strict=True):
            until = "or more" if high is None else f"to below {high:.12g}"
            samples.append((low, f"{attribute} {low:.12g} {until}"))
    else:
        named = sorted({value for row in conditions for value in named_values(row["operator"], row["value"])})
        samples += [(value, f"{attribute} {value}") for value in named]
        samples.append(("\0", f"{attribute} other than those named" if named else f"{attribute} known"))
    values = pd.Series([value for value, _ in samples], dtype=float if is_number else object)
    hits = {key: [holds(values, row["operator"], row["value"]) for row in rows] for key, rows in asked.items()}
    found: dict[frozenset[str], str] = {}
    for place, (_, words) in enumerate(samples):
        possible = frozenset(key for key, conditions in hits.items() if all(hit[place] for hit in conditions))
        found.setdefault(possible, words)
    return [Region(possible, words) for possible, words in found.items()]
