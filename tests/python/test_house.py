"""The house of the code: models on two screens, small modules that use one another by their public names only."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "icp_refinery"
MODULES = sorted(SOURCE.rglob("*.py"))
MOST_LINES = 400
TWO_SCREENS = 140
# What computes takes frames and returns frames; it knows no warehouse, no file and no page.
LEARNING_KNOWS = ("icp_refinery.learning", "icp_refinery.project")


def imports(module: Path) -> list[tuple[str, str]]:
    """The names that a module takes from the project's other modules, each with the module that it is taken from."""
    nodes = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    found = [(node.module or "", alias.name) for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
    return [(source, name) for source, name in found if source.split(".")[0] == "icp_refinery"]


def private_uses(module: Path) -> list[str]:
    """Private names of other modules that a module imports, or reaches for through a module that it imported."""
    taken = imports(module)
    modules = {name for source, name in taken if (SOURCE.parent / source.replace(".", "/") / f"{name}.py").exists()}
    nodes = ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    reached = [
        f"{node.value.id}.{node.attr}"
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
    ]
    return [f"{source}.{name}" for source, name in taken if name.startswith("_")] + [n for n in reached if "._" in n]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(SOURCE)))
def test_a_module_is_small_and_uses_no_private_name_of_another(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert private_uses(module) == []


def test_what_learns_knows_nothing_of_where_its_frames_come_from() -> None:
    for module in sorted((SOURCE / "learning").rglob("*.py")):
        assert [source for source, _ in imports(module) if not source.startswith(LEARNING_KNOWS)] == [], module


def test_packages_of_what_learns_import_none_of_their_own_modules() -> None:
    """Of two of dbt's threads, one that begins with the module and one that begins with its package would wait for each other."""
    packages = sorted((SOURCE / "learning").rglob("__init__.py"))
    assert len(packages) == 3
    assert [imports(package) for package in packages] == [[]] * 3


def test_a_model_fits_on_two_screens() -> None:
    lines = {
        model: len(model.read_text(encoding="utf-8").splitlines()) for model in (SOURCE.parents[1] / "models").rglob("*.sql")
    }
    assert {model.stem: count for model, count in lines.items() if count > TWO_SCREENS} == {}
    assert len(lines) > 150


def test_no_model_asks_by_exists_whether_one_of_its_ctes_has_rows() -> None:
    """DuckDB 2.0 stops reading such a CTE at its first row: of 1 million accounts, what else read it then waited for ever."""
    root = SOURCE.parents[1]
    found = [
        path.name
        for folder in ("models", "macros", "tests/singular", "tests/generic")
        for path in (root / folder).rglob("*.sql")
        if re.search(r"exists\s*\(\s*select 1\s+from \w+\s*\)", path.read_text(encoding="utf-8"))
    ]
    assert found == []
