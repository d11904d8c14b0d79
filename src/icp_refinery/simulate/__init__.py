"""A simulated B2B software vendor: the input contract's entities, with planted effects and their truth.

The demo company is made by

    icp simulate --mess --format csv --out seeds/sample --rejects tests/fixtures/sample_rejects.csv

What is planted (`SEGMENTS`, `BEHAVIOURS`): mid-market financial services are won often and buy long
contracts with add-ons and services; small media companies from paid social cost campaign money and
rarely pay; energy companies in EMEA are won often, but only in the last twelve months; government
buys in September, education in June and July. A webinar in the 90 days before a pursuit, a referral
and size help a little. No other trait has an effect.

Accounts are made in chunks of `CHUNK`. Each chunk's random stream follows from the seed and the
chunk's number, so memory is bounded and the result does not depend on the machine's threads.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from icp_refinery.simulate.accounts import draw_outcomes, draw_pursuits, draw_touches, draw_traits
from icp_refinery.simulate.files import TRUTH_SCHEMA, Writers, parquet_writer
from icp_refinery.simulate.mess import write_messy_world
from icp_refinery.simulate.records import (
    account_table,
    attribute_table,
    contact_table,
    event_tables,
    external_table,
    order_tables,
    shared_tables,
    truth_table,
)
from icp_refinery.simulate.sales import draw_orders
from icp_refinery.simulate.world import (
    ACCOUNTS,
    CHANNELS,
    CHUNK,
    LINES_PER_ACCOUNT,
    MONTHS,
    SEED,
    World,
    stream,
    world_of,
)

__all__ = [
    "ACCOUNTS",
    "LINES_PER_ACCOUNT",
    "MONTHS",
    "SEED",
    "TRUTH_SCHEMA",
    "simulate",
    "simulate_tables",
    "write_world",
]


def simulate(
    accounts: int = ACCOUNTS,
    months: int = MONTHS,
    seed: int = SEED,
    *,
    signal: bool = True,
    lines_per_account: float = LINES_PER_ACCOUNT,
) -> Iterator[dict[str, pa.Table]]:
    """Make a world part by part.

    Parameters
    ----------
    accounts : number of accounts, up to 9,999,999.
    months : length of the window; it ends on 2025-06-30.
    seed : same seed, same rows.
    signal : False for a world of the same shape in which no trait has an effect on anything.
    lines_per_account : order lines per account to aim at, 1.5 to 15 (at 42 months); more lines are more small
        customers on a monthly plan, the pursuits stay as they are.

    Yields
    ------
    dict of the contract's entities (and `truth`, see `TRUTH_SCHEMA`), one per `CHUNK` of accounts, then one
    with the entities that belong to no account.

    Raises
    ------
    ValueError
        If a setting is out of its range.
    """
    return _parts(world_of(accounts, months, seed, signal, lines_per_account))


def _parts(world: World) -> Iterator[dict[str, pa.Table]]:
    members = np.zeros(world.periods.size * len(CHANNELS), dtype=np.int64)
    made: dict[str, int] = {}
    for number in range(-(-world.accounts // CHUNK)):
        part, joined = _chunk(world, number, made)
        members += joined
        for entity, rows in part.items():
            made[entity] = made.get(entity, 0) + rows.num_rows
        yield part
    yield shared_tables(world, members)


def simulate_tables(accounts: int = ACCOUNTS, months: int = MONTHS, seed: int = SEED, **options) -> dict[str, pa.Table]:
    """The whole world in memory: one table per entity, and `truth`. Options and errors as in `simulate`."""
    parts: dict[str, list[pa.Table]] = {}
    for part in simulate(accounts, months, seed, **options):
        for entity, rows in part.items():
            parts.setdefault(entity, []).append(rows)
    return {entity: pa.concat_tables(rows) for entity, rows in parts.items()}


def write_world(
    out: Path,
    accounts: int = ACCOUNTS,
    months: int = MONTHS,
    seed: int = SEED,
    *,
    truth: Path | None = None,
    form: str = "parquet",
    mess: bool = False,
    rejects: Path | None = None,
    progress: Callable[[int], None] = lambda accounts: None,
    **options,
) -> None:
    """Write one file per entity into `out`.

    Parameters
    ----------
    truth : Parquet file for what was planted (`TRUTH_SCHEMA`).
    form : `parquet` or `csv`.
    mess : plant the mess of a real CRM; CSV only, as Parquet cannot hold an unreadable date.
    rejects : CSV file for the rejects that the mess leads to.
    progress : called with the number of accounts done so far.

    The rest, and the errors, are those of `simulate`; ValueError too for mess in Parquet.
    """
    if mess:
        if form != "csv":
            raise ValueError("Parquet cannot hold unreadable dates and numbers: mess needs the format csv")
        tables = simulate_tables(accounts, months, seed, **options)
        planted = tables.pop("truth")
        write_messy_world(out, tables, seed, rejects)
        if truth:
            truth.parent.mkdir(parents=True, exist_ok=True)
            with parquet_writer(truth, planted.schema) as file:
                file.write_table(planted)
        progress(accounts)
        return
    if rejects:
        raise ValueError("a world without mess has no rejects to write")
    parts = simulate(accounts, months, seed, **options)
    done = 0
    with Writers(out, form) as files:
        truth_file = None
        if truth:
            truth.parent.mkdir(parents=True, exist_ok=True)
        for part in parts:
            planted = part.pop("truth", None)
            for entity, rows in part.items():
                files.add(entity, rows)
            if planted is not None:
                if truth:
                    truth_file = truth_file or files.stack.enter_context(parquet_writer(truth, planted.schema))
                    truth_file.write_table(planted, row_group_size=planted.num_rows)
                done += planted.num_rows
                progress(done)


def _chunk(world: World, number: int, made: dict[str, int]) -> tuple[dict[str, pa.Table], np.ndarray]:
    """Everything that belongs to one chunk of accounts, and how many joined each campaign."""
    rng = stream(world, 0, number)
    n = min(CHUNK, world.accounts - number * CHUNK)
    account = number * CHUNK + np.arange(n) + 1
    traits = draw_traits(rng, world, n)
    plan = draw_pursuits(rng, world, traits)
    events, joined = draw_touches(rng, world, traits, plan)
    won = draw_outcomes(rng, world, traits, plan, events)
    orders, lines, deals = draw_orders(rng, world, traits, plan)
    part = {
        "accounts": account_table(rng, account, traits, plan),
        "account_external_ids": external_table(rng, account),
        "account_attributes": attribute_table(rng, world, account, plan, orders),
        "contacts": contact_table(rng, world, account, traits, plan),
        **order_tables(rng, world, account, traits, orders, lines, deals, made),
        **event_tables(world, account, plan, events, made),
        "truth": truth_table(world, account, traits, plan, won),
    }
    return part, joined
