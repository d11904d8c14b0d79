"""A simulated company as a loader lands it from a CRM, beside the files of the contract that its mapping must reproduce."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from icp_refinery.simulate import simulate_tables
from icp_refinery.simulate.landed import hubspot, salesforce
from icp_refinery.simulate.landed.tables import Rows, Table, write_database, write_files

LOADERS = ("fivetran", "airbyte", "dlt")


class Tool(NamedTuple):
    """How a tool's data are simulated.

    `canonical`: what of the simulated company's rows, by entity, the tool can hold and the loader lands.
    `records`: the tool's records of those, from a random stream, with or without mess. What the mess adds to the input goes
    into the files.
    `tables`: the loader's tables of these records.
    """

    canonical: Callable[[Rows, str], Rows]
    records: Callable[[Rows, str, np.random.Generator, bool], Any]
    tables: Callable[[Any, str, np.random.Generator, bool], list[Table]]


TOOLS = {tool.__name__.rpartition(".")[2]: Tool(tool.canonical, tool.records, tool.tables) for tool in (hubspot, salesforce)}
LAYOUTS = [f"{tool}-{loader}" for tool in ("hubspot", "salesforce") for loader in LOADERS]


def write_landed(out: Path, layout: str, accounts: int, months: int, seed: int, *, mess: bool = False, **options) -> None:
    """Write `landed.duckdb`, with one schema named after the tool, and `files/`, the same company in the input contract's layout.

    Parameters
    ----------
    layout : one of `LAYOUTS`.
    mess : with what real accounts have: deleted and merged records, old versions, several companies per deal, missing columns.

    The rest, and the errors, are those of `simulate`.
    """
    name, _, loader = layout.partition("-")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
    files, records = simulate_records(layout, accounts, months, seed, rng, mess=mess, **options)
    write_files(out / "files", files)
    write_database(out / "landed.duckdb", name, TOOLS[name].tables(records, loader, rng, mess))


def simulate_records(
    layout: str, accounts: int, months: int, seed: int, rng: np.random.Generator, *, mess: bool = False, **options
) -> tuple[Rows, Any]:
    """The rows of the files, and the records of the tool: by object, rows (HubSpot) or types and rows (Salesforce)."""
    name, _, loader = layout.partition("-")
    tables = simulate_tables(accounts, months, seed, **options)
    tables.pop("truth")
    files = TOOLS[name].canonical({entity: rows.to_pylist() for entity, rows in tables.items()}, loader)
    return files, TOOLS[name].records(files, loader, rng, mess)
