"""What dbt makes in each process before it works, made before any is forked; and what takes it long for no other result."""

from __future__ import annotations

import atexit
import gc
import hashlib
import importlib.metadata
import marshal
import os
import pickle
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import get_ident
from types import CodeType
from typing import Any

import dbt.include.duckdb
import dbt.include.global_project
import jinja2
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.artifacts.resources.v1.components import Contract
from dbt.artifacts.resources.v1.config import Hook
from dbt.clients.jinja import MacroGenerator
from dbt.clients.jinja_static import statically_extract_macro_calls
from dbt.compilation import Linker
from dbt.context import base, macros
from dbt.contracts.graph import nodes, unparsed
from dbt.contracts.project import Configuration, PackageConfig, ProfileConfig, Project, ProjectFlags
from dbt.contracts.selection import SelectorFile
from dbt.graph.graph import Graph
from dbt.plugins.manager import PluginManager
from dbt_common import tests
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.clients import agate_helper, jinja
from dbt_common.contracts.config.base import BaseConfig
from dbt_common.dataclass_schema import dbtClassMixin
from dbt_common.events.base_types import BaseEvent, DebugLevel, EventLevel
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import get_event_manager

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "target" / "tests" / "templates"
VERSIONS = [importlib.metadata.version(name) for name in ("dbt-core", "dbt-common", "jinja2")]


def _below(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


# The schemas that settings and nodes are checked by, and what reads and writes them: each is written and compiled at first use.
CONTRACTS = {Configuration, DuckDBCredentials, Hook, PackageConfig, ProfileConfig, Project, ProjectFlags, SelectorFile}
CONTRACTS |= {nodes.GenericTestNode, nodes.HookNode, nodes.ModelNode, nodes.SeedNode, nodes.SingularTestNode, *_below(BaseConfig)}
CONTRACTS |= {unparsed.UnparsedExposure, unparsed.UnparsedMetric, unparsed.UnparsedModelUpdate, unparsed.UnparsedNodeUpdate}
CONTRACTS |= {unparsed.UnparsedSemanticModel, unparsed.UnparsedSourceDefinition, unparsed.UnparsedUnitTest, Contract}
for contract in CONTRACTS:
    contract.json_schema()
for kind in _below(dbtClassMixin):
    with suppress(Exception):
        kind.from_dict({})
    with suppress(Exception):
        kind.__new__(kind).to_dict()

# dbt's plugins are looked for among all modules that can be imported: there are none.
PluginManager.get_prefixed_modules = staticmethod(dict)
# As in dbt's own tests, what was read of a macro is kept: here of all of dbt's and of the project's.
tests.enable_test_caching()
BLOCKS = {"macro", "materialization", "test", "data_test"}
for package in (*dbt.include.duckdb.__path__, *dbt.include.global_project.__path__, ROOT):
    for path in Path(package, "macros").rglob("*.sql"):
        for block in jinja.extract_toplevel_blocks(path.read_text(), BLOCKS, collect_raw_data=False):
            jinja.parse(block.full_block)
            statically_extract_macro_calls(block.full_block, {})

# A flag without a source asks each module where it lies, to find who made it.
BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt")
# Tables cannot be changed: of no rows and columns, one does for all; so does what finds out the type of a column.
EMPTY = agate_helper.empty_table()
agate_helper.empty_table = lambda: EMPTY
TESTERS = cache(agate_helper.build_type_tester)
agate_helper.build_type_tester = lambda text_columns, **missing: TESTERS(tuple(text_columns), **missing)
# The contract is written in YAML, and read some hundred times: each gets a copy of its own.
YAML = cache(lambda text, load=base.safe_load: pickle.dumps(load(text)))
base.safe_load = lambda text: pickle.loads(YAML(text))
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
        part = place.with_suffix(f".{os.getpid()}.{get_ident()}")  # of a thread: two may compile the same
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
