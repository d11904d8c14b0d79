"""From relations to verdicts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from icp_refinery.apart import apart
from icp_refinery.expectations.judge import RESULT_TYPES, not_published
from icp_refinery.expectations.over_time import over_time
from icp_refinery.expectations.suites import SUITES, read_suites

SAMPLED_ROWS = 20_000


def evaluate(
    session: duckdb.DuckDBPyConnection,
    relations: Mapping[str, duckdb.DuckDBPyRelation],
    published: Path | None = None,
    docs: Path | None = None,
    suites: Traversable = SUITES,
) -> pd.DataFrame:
    """One row per expectation, in the columns of `RESULT_TYPES`.

    `relations` are what the suites read, by name; `int_as_of` is one of them. `published` is the folder of the last published
    state, whose marts are `published_<mart>`; where it is not there, or there is too little data, `is_passed` is missing and
    `observed` says why. The Data Docs go to the folder `docs`, if given, which is replaced.
    """
    read = read_suites(suites)
    compared, sampled, unjudged = [], [], []
    with _named(session, relations, published) as names:
        ends_at = session.sql("select ends_at from int_as_of").fetchall()[0][0]
        for suite in read:
            over = [item for item in suite["expectations"] if "type" not in item]
            rows = [item for item in suite["expectations"] if "type" in item]
            if any(needed not in names for needed in suite.get("needs", [])):
                unjudged.append(suite)
                continue
            if over:
                compared.append((suite, over, over_time(session, suite, over, ends_at)))
            if rows:
                sampled.append((suite, rows, _sample(session, suite, rows)))
    found = apart("icp_refinery.expectations.judge:judge", compared, sampled, docs)
    found += [not_published(suite, item) for suite in unjudged for item in suite["expectations"]]
    order = {item["name"]: number for number, item in enumerate(i for suite in read for i in suite["expectations"])}
    found.sort(key=lambda row: order[row["expectation"]])
    return pd.DataFrame(found, columns=list(RESULT_TYPES)).astype(RESULT_TYPES)


@contextmanager
def _named(
    session: duckdb.DuckDBPyConnection, relations: Mapping[str, duckdb.DuckDBPyRelation], published: Path | None
) -> Iterator[set[str]]:
    """The relations, and the published marts, under the names that suites give them."""
    named = dict(relations)
    for file in sorted(published.glob("*.parquet")) if published is not None and published.is_dir() else []:
        named[f"published_{file.stem}"] = session.read_parquet(str(file), hive_partitioning=False)
    for name, relation in named.items():
        session.register(name, relation)
    try:
        yield set(named)
    finally:
        for name in named:
            session.unregister(name)


def _sample(session: duckdb.DuckDBPyConnection, suite: Mapping[str, Any], items: list[dict[str, Any]]) -> pd.DataFrame:
    """What is asked of the rows of a suite, numbers as doubles: those whose id comes first by its hash."""
    key = suite["id"]
    asked = {item["arguments"].get(name) for item in items for name in ("column", "column_A", "column_B")} - {None, key}
    frame = session.sql(f"select * from ({suite['from']}) order by md5({key}), {key} limit {SAMPLED_ROWS}")
    kinds = dict(zip(frame.columns, map(str, frame.types), strict=True))
    columns = [
        f'cast("{name}" as double) as "{name}"' if kinds[name].startswith("DECIMAL") else f'"{name}"'
        for name in (key, *sorted(asked))
    ]
    return frame.project(", ".join(columns)).df()
