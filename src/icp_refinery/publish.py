"""Publish the marts: a complete new state beside the one that readers see, then one step to it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from icp_refinery import permissions
from icp_refinery.emails import may_have_emails, without_emails
from icp_refinery.project import NOT_IN_PATHS

STORAGE_VERSION = "v1.4.0"  # of the DuckDB file: what readers of that version and newer can open
KEPT = 5  # states, with the current one
LEAST_AGE = timedelta(hours=1)  # since a state was current: who opened it may still open another file of it
LEAST_COMMON = 0.1  # of the fewer orders, for two states to be of one company
DEMO = ["sample"]  # the connectors of the demo company
FILES = {
    "file": "str",
    "folder": "str",
    "sha256": "str",
    "rows": "Int64",
    "bytes": "Int64",
    "published_at": "datetime64[us]",
}


def publish(
    connection: duckdb.DuckDBPyConnection,
    marts: Iterable[str],
    folder: Path,
    *,
    as_of: date | None,
    reporting_currency: str,
    reporting_cycle: str,
    connectors: Sequence[str],
    sources: Sequence[str],
    over: bool = False,
    kept: int = KEPT,
    schema: str = "marts",
    report: Callable[[Path | duckdb.DuckDBPyConnection, dict[str, Any]], dict[str, str]] | None = None,
    tables: Any = None,
) -> pd.DataFrame:
    """Write the committed tables `marts` of the schema `schema` as a new state, and move `folder/current` to it.

    A state is a folder `states/<time>-<random>` with `<mart>.parquet` for each mart, all of them in `icp.duckdb` (schema
    `marts`, with the comments), and `manifest.json`. It is on disk, complete, before the link moves; where anything
    fails, or the process is killed, the link stays. What a killed process left is removed by the next one. Publishers
    of one folder wait for each other. An e-mail address in a text is replaced (see `emails`). `as_of` is None where there is
    no event.

    `connectors` and `sources` say where the data came from. The demo company never replaces another's state; where `fct_orders`
    has hardly an order in common with the current state's, it is replaced only if `over`, or if it is the demo company's.

    `report` makes the texts of the report's pages, by file name, from the new `icp.duckdb` (with `tables`, a connection to them)
    and the manifest, whose `files` are those of the marts then.

    Kept are the `kept` newest states, the current one, and those that were current within `LEAST_AGE`.

    `tables` has the marts written as tables of a catalog (`dbt.adapters.icpspark.published`), which switches first: the state's
    folder then has the report and the manifest, which lists the tables.

    Returns one row per file with the columns `FILES`. Raises NotPublished where the current state must stay, ValueError where a
    mart is missing and OSError where the folder cannot be written.
    """
    folder = Path(folder).absolute()
    states, current = folder / "states", folder / "current"
    if any(mark in str(folder) for mark in NOT_IN_PATHS):
        raise NotPublished(
            f"The folder {folder} has a ? or a \\ in its name, which DuckDB does not open: name another (ICP_PUBLISHED)."
        )
    if current.exists() and not current.is_symlink():
        raise NotPublished(f"{current} is not the link that states are published by: move it away, and build again.")
    if not states.exists():
        states.mkdir(parents=True)
        for made in (states, folder):
            permissions.publish_to_readers(made, 0o777)
    with _locked(folder), ExitStack() as stack:
        _sweep(folder)
        before = _connectors_of(current)
        if connectors == DEMO and before not in (None, DEMO):
            raise NotPublished(
                f"{current} is the state of {' and '.join(before)}, which the demo company does not replace: name the connectors "
                "(--vars), or another folder (ICP_PUBLISHED)."
            )
        published_at = datetime.now(UTC)
        name = f"{published_at:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(4)}"
        unfinished = states / f"{name}.part"
        unfinished.mkdir()
        permissions.publish_to_readers(unfinished, 0o777)
        try:
            rows = tables.write(name) if tables else _write_marts(connection, marts, unfinished, schema)
            written = stack.enter_context(tables.opened() if tables else _opened(unfinished / "icp.duckdb"))
            orders_before = (tables and tables.rows_before("fct_orders")) or _rows_of(current / "fct_orders.parquet")
            if not over and before != DEMO and (common := _common_orders(written, orders_before)) < LEAST_COMMON:
                raise NotPublished(
                    f"{current} is of another company: {common:.0%} of the orders are the same. To replace it, say "
                    "--vars 'publish_over: true'; to keep it, name another folder (ICP_PUBLISHED)."
                )
            manifest = {
                "connectors": list(connectors),
                "sources": [_without_emails(source) for source in sources],
                "accounts": _fingerprint(written),
                "as_of": as_of and as_of.isoformat(),
                "published_at": published_at.isoformat(),
                "project_version": version("icp-refinery"),
                "reporting_currency": reporting_currency,
                "reporting_cycle": reporting_cycle,
                "files": [],
            }
            if tables:
                manifest["tables"] = [{"name": f"{tables.state}.{mart}", "rows": count} for mart, count in rows.items()]
                others = []
            else:
                manifest["files"] = [_described(unfinished / f"{mart}.parquet", count) for mart, count in rows.items()]
                others = [unfinished / "icp.duckdb"]
            if report is not None:
                for page, text in report(written if tables else unfinished / "icp.duckdb", manifest).items():
                    _write(unfinished / page, text)
                    others.append(unfinished / page)
            manifest["files"] += [_described(path) for path in others]
            _write(unfinished / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
            _sync(unfinished)
            unfinished.rename(states / name)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            if tables and tables.state:
                tables.drop(tables.state)
            raise
        _sync(states)
        if tables:
            tables.switch(manifest)
            tables.remove_old(kept, LEAST_AGE, published_at)
        _move_link(folder, name)
        _remove_old(folder, kept, published_at)
    files = manifest.get("tables", []) + manifest["files"]
    files = [{"file": file.pop("name"), "folder": str(states / name), "sha256": None, "bytes": None} | file for file in files]
    return pd.DataFrame(files).assign(published_at=published_at.replace(tzinfo=None))[list(FILES)].astype(FILES)


class NotPublished(Exception):
    """The current state stays; the message is one sentence that says why."""


def nothing_published() -> pd.DataFrame:
    """What `publish` returns, without a row."""
    return pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in FILES.items()})


def _write_marts(connection: duckdb.DuckDBPyConnection, marts: Iterable[str], folder: Path, schema: str) -> dict[str, int]:
    """Write `icp.duckdb` and the Parquet files; rows by mart. A cursor of its own: the caller's transaction stays as it is."""
    cursor = connection.cursor()
    new = f"publishing_{secrets.token_hex(4)}"
    cursor.execute(f"attach {_text(folder / 'icp.duckdb')} as {new} (read_write, storage_version '{STORAGE_VERSION}')")
    try:
        cursor.begin()
        cursor.execute(f"create schema {new}.marts")
        tables, columns = _tables(cursor, schema), _columns(cursor, schema)
        rows = {}
        for mart in sorted(marts):
            if mart not in tables:
                raise ValueError(f"There is no mart {mart}")
            table = f"{new}.marts.{_name(mart)}"
            of = f"from {_name(schema)}.{_name(mart)}"
            texts = [_name(column) for column, kind, _ in columns[mart] if kind == "VARCHAR"]
            if texts and cursor.execute(f"select bool_or({may_have_emails(texts)}) {of}").fetchall() == [(True,)]:
                replaced = ", ".join(f"{without_emails(text)} as {text}" for text in texts)
                selected = f"* replace ({replaced})"
            else:
                selected = "*"
            cursor.execute(f"create table {table} as select {selected} {of}")
            if tables[mart]:
                cursor.execute(f"comment on table {table} is {_text(tables[mart])}")
            for column, _, comment in columns[mart]:
                if comment:
                    cursor.execute(f"comment on column {table}.{_name(column)} is {_text(comment)}")
            # In one order, so that the same rows have the same checksum.
            copied = cursor.execute(f"copy (from {table} order by all) to {_text(folder / f'{mart}.parquet')} (format parquet)")
            [(rows[mart],)] = copied.fetchall()
        cursor.commit()
    except BaseException:
        cursor.rollback()
        raise
    finally:
        cursor.execute(f"detach {new}")
        cursor.close()
    return rows


