"""What dbt makes in each process before it works, made before any is forked; and what takes it long for no other result."""

from __future__ import annotations

import hashlib
import importlib.metadata
import marshal
import os
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.artifacts.resources.v1.config import Hook
from dbt.compilation import Linker
from dbt.contracts.project import Configuration, PackageConfig, ProfileConfig, Project, ProjectFlags
from dbt.contracts.selection import SelectorFile
from dbt.graph.graph import Graph
from dbt_common.behavior_flags import Behavior

TEMPLATES = Path(__file__).resolve().parents[2] / "target" / "tests" / "templates"
VERSIONS = [importlib.metadata.version(name) for name in ("dbt-core", "dbt-common", "jinja2")]

# The schemas that settings are checked by, and where each module lies: a flag without a source looks for who made it.
for contract in (Configuration, DuckDBCredentials, Hook, PackageConfig, ProfileConfig, Project, ProjectFlags, SelectorFile):
    contract.json_schema()
Behavior([{"name": "any", "default": True, "description": "any"}], {})

# A file that nobody reads.
Linker.get_graph_summary = lambda *_: {}
# A part of the graph is a copy: of a view, each edge is asked each time whether it belongs to it.
Graph.subgraph = lambda self, nodes: Graph(self.graph.subgraph(nodes).copy())


def _compiled_once(compile: Any = jinja2.Environment.compile) -> Any:
    """Templates are compiled once for all processes, as long as their text is the same."""

    def compiled(self: jinja2.Environment, source: Any, *args: Any, **options: Any) -> CodeType:
        if args or options or not isinstance(source, str):
            return compile(self, source, *args, **options)
        key = repr((VERSIONS, type(self).__qualname__, sorted(self.extensions), source))
        place = TEMPLATES / hashlib.sha256(key.encode()).hexdigest()
        try:
            return marshal.loads(place.read_bytes())
        except FileNotFoundError:
            code = compile(self, source)
        TEMPLATES.mkdir(parents=True, exist_ok=True)
        part = place.with_suffix(f".{os.getpid()}")
        part.write_bytes(marshal.dumps(code))
        part.replace(place)
        return code

    return compiled


jinja2.Environment.compile = _compiled_once()
