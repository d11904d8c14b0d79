"""Rules in words: a name for people, and the whole definition."""

from __future__ import annotations

import json

from icp_refinery.learning.conditions import Condition

PLAIN = ("industry", "country", "region", "size_band", "revenue_band")


def rule_name(conditions: list[Condition], short: bool) -> str:
    """A name for people: values alone where the trait is plain from them."""
    parts = []
    for attribute in dict.fromkeys(c.attribute for c in conditions):
        parts.append(_phrase(attribute, [c for c in conditions if c.attribute == attribute], short))
    text = ", ".join(parts) or "All accounts"
    return text[0].upper() + text[1:]


def _phrase(attribute: str, conditions: list[Condition], short: bool) -> str:
    label = attribute.replace("_", " ")
    by = {c.operator: c.value for c in conditions}
    if "is_missing" in by:
        return f"{label} unknown"
    if ">=" in by or "<" in by:
        return _range(attribute, by)
    if "=" in by or "in" in by:
        values = [by["="]] if "=" in by else json.loads(by["in"])
        listed = _listed(values, "or", short)
        return listed if attribute in PLAIN else f"{label} {listed}"
    known = f"{label} known" if "is_not_missing" in by else ""
    if "!=" in by or "not_in" in by:
        values = [by["!="]] if "!=" in by else json.loads(by["not_in"])
        without = f"{label} other than {_listed(values, 'or', short)}"
        return f"{without} and known" if known else without
    return known


def _range(attribute: str, by: dict[str, str | None]) -> str:
    low, high = by.get(">="), by.get("<")
    unit = {"employee_count": " employees"}.get(attribute, "")
    label = "" if unit else attribute.replace("_", " ") + " "
    if attribute.endswith("count") and high is not None and float(high).is_integer():
        top = _spoken(float(high) - 1)
    else:
        top = f"below {_spoken(float(high))}" if high is not None else ""
    if low is not None and high is not None:
        if top.startswith("below"):
            return f"{label}{_spoken(float(low))} to {top}{unit}"
        same = _spoken(float(low)) == top
        return f"{label}{top}{unit}" if same else f"{label}{_spoken(float(low))} to {top}{unit}"
    if low is not None:
        return f"{label}{_spoken(float(low))} or more{unit}"
    unknown = "" if "is_not_missing" in by else " or unknown"
    return f"{label}below {_spoken(float(high))}{unit}{unknown}"


def _spoken(number: float) -> str:
    for size, mark in ((1e9, "bn"), (1e6, "m")):
        if abs(number) >= size:
            return f"{number / size:.3g}{mark}"
    return f"{number:.10g}" if abs(number) < 10_000 else f"{number:,.0f}"


def _listed(values: list[str], joiner: str, short: bool) -> str:
    if short and len(values) > 3:
        return f"{', '.join(values[:2])} {joiner} {len(values) - 2} more"
    if len(values) == 1:
        return str(values[0])
    return f"{', '.join(values[:-1])} {joiner} {values[-1]}"


def definition(conditions: list[Condition]) -> str:
    """The whole rule in words."""
    verbs = {
        "=": "is",
        "!=": "is not",
        "in": "is one of",
        "not_in": "is none of",
        ">=": "at least",
        "<": "below",
    }
    parts = []
    for c in conditions:
        label = c.attribute.replace("_", " ")
        if c.value is None:
            parts.append(f"{label} {'is missing' if c.operator == 'is_missing' else 'is known'}")
            continue
        value = ", ".join(json.loads(c.value)) if c.operator in ("in", "not_in") else c.value
        lenient = " or missing" if c.operator in ("!=", "not_in", "<") else ""
        parts.append(f"{label} {verbs[c.operator]} {value}{lenient}")
    return " and ".join(parts) or "every account"


def words(conditions: list[Condition]) -> str:
    """Conditions on one trait as a salesperson would say them."""
    attribute = conditions[0].attribute
    for condition in conditions:
        if condition.operator in ("=", "in"):
            values = json.loads(condition.value) if condition.operator == "in" else [condition.value]
            return f"{attribute.replace('_', ' ')} is {_listed(values, 'or', short=True)}"
    if attribute.startswith(("engagement_", "topic_")) and conditions[0].operator == "is_missing":
        return f"no {attribute.replace('_', ' ')}"  # none was seen, nothing is unknown
    return _phrase(attribute, conditions, short=True)