def _within(schema: str) -> str:
    return f"database_name = current_database() and schema_name = {_text(schema)}"


def _tables(cursor: duckdb.DuckDBPyConnection, schema: str) -> dict[str, str | None]:
    """The comment on each mart."""
    found = [f"select {kind}_name, comment from duckdb_{kind}s() where {_within(schema)}" for kind in ("table", "view")]
    return dict(cursor.execute(" union all ".join(found)).fetchall())


def _columns(cursor: duckdb.DuckDBPyConnection, schema: str) -> dict[str, list[tuple[str, str, str | None]]]:
    """The columns of each mart in order: name, type, comment."""
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    query = "select table_name, column_name, data_type, comment from duckdb_columns()"
    for mart, *column in cursor.execute(f"{query} where {_within(schema)} order by 1, column_index").fetchall():
        found.setdefault(mart, []).append(tuple(column))
    return found


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str | Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _connectors_of(state: Path) -> list[str] | None:
    """The connectors that a state came from; None where there is no state, or it does not say."""
    try:
        return json.loads((state / "manifest.json").read_text(encoding="utf-8")).get("connectors")
    except FileNotFoundError:
        return None


def _opened(database: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(database), read_only=True)


def _rows_of(parquet: Path) -> str | None:
    return f"from read_parquet({_text(parquet)}, hive_partitioning = false)" if parquet.exists() else None


