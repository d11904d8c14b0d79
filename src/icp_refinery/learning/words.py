"""Rules in words: a name for people, and the whole definition."""

from __future__ import annotations

import json

import numpy as np

from icp_refinery.learning.conditions import Condition

SIZE = "employee_count"
SIZES = (("small", 1, 200), ("mid-size", 200, 1000), ("large", 1000, np.inf))
NAMED = (SIZE, "industry", "country", "region")
PLAIN = ("industry", "country", "region", "size_band", "revenue_band")


def rule_name(conditions: list[Condition], short: bool) -> str:
    """A name for people ("Mid-size and large financial services"); unless `short`, one that says every threshold and value."""
    of = {name: [c for c in conditions if c.attribute == name] for name in dict.fromkeys(c.attribute for c in conditions)}
    if short:
        parts = [_who(of)]
        parts += [_phrase(name, its, short) for name, its in of.items() if name not in NAMED]
    else:
        parts = [_phrase(name, its, short) for name, its in of.items()]
    text = ", ".join(part for part in parts if part) or "All accounts"
    return text[0].upper() + text[1:]


def _who(of: dict[str, list[Condition]]) -> str:
    """Size, industry and place as one noun; empty where the rule asks for none of them."""
    size = _size(of[SIZE]) if SIZE in of else ""
    industry, is_named = _industry(of["industry"]) if "industry" in of else ("", False)
    where = " ".join(_where(of[place]) for place in ("country", "region") if place in of)
    if is_named:
        who = f"{size} {industry}"
    elif industry:
        who = f"{size} companies in {industry}" if size or "known" in industry else industry
    else:
        who = f"{size} companies" if size else "companies" if where else ""
    if SIZE in of and not size:
        asked = "unknown" if of[SIZE][0].operator == "is_missing" else "known"
        who = f"{who or 'companies'} of {asked} size"
    return f"{who.strip()} {where}".strip()


def _size(conditions: list[Condition]) -> str:
    """The words for a range of employees: the bands that it covers by half or more (of their logarithm), or the one it is in."""
    by = {c.operator: c.value for c in conditions}
    if not by.keys() & {">=", "<"}:
        return ""
    low = np.log(max(float(by.get(">=") or 1), 1))
    high = np.log(max(float(by.get("<") or np.inf), 1))
    shares = {}
    for word, start, end in SIZES:
        start, end = np.log(start), min(np.log(end), max(low, np.log(start)) + 1)
        shares[word] = (min(high, end) - max(low, start)) / (end - start)
    words = [word for word, share in shares.items() if share >= 0.5] or [max(shares, key=shares.__getitem__)]
    return _listed(words, "and", short=False) if len(words) < len(SIZES) else ""


def _industry(conditions: list[Condition]) -> tuple[str, bool]:
    """The industries, and whether they are named (or are the other ones)."""
    values = _values(conditions)
    if values is None:
        return ("an unknown industry" if conditions[0].operator == "is_missing" else "any known industry"), False
    if conditions[-1].operator in ("!=", "not_in"):
        return "other industries", False
    plain = [" ".join(word.lower() if word.istitle() else word for word in value.split(" ")) for value in values]
    return _listed(plain, "or", short=True), True


def _where(conditions: list[Condition]) -> str:
    values, label = _values(conditions), conditions[0].attribute
    if values is None:
        return f"in {'an unknown' if conditions[0].operator == 'is_missing' else 'a known'} {label}"
    outside = conditions[-1].operator in ("!=", "not_in")
    return f"{'outside' if outside else 'in'} {_listed(values, 'and' if outside else 'or', short=True)}"


def _values(conditions: list[Condition]) -> list[str] | None:
    """The values that conditions on a text name; none where they only ask whether it is known."""
    for condition in conditions:
        if condition.operator in ("in", "not_in"):
            return json.loads(condition.value)
        if condition.operator in ("=", "!="):
            return [condition.value]
    return None


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
    """The whole rule in words, a trait at a time; missing values are named where the segment has them, and only there."""
    names = dict.fromkeys(c.attribute for c in conditions)
    return " and ".join(_defined(name, [c for c in conditions if c.attribute == name]) for name in names) or "every account"


def _defined(attribute: str, conditions: list[Condition]) -> str:
    label, by = attribute.replace("_", " "), {c.operator: c.value for c in conditions}
    if "is_missing" in by:
        return f"{label} is missing"
    said = []
    if values := _values(conditions):
        is_not = bool(by.keys() & {"!=", "not_in"})
        said.append(f"is {'not ' if is_not else ''}{_listed(values, 'or', short=False)}")
    if ">=" in by:
        said.append(f"is at least {by['>=']}")
    if "<" in by:
        said.append(f"{'' if '>=' in by else 'is '}below {by['<']}")
    has_missing = bool(by) and by.keys() <= {"!=", "not_in", "<"}
    return f"{label} {' and '.join(said) or 'is known'}{' (or missing)' if has_missing else ''}"


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
