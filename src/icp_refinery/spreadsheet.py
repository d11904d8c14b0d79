"""Texts in CSV files that people open in a spreadsheet."""

import re

FORMULA = re.compile(r"[\s\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would take a cell with this text for a formula. Numbers are none."""
    return bool(FORMULA.match(text)) and not NUMBER.fullmatch(text)


def as_cell(text: str) -> str:
    """The text for a cell: an apostrophe before what would be a formula."""
    return f"'{text}" if is_formula(text) else text
