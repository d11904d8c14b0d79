"""No cell that is written for people is a formula, and numbers stay numbers."""

import pytest

from icp_refinery.spreadsheet import as_cell

FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1", "\ufeff=1", "--1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_a_text(text: str) -> None:
    assert as_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=b", "-5", "+3.25", "-1.5e-3", "5 - 3", "x@y", "Mid-size", "12,000"])
def test_what_is_none_stays(text: str) -> None:
    assert as_cell(text) == text
