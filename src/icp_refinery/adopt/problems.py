"""What is wrong with the adopted files and the assumptions, a sentence each."""

import json
import math
import re
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from icp_refinery.adopt.files import FIGURES, FILES, OPTIONAL, Adopted, Row, applies
from icp_refinery.adopt.partition import NUMBER_OPERATORS, partition_problem
from icp_refinery.project import TIERS

BARE_OPERATORS = ("is_missing", "is_not_missing")
OPERATORS = ("=", "!=", "in", "not_in", *NUMBER_OPERATORS, *BARE_OPERATORS)
MOST_TRAITS = 6  # in one rule: a longer one is not readable, and its points cannot be divided among its traits
ASSUMPTIONS = ["profile", "believed_by", "attribute", "operator", "value", "note"]


class Problem(NamedTuple):
    """A sentence on a seed that holds rules. `source`: `adopted`, `assumptions`, or `left_out` (does not apply)."""

    source: str
    sentence: str
    adoption_number: str | None = None


def rule_problems(
    tables: dict[str, list[Row]], columns: dict[str, list[str]], traits: dict[str, bool], is_demo: bool
) -> list[Problem]:
    """What is wrong with the seeds that hold rules, as the warehouse loaded them, and which adoptions are another company's.

    `tables`: rows by the name of the seed, the three adopted ones and `assumptions`; `columns`: the columns of each; `traits`
    and `is_demo` as in `adopted_problems`.
    """
    expected = FILES | {"assumptions": ASSUMPTIONS}
    lacking = [
        Problem("assumptions" if name == "assumptions" else "adopted", f"{name}.csv lacks the column {column}.")
        for name in expected
        for column in expected[name]
        if column not in [*columns[name], *OPTIONAL]
    ]
    if lacking:
        return lacking
    adopted = adopted_problems(Adopted(*(tables[name] for name in FILES)), traits, is_demo)
    return [
        *(Problem("adopted", sentence) for sentence in adopted),
        *(Problem("assumptions", sentence) for sentence in assumption_problems(tables["assumptions"])),
        *(_left_out(row, is_demo) for row in tables["adoption"] if not applies(row, is_demo)),
    ]


def _left_out(row: Row, is_demo: bool) -> Problem:
    number, learned_from = row["adoption_number"], row["learned_from"]
    why = f"learned from {learned_from}, and this is the demo company" if is_demo else "learned from the demo company"
    return Problem("left_out", f"Adoption {number} does not apply: it was {why}.", number)


def adopted_problems(adopted: Adopted, traits: dict[str, bool] | None = None, is_demo: bool = False) -> list[str]:
    """What is wrong with the adopted files, a sentence each, the first one first.

    `traits`: every trait that the data know, and whether it is a number; without it a trait's name is not checked, nor in an
    adoption that does not apply to these data. `is_demo`: whether they are the demo company's. That each adoption's rules
    partition all accounts is proved over all values that a trait can have, not only those of today's accounts.
    """
    found: list[str] = []
    numbers: list[str] = []
    for row in adopted.adoption:
        number = row["adoption_number"]
        name = f"adoption.csv, adoption {number or 'without a number'}"
        if not re.fullmatch("[1-9][0-9]{0,8}", number):
            found.append(f"{name}: adoption_number is a whole number from 1.")
        elif number in numbers:
            found.append(f"{name} is there twice.")
        numbers.append(number)
        for column in ("adopted_on", "as_of"):
            if not _is_date(row[column]):
                found.append(f"{name}: {column} is a day as YYYY-MM-DD, not {row[column] or 'empty'}.")
        for column in ("agreed_by_sales", "agreed_by_marketing", "reason"):
            if not row[column]:
                found.append(f"{name}: {column} is empty.")
    if not found:
        in_order = sorted(adopted.adoption, key=lambda row: int(row["adoption_number"]))
        replaced = [pair for demo in (False, True) for pair in pairwise(row for row in in_order if applies(row, demo))]
        early = dict.fromkeys(now["adoption_number"] for before, now in replaced if now["adopted_on"] < before["adopted_on"])
        found += [f"adoption.csv, adoption {number} is dated before the one it replaces." for number in early]
    for name, rows in (("adopted_segments", adopted.adopted_segments), ("adopted_segment_rules", adopted.adopted_segment_rules)):
        for row in rows:
            if row["adoption_number"] not in numbers:
                number = row["adoption_number"] or "without a number"
                found.append(f"{name}.csv, segment {row['segment_id']}: adoption.csv has no adoption {number}.")
    others = {row["adoption_number"] for row in adopted.adoption if not applies(row, is_demo)}
    for number in dict.fromkeys(numbers):
        segments = [row for row in adopted.adopted_segments if row["adoption_number"] == number]
        rules = [row for row in adopted.adopted_segment_rules if row["adoption_number"] == number]
        found += _version_problems(number, segments, rules, None if number in others else traits)
    return found


