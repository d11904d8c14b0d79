"""Compare two states of the marts: `compare_states.py BEFORE AFTER [--marts a,b]`; exits 1 where they differ.

A state is a folder of Parquet files, one per mart, or a DuckDB file with the schema `marts`. Rows are compared as multisets:
decimals, text, dates and booleans exactly, doubles to 12 significant digits.
"""

import argparse
from collections import Counter
from pathlib import Path

import duckdb


def relations(state: Path) -> dict[str, str]:
    """The marts of a state: a name and what `from` takes."""
    if state.is_dir():
        return {file.stem: f"read_parquet('{file}')" for file in sorted(state.glob("*.parquet"))}
    with duckdb.connect(str(state), read_only=True) as connection:
        names = connection.sql("select table_name from information_schema.tables where table_schema = 'marts' order by 1")
        return {name: f"marts.{name}" for (name,) in names.fetchall()}


def rows(state: Path, relation: str) -> tuple[dict[str, str], list[tuple]]:
    """The columns of a relation with their types, and its rows in the order of the columns' names."""
    with duckdb.connect() if state.is_dir() else duckdb.connect(str(state), read_only=True) as connection:
        types = {name: kind for name, kind, *_ in connection.sql(f"describe from {relation}").fetchall()}
        listed = ", ".join(f'"{name}"' for name in sorted(types))
        found = connection.sql(f"select {listed} from {relation}").fetchall()
    return types, [tuple(f"{x:.12g}" if isinstance(x, float) else x for x in row) for row in found]


def differences(before: Path, after: Path, marts: list[str] | None = None) -> list[str]:
    """One sentence per difference; empty where both states hold the same rows."""
    old, new = relations(before), relations(after)
    found = [f"{name}: only in {before if name in old else after}" for name in sorted(old.keys() ^ new.keys()) if not marts]
    for name in sorted(marts or old.keys() & new.keys()):
        (old_types, old_rows), (new_types, new_rows) = rows(before, old[name]), rows(after, new[name])
        if old_types != new_types:
            found.append(f"{name}: columns differ: {sorted(old_types.items() ^ new_types.items())}")
            continue
        gone, come = Counter(map(repr, old_rows)), Counter(map(repr, new_rows))
        if gone != come:
            lost, won = gone - come, come - gone
            found.append(f"{name}: {lost.total()} of {len(old_rows)} rows are not in {after}, {won.total()} are new")
            found += [f"    - {row}" for row in list(lost)[:2]] + [f"    + {row}" for row in list(won)[:2]]
    return found


def main() -> None:
    """Print the differences and exit 1 where there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--marts", type=lambda text: text.split(","))
    options = parser.parse_args()
    found = differences(options.before, options.after, options.marts)
    print("\n".join(found) or f"{len(options.marts or relations(options.before))} marts have the same rows")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
