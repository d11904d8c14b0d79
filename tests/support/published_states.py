"""Small marts to publish, readers and publishers as processes, and what a complete state is."""

from __future__ import annotations

import hashlib
import json
import resource
import signal
from datetime import date
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import duckdb

from icp_refinery.publish import publish

MARTS = ["accounts", "orders", "nothing"]
SETTINGS = {"reporting_currency": "EUR", "reporting_cycle": "week", "connectors": ["files"], "sources": ["/company"]}


def publish_state(connection: duckdb.DuckDBPyConnection, folder: Path, number: int = 1, **options: Any) -> Path:
    """Publish marts whose rows all say `number`, as does `as_of` in the manifest."""
    connection.execute(f"update marts.accounts set number = {number}; update marts.orders set number = {number}")
    files = publish(connection, options.pop("marts", MARTS), folder, **SETTINGS | {"as_of": date.fromordinal(number)} | options)
    [state] = files["folder"].unique()
    return Path(state)


def open_marts(path: Path | str) -> duckdb.DuckDBPyConnection:
    """A database with small marts."""
    connection = duckdb.connect(str(path))
    connection.execute(
        """
        create schema marts;
        create table marts.accounts (account_id varchar, "a name" varchar, number integer, net_amount decimal(18, 4));
        create table marts.orders as select range as order_id, 'a' || range % 3 as account_id, 0 as number from range(5000);
        create table marts.nothing (seen_at timestamp, is_known boolean);
        create table marts.unlisted as select 1 as number;
        insert into marts.accounts values
            ('a0', 'O''Neill; <script>', 0, 0.1), ('a1', null, 0, 12345678901234.5678), ('a2', '名', 0, null);
        comment on table marts.accounts is 'Grain: an account, the customer''s';
        comment on column marts.accounts."a name" is 'Its "name"';
        comment on column marts.accounts.number is 'Of the build';
        """
    )
    return connection


def assert_complete(state: Path) -> dict[str, Any]:
    """Fail unless a state is what its manifest says; answer the manifest."""
    manifest = json.loads((state / "manifest.json").read_text(encoding="utf-8"))
    listed = {file["name"]: file for file in manifest["files"]}
    assert {path.name for path in state.iterdir()} == {*listed, "manifest.json"}
    for name, file in listed.items():
        content = (state / name).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest()), name
    with duckdb.connect(str(state / "icp.duckdb"), read_only=True) as connection:
        for name, file in listed.items():
            if name.endswith(".parquet"):
                table, parquet = f"marts.{Path(name).stem}", "'" + str(state / name).replace("'", "''") + "'"
                [(rows,)] = connection.execute(f"select count(*) from {table}").fetchall()
                different = f"(from {table} except all from {parquet}) union all (from {parquet} except all from {table})"
                assert (rows, connection.execute(different).fetchall()) == (file["rows"], []), name
    return manifest


def number_of(state: Path) -> set[int]:
    """All numbers in a state: one, where it is of one build."""
    manifest = assert_complete(state)
    with duckdb.connect(str(state / "icp.duckdb"), read_only=True) as connection:
        rows = connection.execute("select number from marts.accounts union select number from marts.orders").fetchall()
    return {number for (number,) in rows} | {date.fromisoformat(manifest["as_of"]).toordinal()}


def publish_for_ever(folder: Path, database: Path, first: int) -> None:
    with open_marts(database) as connection:
        number = first
        while True:
            publish_state(connection, folder, number, kept=3)
            number += 1


def publish_on_a_full_disk(folder: Path, room: int) -> None:
    """Publish where no file may have more than `room` bytes, as where a disk is full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    with open_marts(":memory:") as connection:
        publish_state(connection, folder, 2)


def publish_often(folder: Path, database: Path, numbers: range) -> None:
    with open_marts(database) as connection:
        for number in numbers:
            publish_state(connection, folder, number, kept=2)


def read_until(done: Event, states_seen: Any, folder: Path, answer: Any) -> None:
    """Read `current` until `done`; answer the number of the state that was seen each time, or what was wrong."""
    found = []
    try:
        while not done.is_set():
            # The link is followed once: then all files are of one state.
            [number] = number_of((folder / "current").resolve(strict=True))
            found.append(number)
            for _ in range(5000):
                (folder / "current" / "icp.duckdb").stat()
            # One file alone needs no care.
            with duckdb.connect(str(folder / "current" / "icp.duckdb"), read_only=True) as connection:
                numbers = connection.execute("select number from marts.accounts union select number from marts.orders").fetchall()
            assert len(numbers) == 1, numbers
            states_seen.value = len(set(found))
        answer.put(found)
    except BaseException as error:
        answer.put(repr(error))
        raise


def read_states_until(done: Event, folder: Path, answer: Any) -> None:
    """Look at all of `current` until `done`; answer how often, or what was wrong."""
    reads = 0
    try:
        while not done.is_set():
            assert_complete((folder / "current").resolve(strict=True))
            reads += 1
            done.wait(0.2)
        answer.put(reads)
    except BaseException as error:
        answer.put(repr(error))
        raise
