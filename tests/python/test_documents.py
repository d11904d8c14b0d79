"""The documents point at what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from icp_refinery.project import TIER_NAMES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/README.md")]


def anchors(document: Path) -> set[str]:
    """What a link into the document can name: headings as a code host spells them, and ids."""
    text = document.read_text()
    headings = [
        re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    ]
    return {*headings, *re.findall(r'<a id="([^"]+)">', text)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        linked = (document.parent / file).resolve() if file else document
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_the_architecture_names_files_and_models_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    paths = re.findall(r"`((?:macros|models|python_models|src)/[\w/.<>]+)`", text)
    models = re.findall(r"`((?:stg|input|int|learned|fct|dim|icp|published)_\w+)`", text)
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path.replace("<entity>", "orders")).exists()] == []
    known = {path.stem for folder in ("models", "python_models") for path in (ROOT / folder).rglob("*.*")}
    assert [model for model in models if model not in known] == []


def test_every_decision_has_an_id_a_choice_a_reason_and_a_price() -> None:
    judged, explained = (ROOT / "DECISIONS.md").read_text().split("## Explained where they apply")
    rows, links = (
        [re.split(r" *\| *", row)[1:-1] for row in re.findall(r"^\| <a.+$", part, re.MULTILINE)] for part in (judged, explained)
    )
    assert all(len(row) == 4 and all(row) for row in rows)
    assert all(re.fullmatch(r"\[.+\]\(.+\)", row[-1]) and len(row) == 3 for row in links)
    ids = [[re.fullmatch(r'<a id="d(\d+)(\w?)">D\1\2</a>', row[0]).groups() for row in part] for part in (rows, links)]
    order = [[(int(number), letter) for number, letter in part] for part in ids]
    assert order == [sorted(part) for part in order]
    assert len({*order[0], *order[1]}) == len(rows) + len(links)


def test_the_decisions_list_their_sections() -> None:
    before, *sections = (ROOT / "DECISIONS.md").read_text().split("\n## ")
    assert re.findall(r"\[([^\]]+)\]\(#", before) == [section.split("\n")[0] for section in sections]


def test_the_readme_lists_every_setting() -> None:
    settings = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]
    listed = set(
        re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text().split("## Settings")[1].split("\n## ")[0], re.MULTILINE)
    )
    assert listed == set(settings.get("icp_refinery", settings))


def test_the_validation_page_lists_every_situation() -> None:
    table = (ROOT / "docs" / "validation.md").read_text().split("## Situations")[1].split("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "tests" / "fixtures").iterdir() if path.is_dir())


@pytest.mark.parametrize("document", ["bi.md", "hubspot.md"])
def test_tiers_are_called_in_documents_as_in_the_report(document: str) -> None:
    text = (ROOT / "docs" / document).read_text()
    assert [(code, name) for code, name in TIER_NAMES.items() if f"`{code}` as {name}" not in text.replace("\n", " ")] == []
