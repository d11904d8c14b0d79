"""BI tools show each column's description by itself, so each must stand alone."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("models", "python_models", "seeds")
# Words that point at a neighbour: at the beginning, and anywhere.
BEGINNING = re.compile(
    r"(of|the same|its?|they|them|their|those|these|this|that|see|also|then|both|chosen|until|per)\b"
    r"|(share|mean|median|number) of (it|them|those|these)\b|as (in|above|before)\b"
    r"|(whether|what|when|who|why|how|where) (it|they|its|their)\b",
    re.IGNORECASE,
)
REFERENCE = re.compile(
    r"\b(of the same|of those|of these|of them|the same\.|(end|share|mean|percentile) of (its|their)|above, |see above|so is)\b"
    r"|\bas in (icp|fct|dim)_",
    re.IGNORECASE,
)
FEWEST_WORDS = 4


def fault(text: str | None) -> str | None:
    """Why a reader of this text alone is at a loss."""
    if not text:
        return "missing"
    if len(text.split()) < FEWEST_WORDS:
        return "too short"
    if found := BEGINNING.match(text) or REFERENCE.search(text):
        return f"rests on {found[0]!r}"
    return None


def blocks() -> dict[str, str]:
    """The docs blocks, by name."""
    texts = [path.read_text() for path in ROOT.glob("models/**/*.md")]
    found = [pair for text in texts for pair in re.findall(r"{% docs (\w+) %}\n(.*?)\n{% enddocs %}", text, re.DOTALL)]
    return {name: " ".join(text.split()) for name, text in found}


def described() -> dict[str, str | None]:
    """The description of each column and metric, as it stands in the YAML. Every column of a mart must have one."""
    found = {}
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.yml")):
        content = yaml.safe_load(path.read_text()) or {}
        for owner in [*content.get("models", []), *content.get("seeds", [])]:
            for column in owner.get("columns", []):
                text = column.get("description")
                if text or "marts" in path.parts:
                    found[f"{owner['name']}.{column['name']}"] = text and " ".join(text.split())
        found |= {f"metric {metric['name']}": metric.get("description") for metric in content.get("metrics", [])}
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "missing"),
        ("Closed-won orders.", "too short"),
        ("Of those, won by as_of.", "rests on 'Of'"),
        ("Upper end of the same.", "rests on 'of the same'"),
        ("Lower end of its 95 % interval.", "rests on 'end of its'"),
        ("Whether it was won by as_of.", "rests on 'Whether it'"),
        ("As in the input (UTC).", "rests on 'As in'"),
        ("Whether the opportunity was won by as_of.", None),
    ],
)
def test_a_fault_is_told(text: str | None, expected: str | None) -> None:
    assert fault(text) == expected


def test_each_description_can_be_read_without_its_neighbours() -> None:
    said = blocks()
    shown = {
        name: text and re.sub(r"{{ doc\('(\w+)'\) }}", lambda match: said[match[1]], text) for name, text in described().items()
    }
    assert len(shown) > 600
    assert {name: (fault(text), text) for name, text in shown.items() if fault(text)} == {}


def test_what_several_columns_share_is_described_once() -> None:
    literal = {name: text for name, text in described().items() if text and "{{ doc(" not in text}
    count = Counter([*literal.values(), *blocks().values()])
    assert {name: text for name, text in literal.items() if count[text] > 1} == {}


def test_every_docs_block_is_used() -> None:
    texts = [path.read_text() for folder in FOLDERS for path in (ROOT / folder).rglob("*.yml")]
    used = {name for text in texts for name in re.findall(r"doc\('(\w+)'\)", text)}
    assert set(blocks()) - used == {"__overview__"}


def test_every_mart_says_its_grain_first() -> None:
    contents = [yaml.safe_load(path.read_text()) or {} for path in (ROOT / "models" / "marts").rglob("*.yml")]
    marts = {model["name"]: model.get("description", "") for content in contents for model in content.get("models", [])}
    assert {name for name, text in marts.items() if not text.startswith("Grain: ")} == set()