def _version_problems(number: str, segments: list[Row], rules: list[Row], traits: dict[str, bool] | None) -> list[str]:
    found, ids = [], [row["segment_id"] for row in segments]
    if not segments:
        return [f"adopted_segments.csv has no segment of adoption {number}."]
    for row in segments:
        name = f"adopted_segments.csv, adoption {number}, segment {row['segment_id'] or 'without an id'}"
        if not row["segment_id"] or row["segment_id"] == "all":
            found.append(f"{name}: a segment has an id, and it is not `all`.")
        for column in ("segment_name", "definition"):
            if not row[column]:
                found.append(f"{name}: {column} is empty.")
        if row["tier"] not in TIERS:
            found.append(f"{name}: the tier is one of {', '.join(TIERS)}, not {row['tier'] or 'empty'}.")
        if row["tier_override"] and row["tier_override"] not in TIERS:
            found.append(f"{name}: the tier_override is one of {', '.join(TIERS)}, not {row['tier_override']}.")
        if row["tier_override"] and not row["override_reason"]:
            found.append(f"{name}: the override to {row['tier_override']} has no override_reason.")
        for column in FIGURES:
            if row[column] and not _is_number(row[column]):
                found.append(f"{name}: {column} is a number, not {row[column]}.")
            elif column in ("pursuits", "wins") and row[column] and not row[column].isdecimal():
                found.append(f"{name}: {column} is a whole number, not {row[column]}.")
    for key in sorted({key for key in ids if ids.count(key) > 1}):
        found.append(f"adopted_segments.csv, adoption {number}: segment {key} is there twice.")
    for key in dict.fromkeys(row["segment_id"] for row in rules):
        asked = {row["attribute"] for row in rules if row["segment_id"] == key}
        if len(asked) > MOST_TRAITS:
            found.append(
                f"adopted_segment_rules.csv, adoption {number}, segment {key} asks {len(asked)} traits; {MOST_TRAITS} at most."
            )
    for row in rules:
        name = f"adopted_segment_rules.csv, adoption {number}, segment {row['segment_id']}"
        if row["segment_id"] not in ids:
            found.append(f"{name}: adopted_segments.csv has no such segment in this adoption.")
        found += [f"{name}: {problem}" for problem in condition_problems(row, traits)]
    if found:
        return found
    problem = partition_problem({key: [row for row in rules if row["segment_id"] == key] for key in ids})
    return [f"adopted_segment_rules.csv, adoption {number}: {problem}"] if problem else []


def condition_problems(row: Row, traits: dict[str, bool] | None = None) -> list[str]:
    """What is wrong with one condition (`attribute`, `operator`, `value`)."""
    attribute, operator, value = row["attribute"], row["operator"], row["value"]
    if not attribute:
        return ["a condition has no attribute."]
    if operator not in OPERATORS:
        return [f"there is no operator {operator or 'empty'} (on {attribute}); choose among {', '.join(OPERATORS)}."]
    if traits is not None and attribute not in traits:
        return [f"no account has ever had the trait {attribute}."]
    if operator in BARE_OPERATORS:
        return [f"{attribute} {operator} takes no value, but has {value}."] if value else []
    if not value:
        return [f"{attribute} {operator} needs a value."]
    if operator in NUMBER_OPERATORS and not _is_number(value):
        return [f"{attribute} {operator} needs a number, not {value}."]
    if operator in ("in", "not_in") and not _is_list_of_texts(value):
        return [f"{attribute} {operator} needs a JSON array of texts, not {value}."]
    if traits is not None and (operator in NUMBER_OPERATORS) != traits[attribute]:
        return [f"{attribute} is {'a number' if traits[attribute] else 'text'}, which {operator} cannot be asked of."]
    return []


def assumption_problems(rows: list[Row]) -> list[str]:
    """What is wrong with `assumptions.csv`. A trait that the data do not know is not a problem: nothing is known of it."""
    found = []
    believers: dict[str, str] = {}
    for row in rows:
        name = f"assumptions.csv, profile {row['profile'] or 'without a name'}"
        if not row["profile"] or not row["believed_by"]:
            found.append(f"{name}: a profile has a name and somebody who believes in it.")
        if believers.setdefault(row["profile"], row["believed_by"]) != row["believed_by"]:
            found.append(
                f"{name}: is believed by {believers[row['profile']]} and by {row['believed_by']}; give each its own profile."
            )
        found += [f"{name}: {problem}" for problem in condition_problems(row)]
    return found


def _is_date(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text)) and math.isfinite(float(text))


def _is_list_of_texts(text: str) -> bool:
    try:
        listed = json.loads(text)
    except ValueError:
        return False
    return isinstance(listed, list) and bool(listed) and all(isinstance(item, str) for item in listed)
