"""Numbers, dates and names as the report writes them; `None` and NaN are a dash."""

import math
import re
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from icp_refinery.report.labels import OPERATORS, TERMS, TIERS

NONE = "–"


def is_missing(value: Any) -> bool:
    """Whether there is nothing to write: None, NaN, NaT."""
    return value is None or value != value


def plain(value: Any) -> str:
    """A value as a machine reads it: the exact number, an ISO date, a text as it is; '' where it is missing."""
    if is_missing(value):
        return ""
    if isinstance(value, float | Decimal):
        return format(value, "f") if isinstance(value, Decimal) else repr(float(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def digits(value: float) -> int:
    """Decimals that an amount of this size deserves."""
    size = abs(value)
    return 0 if size >= 100 or size == 0 else 2 if size < 10 else 1


def count(value: Any) -> str:
    return NONE if is_missing(value) else f"{int(value):,}"


def number(value: Any) -> str:
    return NONE if is_missing(value) or math.isinf(value) else f"{float(value):z,.{digits(float(value))}f}"


def points(value: Any) -> str:
    return NONE if is_missing(value) else f"{float(value):+.1f}"


def money(value: Any) -> str:
    return NONE if is_missing(value) else f"{float(value):z,.{0 if abs(value) >= 100 or value == 0 else 2}f}"


def share(value: Any) -> str:
    """A share of 1 in per cent, with a decimal below 10 %; the sign stays on the number's line."""
    if is_missing(value):
        return NONE
    percent = 100 * float(value)
    return f"{percent:.{1 if 0 < abs(percent) < 9.95 else 0}f}\u00a0%"


def p_value(value: Any) -> str:
    return NONE if is_missing(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"


def day(value: Any) -> str:
    if is_missing(value):
        return NONE
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return f"{value.day}\u00a0{value:%b}\u00a0{value.year}"


def month(value: Any) -> str:
    return NONE if is_missing(value) else f"{value:%b}\u00a0{value.year}"


def calendar_month(value: Any) -> str:
    return NONE if is_missing(value) else f"{date(2000, int(value), 1):%B}"


def yes(value: Any) -> str:
    return NONE if is_missing(value) else "yes" if value else "no"


def text(value: Any) -> str:
    """A name or sentence, as it is."""
    return NONE if is_missing(value) or value == "" else str(value)


def isolated(value: Any) -> str:
    """A name within a sentence; one that is written from right to left does not turn the numbers beside it round."""
    name = text(value)
    return f"\u2068{name}\u2069" if any(unicodedata.bidirectional(letter) in {"R", "AL"} for letter in name) else name


def sentence(value: Any) -> str:
    """Words of a mart as a sentence: a capital and a full stop."""
    words = "" if is_missing(value) else str(value).strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "?", "!")) or not words else ".")


def difference(evidence: str, tiers: Iterable[str]) -> str:
    """What the test of the whole partition says (`icp_segments.evidence`), without its figures, and whether that gave a tier."""
    if "not enough evidence" in evidence:
        return "That the segments differ at all is not shown: there is not enough evidence."
    if set(tiers) == {"tier_3"}:
        return "That the segments differ at all is beyond chance, but which of them is worth more is not shown."
    return "That the segments differ at all is beyond chance."


def many(value: Any, one: str, more: str = "") -> str:
    """How many of what, without the number: `many(1, "order")` is `order`."""
    return one if value == 1 else more or f"{one}s"


def code(value: Any) -> str:
    """A word or text of the marts as people write it: `no_evidence` is no evidence, `employee_count > 50` employees above 50."""
    if is_missing(value) or value == "":
        return NONE
    said = re.sub(rf" ({'|'.join(OPERATORS)}) (?=\S)", lambda found: f" {OPERATORS[found[1]]} ", str(value))
    return re.sub(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)*\b", lambda found: TERMS.get(found[0], found[0].replace("_", " ")), said)


def tier(value: Any) -> str:
    """A tier's sign and name, so that it never hangs on a colour."""
    if is_missing(value):
        return NONE
    name, sign, _ = TIERS.get(value, (str(value), "", ""))
    return f"{sign} {name}".strip()


def spark(value: Any) -> str:
    """A line by quarter (`first_page.spark`), in words."""
    return NONE if is_missing(value) else value["says"]


KINDS = {
    "calendar_month": calendar_month,
    "code": code,
    "count": count,
    "day": day,
    "money": money,
    "month": month,
    "name": text,
    "number": number,
    "p": p_value,
    "points": points,
    "share": share,
    "spark": spark,
    "text": text,
    "tier": tier,
    "yes": yes,
}
TEXTS = {"code", "name", "spark", "text", "tier", "yes"}
