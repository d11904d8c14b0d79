"""Rules about columns: one that is broken stops the build before it publishes, and is said by the name of its column."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import duckdb
import pytest

from conftest import BuildResult, build, copy_project

# A second account beside a good one, and what is said of the two.
BROKEN = {
    "key that is null": ("null, 's', true, false, 1, 0, 'tier_1'", "account_id is null (1)"),
    "key that comes twice": ("'A1', 's', true, false, 1, 0, 'tier_1'", "account_id is not unique (1)"),
    "column that is null": ("'A2', null, true, false, 1, 0, 'tier_1'", "segment_id is null (1)"),
    "number that is too small": ("'A2', 's', true, false, -0.1, 0, 'tier_1'", "fit_score is below 0 (1)"),
    "number that is too large": ("'A2', 's', true, false, 100.1, 0, 'tier_1'", "fit_score is above 100 (1)"),
    "value that is not known": ("'A2', 's', true, false, 1, 0, 'tier_9'", "tier is not an accepted value (1)"),
    "nothing": ("'A2', 's', true, false, 100, 0, null", None),
}


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_rule_of_a_column_is_said(broken: str, tmp_path: Path) -> None:
    row, said = BROKEN[broken]
    with duckdb.connect(str(tmp_path / "icp.duckdb")) as database:
        database.execute(
            f"""
            create schema marts;
            create table marts.dim_accounts
                (account_id text, segment_id text, is_customer bool, has_duplicate_domain bool, fit_score double,
                merged_account_count int, tier text,
                engagement_score double, engagement_band text, fit_band text);
            insert into marts.dim_accounts
                select *, null, null, 'high' from (values ('A1', 's', true, false, 1, 0, 'tier_1'), ({row}));
            """
        )
    result = build(tmp_path, command="test", select="dim_accounts,test_name:column_rules", check=False, unit_tests=False)
    printed = [line.split(": ", 1)[1] for line in result.stdout.splitlines() if line.startswith("dim_accounts: ")]
    assert printed == ([said] if said else []), result.stdout
    assert result.returncode == (1 if said else 0), result.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("'all' as rule", "cast(null as varchar) as rule", r"NOT NULL constraint failed: quality_rejects\S*\.\W?rule"),
        (
            "cast(rules.rejected_count as double)",
            "cast(2 + 2 * accepted.accepted_count as double)",
            r"CHECK constraint failed on table \W?quality_rejects\S* with .*rejected_share",
        ),
    ],
)
def test_a_mart_that_breaks_its_contract_stops_the_build_and_names_the_column(
    before: str, after: str, said: str, demo: BuildResult, tmp_path: Path
) -> None:
    project = copy_project(tmp_path / "project")
    model = project / "models" / "marts" / "quality" / "quality_rejects.sql"
    model.write_text(model.read_text().replace(before, after))
    (tmp_path / "build").mkdir()
    shutil.copy(demo.database, tmp_path / "build" / "icp.duckdb")
    result = build(
        tmp_path / "build",
        select="quality_rejects published_marts",
        project=project,
        vars={"publish_untested": True},
        unit_tests=False,
        check=False,
    )
    assert result.returncode == 1
    assert re.search(said, result.stdout), result.stdout
    assert re.search(r"SKIP relation published\.published_marts", result.stdout), result.stdout
    assert not (tmp_path / "build" / "published").exists()
