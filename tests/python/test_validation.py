"""The report on the studies: what a bar says, and that every study writes its section."""

from pathlib import Path

import pytest

from icp_refinery.studies import report as validation
from icp_refinery.studies.effects import clusters_section, effects_section
from icp_refinery.studies.findings import section, share


@pytest.mark.parametrize(
    ("hits", "bar", "reached"),
    [
        ([True] + [False] * 19, {"at_most": 0.05}, True),
        ([True] * 2 + [False] * 18, {"at_most": 0.05}, False),
        ([True] * 18 + [False] * 2, {"at_least": 0.9}, True),
        ([True] * 17 + [False] * 3, {"at_least": 0.9}, False),
    ],
)
def test_a_bar_is_reached_or_not_and_the_page_says_so(hits: list[bool], bar: dict[str, float], reached: bool) -> None:
    finding = share("asked", hits, **bar)
    assert finding.is_reached == reached
    text = section("Title", "Question?", [finding], "1 to 20")
    assert ("| reached |" in text) == reached
    assert ("**not reached**" in text) != reached


def test_a_share_needs_one_bar() -> None:
    with pytest.raises(ValueError, match="one bar"):
        share("asked", [True], at_most=0.1, at_least=0.1)


@pytest.mark.slow
def test_the_page_has_a_section_for_each_study_and_is_the_same_each_time(tmp_path: Path) -> None:
    def few_effects() -> str:
        return effects_section(1, first_seed=1000)

    def few_clusters() -> str:
        return clusters_section(1, first_seed=1000)

    pages = {tmp_path / "one.md": [few_effects, few_clusters], tmp_path / "two.md": [few_clusters]}
    for page, studies in pages.items():
        page.write_text(f"By hand.\n\n{validation.BELOW}\n## An old study\n", encoding="utf-8")
        validation.write_report(page, studies)
    text, again = (page.read_text(encoding="utf-8") for page in pages)
    assert again.partition(validation.BELOW)[2].strip() in text
    assert text.startswith(f"By hand.\n\n{validation.BELOW}")
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## Attribute effects", "## Value clusters"]
    assert text.lower().count("seeds: 1,000 to 1,000") == 2
    assert {effects_section, clusters_section} <= set(validation.SECTIONS)
