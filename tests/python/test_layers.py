"""Data flows one way: input, intermediate, learned, applied, marts, published. Orders and MRR wait for nothing learned."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from conftest import ROOT, BuildResult, build, copy_project, frame

LAYERS = ["seeds", "staging", "input", "intermediate", "learned", "applied", "quality", "marts", "published"]
# What is bought, renewed and paid, without its segment.
ORDER_CORE = ["int_orders__priced", "int_order_lines", "int_contracts", "int_accounts__monthly_activity", "int_customers"]


def layer(node: dict) -> str:
    """Where a seed or a model stands: by its folder; two Python models that nothing is learned by stand on their own."""
    alone = {"expectation_results": "quality", "published_marts": "published"}
    folder = Path(node["original_file_path"]).parts[:2]
    if node["name"] in alone:
        return alone[node["name"]]
    return {"seeds": "seeds", "python_models": "learned"}.get(folder[0], folder[1])


@pytest.fixture(scope="module")
def nodes(demo: BuildResult) -> dict[str, dict]:
    """The seeds and models of the project by id."""
    manifest = json.loads((demo.folder / "target" / "manifest.json").read_text(encoding="utf-8"))
    listed = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed")]
    for node in listed:  # what lies outside the project is in no layer
        node["depends_on"]["nodes"] = [key for key in node["depends_on"].get("nodes", []) if not key.startswith("source.")]
    return {node["unique_id"]: node for node in listed}


def above(nodes: dict[str, dict], name: str) -> set[str]:
    """The ids of all that a model is made from."""
    found, waiting = set(), [key for key, node in nodes.items() if node["name"] == name]
    while waiting:
        new = set(nodes[waiting.pop()]["depends_on"].get("nodes", [])) - found
        found |= new
        waiting += new
    return found


def test_no_layer_is_entered_twice(nodes: dict[str, dict]) -> None:
    backward = [
        f"{layer(nodes[parent])} {nodes[parent]['name']} -> {layer(node)} {node['name']}"
        for node in nodes.values()
        for parent in node["depends_on"].get("nodes", [])
        if LAYERS.index(layer(nodes[parent])) > LAYERS.index(layer(node))
    ]
    assert backward == []


def test_the_paths_of_the_architecture_are_those_of_the_graph(nodes: dict[str, dict]) -> None:
    """Each model stands in its layer's row, and a later one of its path is made from it."""
    by_name = {node["name"]: node for node in nodes.values()}
    table = (ROOT / "docs" / "architecture.md").read_text().split("## Three paths")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")][2:]
    for column in (1, 2, 3):
        path = [(row[0], name) for row in rows for name in re.findall(r"`(\w+)`", row[column]) if name in by_name]
        assert len(path) >= 9
        for number, (row, name) in enumerate(path):
            parents = {nodes[key]["name"] for _, later in path[number + 1 :] for key in by_name[later]["depends_on"]["nodes"]}
            assert layer(by_name[name]) == row, name
            assert name in parents or row == "published", name


@pytest.mark.parametrize("name", ORDER_CORE)
def test_orders_and_mrr_wait_for_nothing_that_is_learned(nodes: dict[str, dict], name: str) -> None:
    parents = above(nodes, name)
    assert parents
    assert [key for key in parents if nodes[key].get("language") == "python"] == []


@pytest.mark.slow
def test_a_broken_adopted_rule_leaves_orders_contracts_and_mrr_right(tmp_path: Path) -> None:
    adopted = {
        "adopted/adoption.csv": "1,2024-02-01,Ana,Ben,first,2024-01-31,files",
        "adopted/adopted_segments.csv": "1,s1,Small,small,tier_1,,,1,1,1,1,1,1,1",
        "adopted/adopted_segment_rules.csv": "1,s1,industry,resembles,x",
    }
    rows = {path: (ROOT / "seeds" / path).read_text().splitlines()[0] + f"\n{row}\n" for path, row in adopted.items()}
    files = tmp_path / "files"
    files.mkdir()
    (files / "accounts.csv").write_text("account_id,industry\nA1,x\nA2,y\n")
    (files / "orders.csv").write_text(
        "order_id,account_id,order_status,closed_at,amount,term_months\n1,A1,closed_won,2024-01-05,1200,12\n"
    )
    names = [*ORDER_CORE, "int_accounts__segments"]
    select = " ".join(f"+{name}" for name in names)
    project = copy_project(tmp_path / "project", rows)
    result = build(tmp_path / "build", files, project=project, select=select, unit_tests=False, check=False)
    assert result.returncode == 1
    assert "resembles" in result.stdout
    [order] = frame(result.database, "intermediate.int_orders__priced").to_dict("records")
    assert order["monthly_recurring_revenue"] == 100
    assert len(frame(result.database, "intermediate.int_customers")) == 1
    assert len(frame(result.database, "(select 1 from duckdb_tables() where table_name like 'int_accounts__segments%')")) == 0