def _has(marts: duckdb.DuckDBPyConnection, mart: str) -> bool:
    query = "select count(*) from information_schema.tables where table_schema = 'marts' and table_name = ?"
    return marts.execute(query, [mart]).fetchall() == [(1,)]


def _common_orders(marts: duckdb.DuckDBPyConnection, before: str | None) -> float:
    """The share of the fewer orders that are in both the marts and the query `before`; 1 where nothing can be compared."""
    if before is None or not _has(marts, "fct_orders"):
        return 1.0
    [(were, are, both)] = marts.execute(
        f"with old as (select order_id from ({before})), new as (select order_id from marts.fct_orders)"
        " select (select count(*) from old), (select count(*) from new),"
        " (select count(*) from old where order_id in (select order_id from new))"
    ).fetchall()
    return both / max(min(were, are), 1) if were else 1.0


def _without_emails(text: str) -> str:
    """A folder's name, without the address that a synchronized drive puts into it."""
    with duckdb.connect() as session:
        query = f"select {without_emails('part')} from (select unnest(?) as part)"
        return "/".join(part for (part,) in session.execute(query, [text.split("/")]).fetchall())


def _fingerprint(marts: duckdb.DuckDBPyConnection) -> dict[str, Any] | None:
    """How many accounts there are, and a digest of their ids that is the same for the same accounts."""
    if not _has(marts, "dim_accounts"):
        return None
    query = "select count(*), lower(to_hex(bit_xor(md5_number(account_id)))) from marts.dim_accounts"
    [(count, digest)] = marts.execute(query).fetchall()
    return {"count": count, "fingerprint": digest}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process, however it ends."""
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(folder: Path) -> None:
    """Remove what killed publishers left. With the lock held, nothing of it is in use."""
    for unfinished in (folder / "states").glob("*.part"):
        shutil.rmtree(unfinished)
    for link in folder.glob(".current-*"):
        link.unlink()


def _remove_old(folder: Path, kept: int, now: datetime) -> None:
    """Remove the states after the `kept` newest, but not the current one, nor one replaced within `LEAST_AGE`."""
    states = sorted((path for path in (folder / "states").iterdir() if path.is_dir()), reverse=True)
    current = (folder / "current").resolve()
    for newer, state in reversed(list(pairwise(states[kept - 1 :]))):
        replaced_at = datetime.fromtimestamp(newer.stat().st_mtime, UTC)
        if state != current and now - replaced_at >= LEAST_AGE:
            shutil.rmtree(state.rename(state.with_name(f"{state.name}.part")))


def _move_link(folder: Path, name: str) -> None:
    """Let `current` point to a state, in one step; relative, so that the folder can be moved or mounted elsewhere."""
    link = folder / f".current-{secrets.token_hex(4)}"
    link.symlink_to(Path("states", name))
    os.replace(link, folder / "current")
    _sync(folder)


def _described(path: Path, rows: int | None = None) -> dict[str, Any]:
    """A file's line in the manifest; the file is sealed."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    _seal(path)
    return {"name": path.name, "rows": rows, "bytes": size, "sha256": digest}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    _seal(path)


def _seal(path: Path) -> None:
    """Let nobody write to a file any more, and wait until it is on disk."""
    permissions.publish_to_readers(path, 0o444)
    _sync(path)


def _sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
