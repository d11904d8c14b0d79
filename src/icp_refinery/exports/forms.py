"""In which form an export writes dates and numbers: said where its values leave one reading only, never guessed."""

import re
from calendar import month_name
from collections.abc import Iterable
from dataclasses import dataclass

ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:$|[ T])")
DATE = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{2,4})(?:$|,?[ T]\d)")
NAMED = re.compile(r"(?:(\d{1,2})([- ])([A-Za-z]+)\2(\d{4})|([A-Za-z]+) (\d{1,2}), (\d{4}))(?:$|,?[ T]\d)")
MONTHS = [name.lower() for name in month_name[1:]]
# How each form writes 1234.56, and what a number looks like in it, with its decimals.
NUMBERS = {
    "1,234.56": re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?"),
    "1.234,56": re.compile(r"(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,(\d+))?"),
    "1 234,56": re.compile(r"(?:\d{1,3}(?:[ \u00a0\u202f]\d{3})+|\d+)(?:,(\d+))?"),
    "1'234.56": re.compile(r"(?:\d{1,3}(?:['\u2019]\d{3})+|\d+)(?:\.(\d+))?"),
}
PLAIN = "1,234.56"
MONEY = re.compile(r"([^\d.,'\u2019+-]*?)\s?[+-]?\s?(\d[\d.,'\u2019 \u00a0\u202f]*?)(\s?[^\d.,'\u2019]*)")


@dataclass(frozen=True)
class Form:
    """How a file writes a kind of value: the form, or None where it is the contract's own. More than one `fitting`: not sure."""

    form: str | None = None
    fitting: tuple[str, ...] = ()

    @property
    def is_sure(self) -> bool:
        return len(self.fitting) <= 1


def date_form(texts: Iterable[str]) -> Form:
    """The form in which all dates of `texts` can be read; other texts, and ISO 8601, say nothing about it."""
    seen = [forms for text in texts if (forms := _date_forms(text.strip()))]
    if not seen:
        return Form()
    fitting = tuple(sorted(set.intersection(*seen)))
    if len(fitting) == 1:
        return Form(fitting[0], fitting)
    return Form(None, fitting or tuple(sorted(set.union(*seen))))


def _date_forms(text: str) -> set[str]:
    if ISO.match(text):
        return set()
    if match := DATE.match(text):
        first, mark, second, third = match.groups()
        if len(first) == 4:
            return {f"2025{mark}12{mark}31"}
        year = "2025" if len(third) == 4 else "25"
        forms = {f"31{mark}12{mark}{year}"} if int(second) <= 12 else set()
        return forms | ({f"12{mark}31{mark}{year}"} if int(first) <= 12 else set())
    if match := NAMED.match(text):
        month = match[3] or match[5]
        named = {name for name in MONTHS if name == month.lower() or name[:3] == month.lower()}
        spellings = {"Dec" if len(month) == 3 else "December"} | ({"Dec", "December"} if month.lower() == "may" else set())
        return {f"31{match[2]}{name}{match[2]}2025" if match[3] else f"{name} 31, 2025" for name in spellings} if named else set()
    return set()


def number_form(texts: Iterable[str], whole: Iterable[str] = ()) -> Form:
    """The form in which all numbers of `texts`, and of `whole` (such as heads), can be read.

    A text that is no number in any form says nothing about it.
    """
    fitting, around, is_told = set(NUMBERS), set(), False
    seen: set[str] = set()
    for text, is_whole in [*((text, False) for text in texts), *((text, True) for text in whole)]:
        match = MONEY.fullmatch(text.strip())
        read = {form: pattern.fullmatch(match[2]) for form, pattern in NUMBERS.items()} if match else {}
        forms = {form for form, number in read.items() if number and not (is_whole and int(number[1] or 0))}
        if not forms:
            continue
        around.add((match[1].strip(), match[3].strip()))
        fitting &= forms
        seen |= forms
        is_told = is_told or not match[2].isdigit()
    around.discard(("", ""))
    if not seen:
        return Form()
    if len(around) > 1 or not fitting:
        around = around or {("", "")}
        return Form(None, tuple(f"{before}{form}{after}" for before, after in sorted(around) for form in sorted(seen)))
    before, after = next(iter(around), ("", ""))
    if is_told and {PLAIN, "1.234,56"} <= fitting:
        return Form(None, (PLAIN, "1.234,56"))
    form = next(form for form in NUMBERS if form in fitting)
    if form == PLAIN and not around:
        return Form()
    written = f"{before}{' ' if len(before) == 3 else ''}{form}{' ' if after else ''}{after}"
    return Form(written, (written,))
