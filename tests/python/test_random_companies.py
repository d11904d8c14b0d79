"""Random companies with ugly values, whole: no model stops, every mart is in its contract, and money is that of the reference.

`make validate` tries 60 of them, `make test` a few.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conftest import build
from reference import FIXED_COLUMNS, read_folder, reference
from test_marts_match_reference import assert_same
from ugly_companies import write_company

pytestmark = pytest.mark.slow
COMPANIES = int(os.environ.get("ICP_RANDOM_COMPANIES", 2))


@pytest.mark.parametrize("seed", range(1, COMPANIES + 1))
def test_a_company_with_ugly_values_is_built_and_its_money_is_right(seed: int, tmp_path: Path) -> None:
    files = write_company(tmp_path / "files", seed)
    expected = reference(read_folder(files))
    # Learning from past quarters takes as long as all else.
    result = build(tmp_path, files, unit_tests=False, backtests=seed % 2 == 1, exclude="expectation_results+")
    for mart in FIXED_COLUMNS:
        assert_same(expected, result.database, mart)
