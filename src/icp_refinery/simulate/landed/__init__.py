"""A simulated company as a loader lands it from a CRM, beside the files of the contract that its mapping must reproduce."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from icp_refinery.simulate import simulate_tables
from icp_refinery.simulate.landed import hubspot, salesforce
from icp_refinery.simulate.landed.tables import Rows, Table, write_database, write_files

LOADERS = ("fivetran", "airbyte", "dlt")


class Tool(NamedTuple):
    """How a tool's data are simulated.

    `canonical`: what of the simulated company's rows, by entity, the tool can hold and the loader lands.
    `land`: the loader's tables of those, from a random stream, with or without mess. What the mess adds to the input goes
    into the files.
    """

    canonical: Callable[[Rows, str], Rows]
    land: Callable[[Rows, str, np.random.Generator, bool], list[Table]]


TOOLS = {"hubspot": Tool(hubspot.canonical, hubspot.land), "salesforce": Tool(salesforce.canonical, salesforce.land)}
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
    tables = simulate_tables(accounts, months, seed, **options)
    tables.pop("truth")
    tool = TOOLS[name]
    files = tool.canonical({entity: rows.to_pylist() for entity, rows in tables.items()}, loader)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(3,)))
    landed = tool.land(files, loader, rng, mess)
    out.mkdir(parents=True, exist_ok=True)
    write_files(out / "files", files)
    write_database(out / "landed.duckdb", name, landed)
