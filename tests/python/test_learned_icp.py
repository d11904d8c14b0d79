"""What the demo company's build says of its Ideal Customer Profile, against what the generator planted."""

import csv
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from conftest import SAMPLE, BuildResult, build, frame

from icp_refinery.segments import assign

pytestmark = pytest.mark.slow

# Other names for the industries: what is found must not hang on them.
RENAMED = {
    "Financial Services": "Media",
    "Media": "Healthcare",
    "Healthcare": "Government",
    "Government": "Energy",
    "Energy": "Financial Services",
}


def tiers(result: BuildResult, accounts: str) -> pd.Series:
    """Share of accounts by tier, of those that a condition on dim_accounts selects."""
    found = frame(result.database, "marts.dim_accounts").query(accounts, engine="python")
    return found["tier"].value_counts(normalize=True)


def shares(result: BuildResult, industry: str) -> tuple[float, float]:
    """How much of mid-market financial services is tier 1, and of small media companies is deprioritized."""
    buyers = tiers(result, f"industry == '{industry}' and 200 <= employee_count < 1000")
    return float(buyers.get("tier_1", 0)), float(buyers.get("deprioritized", 0))


def test_the_planted_buyers_are_tier_1_and_the_planted_spenders_are_not_wanted(demo: BuildResult) -> None:
    assert shares(demo, "Financial Services")[0] == 1
    small_media = tiers(demo, "industry == 'Media' and employee_count < 50")
    assert small_media.get("deprioritized", 0) == 1


def test_the_finding_follows_the_accounts_when_industries_are_renamed(tmp_path: Path) -> None:
    folder = tmp_path / "renamed"
    folder.mkdir()
    for file in SAMPLE.glob("*.csv"):
        rows = list(csv.DictReader(file.open(encoding="utf-8", newline="")))
        if file.name == "accounts.csv":
            for row in rows:
                row["industry"] = RENAMED.get(row["industry"], row["industry"])
        with (folder / file.name).open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    result = build(tmp_path / "build", folder, unit_tests=False)
    assert shares(result, RENAMED["Financial Services"])[0] == 1
    small_media = tiers(result, f"industry == '{RENAMED['Media']}' and employee_count < 50")
    assert small_media.get("deprioritized", 0) == 1


def test_a_field_that_is_filled_in_for_winners_makes_no_segment(demo: BuildResult) -> None:
    assert "billing_tier" not in set(frame(demo.database, "marts.icp_segment_rules")["attribute"])
    assert "leak: billing_tier" in frame(demo.database, "learned.learned_segments")["notes"].iloc[0]


def test_sql_places_every_account_as_the_library_does(demo: BuildResult) -> None:
    with duckdb.connect(str(demo.database), read_only=True) as connection:
        placed = connection.execute("select account_id, segment_id from intermediate.int_accounts__segments").df()
        traits = connection.execute("select * from intermediate.int_accounts__traits").df()
        rules = connection.execute("select * from marts.icp_segment_rules").df()
    wide = pd.DataFrame(index=pd.Index(sorted(placed["account_id"]), name="account_id"))
    for attribute, rows in traits.groupby("attribute"):
        column = "number" if rows["number"].notna().any() else "value"
        wide[attribute] = rows.set_index("account_id")[column].astype(float if column == "number" else object)
    expected = assign(wide, rules)
    found = placed.set_index("account_id")["segment_id"]
    assert found.sort_index().to_dict() == expected.sort_index().to_dict()
    assert found.nunique() > 1


def test_no_trait_is_dated_after_the_pursuit_began(demo: BuildResult) -> None:
    with duckdb.connect(str(demo.database), read_only=True) as connection:
        known_later = connection.execute("""
            select traits.account_id, traits.attribute
            from intermediate.int_accounts__traits as traits
            join intermediate.int_pursuits as pursuits using (account_id)
            join input.input_account_attributes as attributes
                on traits.account_id = attributes.account_id and traits.attribute = lower(attributes.attribute)
            group by traits.account_id, traits.attribute
            having bool_and(attributes.known_from > pursuits.began_at)
        """).fetchall()
    assert known_later == []
