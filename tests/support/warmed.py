"""What dbt makes in each process before it works, made before any is forked; and what takes it long for no other result."""

from __future__ import annotations

import atexit
import gc
import hashlib
import importlib.metadata
import marshal
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any

import jinja2
from dbt.adapters.contracts import relation
from dbt.adapters.duckdb.credentials import DuckDBCredentials, PluginConfig
from dbt.adapters.duckdb.relation import DuckDBRelation
from dbt.artifacts.resources.v1.config import Hook
from dbt.clients.jinja import MacroGenerator
from dbt.compilation import Linker
from dbt.context import macros
from dbt.contracts.project import Configuration, PackageConfig, ProfileConfig, Project, ProjectFlags
from dbt.contracts.selection import SelectorFile
from dbt.graph.graph import Graph
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.clients import agate_helper
from dbt_common.events.base_types import BaseEvent, DebugLevel, EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import get_event_manager

TEMPLATES = Path(__file__).resolve().parents[2] / "target" / "tests" / "templates"
VERSIONS = [importlib.metadata.version(name) for name in ("dbt-core", "dbt-common", "jinja2")]

# The schemas that settings are checked by, and what reads them: it is written and compiled at first use.
CONTRACTS = (Configuration, DuckDBCredentials, Hook, PackageConfig, ProfileConfig, Project, ProjectFlags, SelectorFile)
for contract in CONTRACTS:
    contract.json_schema()
for read in (*CONTRACTS, DuckDBRelation, relation.Path, relation.Policy, PluginConfig):
    with suppress(Exception):
        read.from_dict({})
# A flag without a source asks each module where it lies, to find who made it.
BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")
# Tables cannot be changed: of no rows and columns, one does for all.
EMPTY = agate_helper.empty_table()
agate_helper.empty_table = lambda: EMPTY
# A file that nobody reads.
Linker.get_graph_summary = lambda *_: {}
# A part of the graph is a copy: of a view, each edge is asked each time whether it belongs to it.
Graph.subgraph = lambda self, nodes: Graph(self.graph.subgraph(nodes).copy())


class _Namespace(dict):
    """All macros of a node by name, found at once: dbt looks for each of 800 in five places for each node."""

    def __init__(self, global_namespace: dict, local_namespace: dict, global_project_namespace: dict, packages: dict) -> None:
        named = {macros.GLOBAL_PROJECT_NAME: global_project_namespace}
        super().__init__(global_project_namespace | named | packages | global_namespace | local_namespace)
        self.packages, self.global_project_namespace = packages, global_project_namespace

    get_from_package = macros.MacroNamespace.get_from_package


macros.MacroNamespace = _Namespace


def _generator(self: MacroGenerator, macro: Any, context: Any = None, node: Any = None, stack: Any = None) -> None:
    self.macro, self.context, self.node, self.stack = macro, context, node, stack


MacroGenerator.__init__ = _generator


def _add_macros(self: macros.MacroNamespaceBuilder, of_package: Iterable[Any], context: dict) -> None:
    """All macros of a package at once: dbt asks each of 800, for each node, where it belongs."""
    made = {macro.name: MacroGenerator(macro, context, self.node, self.thread_ctx) for macro in of_package}
    for package in {generator.macro.package_name for generator in made.values()}:
        if package in self.internal_package_names:
            self.internal_packages[package] = made
            continue
        self.packages[package] = made
        if package == self.search_package:
            self.locals = made
        elif package == self.root_package:
            self.globals = made


macros.MacroNamespaceBuilder.add_macros = _add_macros


def _of_what_is_heard(make: Any = BaseEvent.__init__, fire: Any = EventManager.fire_event) -> None:
    """What is only for debugging is made and worded where somebody listens to it."""

    def is_heard(level: EventLevel) -> bool:
        return level != EventLevel.DEBUG or any(logger.level == EventLevel.DEBUG for logger in get_event_manager().loggers)

    def made(self: DebugLevel, *args: Any, **values: Any) -> None:
        if is_heard(EventLevel.DEBUG):
            make(self, *args, **values)

    def fired(self: EventManager, event: Any, level: EventLevel | None = None, *args: Any, **options: Any) -> None:
        if is_heard(level or event.level_tag()):
            fire(self, event, level, *args, **options)

    DebugLevel.__init__, EventManager.fire_event = made, fired


_of_what_is_heard()


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


# Of all that, a forked process need not look for garbage, and of what it makes little is. Last, as nothing is preloaded later.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 50)
atexit.register(gc.unfreeze)
