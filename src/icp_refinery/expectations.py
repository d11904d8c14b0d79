"""What SQL tests say badly: whether the data still looks like itself.

The suites are the YAML files in `tests/expectations/`; docs/quality.md describes them. Two kinds of expectation:

- *over time*: a measure (`volume`, `share`, `level`, `mix`) of the latest twelve months, one by one and the last 3, 6 and 12
  together, is set beside the twelve months before each. How far it may move follows from the data: five standard errors,
  twice the largest jump that older months have seen, and a change that matters (`change`), whichever is the most. SQL adds up
  a row per month, so memory does not grow with the data.
- *rows*: any expectation of Great Expectations, on at most `SAMPLED_ROWS` rows, chosen by a hash of the id.

Great Expectations judges both and writes its Data Docs; its import takes seconds and happens only in `evaluate`.
"""

from __future__ import annotations

import html
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import yaml

SAMPLED_ROWS = 20_000
LATEST, BEFORE = 12, 12  # months that are judged, and months that each is set beside
WIDTHS = (3, 6, 12)  # months that are judged together
LEAST_EARLIER = 6  # older comparisons, for the largest jump of the past to mean something
LEAST_NOW, LEAST_BEFORE = 20, 50  # rows, for a share or a level to be compared
LEAST_COUNT = 10.0  # rows expected, for a volume to be compared
LEAST_ROWS = 30  # rows, for a share of them to be judged
ERRORS = 5.0  # standard errors; the some thousand comparisons of a build then give one false alarm in a thousand builds
PAST_JUMPS = 2.0
MIX_VALUES = 25  # most frequent values; the others are taken together
MIX_FACTOR, MIX_LEAST = 4.0, 0.05  # a value becoming so many times rarer or more frequent matters too, from this share on
KEYS = 5
NOT_ENOUGH = "not enough data"
KINDS = ("volume", "share", "level", "mix")

RESULT_TYPES = {
    "suite": "str",
    "expectation": "str",
    "relation": "str",
    "column_name": "str",
    "severity": "str",
    "says": "str",
    "observed": "str",
    "expected": "str",
    "because": "str",
    "failing_keys": "str",
    "is_passed": "boolean",
    "checked_count": "int64",
    "failing_count": "int64",
}


def read_suites(folder: Path) -> list[dict[str, Any]]:
    """The suites in the YAML files of a folder, by file name.

    Raises ValueError, which names the file, where a suite lacks what it needs.
    """
    suites = []
    for path in sorted(folder.glob("*.yml")):
        suite = yaml.safe_load(path.read_text(encoding="utf-8"))
        for key in ("suite", "relation", "from", "expectations"):
            if not suite.get(key):
                raise ValueError(f"{path.name} has no `{key}`.")
        for item in suite["expectations"]:
            name = item.get("name")
            kinds = [kind for kind in (*KINDS, "type") if kind in item]
            if not name or len(kinds) != 1:
                raise ValueError(f"{path.name}: an expectation needs a name and one of {', '.join(KINDS)}, type: {name or item}.")
            if item.get("severity") not in ("critical", "warning"):
                raise ValueError(f"{path.name}: the severity of {name} is not critical or warning.")
            if lacking := [key for key in ("says", "because") if not item.get(key)]:
                raise ValueError(f"{path.name}: {name} has no `{lacking[0]}`.")
            if "type" not in item and "at" not in suite:
                raise ValueError(f"{path.name}: {name} is over time, and the suite has no `at`.")
        suites.append(suite)
    names = [item["name"] for suite in suites for item in suite["expectations"]]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Two expectations have the name {twice[0]}.")
    return suites


def evaluate(
    session: duckdb.DuckDBPyConnection,
    relations: Mapping[str, duckdb.DuckDBPyRelation],
    suites: Path,
    published: Path | None = None,
    docs: Path | None = None,
) -> pd.DataFrame:
    """One row per expectation, in the columns of `RESULT_TYPES`.

    `relations` are what the suites read, by name; `int_as_of` is one of them. `published` is the folder of the last published
    state, whose marts are `published_<mart>`; where it is not there, or there is too little data, `is_passed` is missing and
    `observed` says why. The Data Docs go to the folder `docs`, if given, which is replaced.
    """
    read = read_suites(suites)
    frames = []
    with _named(session, relations, published) as names:
        ends_at = session.sql("select ends_at from int_as_of").fetchall()[0][0]
        for suite in read:
            for part in ("over time", "rows"):
                items = [item for item in suite["expectations"] if ("type" in item) == (part == "rows")]
                if not items:
                    continue
                if any(needed not in names for needed in suite.get("needs", [])):
                    frames.append((suite, part, items, None))
                    continue
                judged = _over_time(session, suite, items, ends_at) if part == "over time" else _sample(session, suite)
                frames.append((suite, part, items, judged))
    rows = [row for result in _judge(frames, docs) for row in result]
    order = {item["name"]: number for number, item in enumerate(i for suite in read for i in suite["expectations"])}
    rows.sort(key=lambda row: order[row["expectation"]])
    return pd.DataFrame(rows, columns=list(RESULT_TYPES)).astype(RESULT_TYPES)


@contextmanager
def _named(
    session: duckdb.DuckDBPyConnection, relations: Mapping[str, duckdb.DuckDBPyRelation], published: Path | None
) -> Iterator[set[str]]:
    """The relations, and the published marts, under the names that suites give them."""
    named = dict(relations)
    for file in sorted(published.glob("*.parquet")) if published is not None and published.is_dir() else []:
        named[f"published_{file.stem}"] = session.read_parquet(str(file))
    for name, relation in named.items():
        session.register(name, relation)
    try:
        yield set(named)
    finally:
        for name in named:
            session.unregister(name)


def _sample(session: duckdb.DuckDBPyConnection, suite: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of a suite, numbers as doubles, whichever the hash of the id comes first."""
    key = suite["id"]
    frame = session.sql(f"select * from ({suite['from']}) order by md5({key}), {key} limit {SAMPLED_ROWS}")
    columns = [
        f'cast("{name}" as double) as "{name}"' if str(kind).startswith("DECIMAL") else f'"{name}"'
        for name, kind in zip(frame.columns, frame.types, strict=True)
    ]
    return frame.project(", ".join(columns)).df()


# --- over time ------------------------------------------------------------------------------------------------------------


def _over_time(
    session: duckdb.DuckDBPyConnection, suite: Mapping[str, Any], items: list[dict[str, Any]], ends_at: pd.Timestamp
) -> pd.DataFrame:
    """One row per expectation, value and comparison of the latest year, the largest `surprise` (1 may just be) first."""
    sums = _monthly_sums(session, suite, items, ends_at)
    compared = []
    for item in items:
        own = sums[sums["expectation"] == item["name"]]
        if own.empty:
            continue
        # A month that has only begun has no volume to compare yet.
        last = pd.Period(ends_at, "M") - 1
        span = pd.period_range(own["month"].min(), last, freq="M")
        accepted = [pd.Period(month, "M") for month in item.get("accepted", {})]
        for value, rows in own.groupby("value", sort=True):
            months = rows.set_index("month")[["n", "total", "squares"]].reindex(span, fill_value=0.0)
            compared += [{"expectation": item["name"], "value": value} | row for row in _compare(item, months, accepted)]
    columns = ["expectation", "value", "months", "n", "before", "observed", "lowest", "highest", "surprise"]
    return pd.DataFrame(compared, columns=columns).sort_values("surprise", ascending=False, kind="stable")


def _monthly_sums(
    session: duckdb.DuckDBPyConnection, suite: Mapping[str, Any], items: list[dict[str, Any]], ends_at: pd.Timestamp
) -> pd.DataFrame:
    """A row per expectation, value (of a mix) and month: `n`, and the sum and sum of squares of what is measured."""
    weight = suite.get("weight", "1")
    source = f"""
        select date_trunc('month', cast({suite["at"]} as timestamp)) as at_month, {weight} as row_weight, *
        from ({suite["from"]}) where {suite["at"]} < timestamp '{ends_at:%Y-%m-%d %H:%M:%S}'
    """
    measured = [item for item in items if "mix" not in item]
    sums = []
    for number, item in enumerate(measured):
        expression = "1" if "volume" in item else item.get("share") or item["level"]
        value = f"cast({expression} as double)"
        if "level" in item:
            value = f"ln(nullif(abs({value}), 0))"
        where = f"case when {item['where']} then row_weight else 0 end" if "where" in item else "row_weight"
        sums += [
            f"sum(case when {value} is not null then {where} else 0 end) as n_{number}",
            f"sum({where} * coalesce({value}, 0)) as total_{number}",
            f"sum({where} * coalesce({value}, 0) * coalesce({value}, 0)) as squares_{number}",
        ]
    frames = []
    if measured:
        wide = session.sql(f"select at_month, {', '.join(sums)} from ({source}) group by at_month order by at_month").df()
        for number, item in enumerate(measured):
            columns = {f"{name}_{number}": name for name in ("n", "total", "squares")}
            frame = wide[["at_month", *columns]].rename(columns=columns).astype({name: float for name in columns.values()})
            frames.append(frame.assign(expectation=item["name"], value=""))
    for item in items:
        if "mix" in item:
            frames.append(_mix_sums(session, source, item))
    long = pd.concat(frames, ignore_index=True)
    return long.assign(month=pd.PeriodIndex(long["at_month"], freq="M"))


def _mix_sums(session: duckdb.DuckDBPyConnection, source: str, item: Mapping[str, Any]) -> pd.DataFrame:
    """Monthly sums of the share of each frequent value, the others together; a missing value does not count."""
    counts = session.sql(f"""
        with counted as (
            select at_month, cast({item["mix"]} as varchar) as value, sum(row_weight) as total
            from ({source}) where {item["mix"]} is not null group by 1, 2
        ),
        frequent as (select value from counted group by value order by sum(total) desc, value limit {MIX_VALUES})
        select counted.at_month, coalesce(frequent.value, '(other)') as value, cast(sum(counted.total) as double) as total
        from counted left join frequent on counted.value = frequent.value group by 1, 2 order by 1, 2
    """).df()
    every = counts.groupby("at_month")["total"].sum()
    grid = counts.set_index(["at_month", "value"])["total"].unstack(fill_value=0.0).stack().rename("total").reset_index()
    return grid.assign(n=grid["at_month"].map(every), squares=grid["total"], expectation=item["name"])


def _compare(item: Mapping[str, Any], months: pd.DataFrame, accepted: list[pd.Period]) -> Iterator[dict[str, Any]]:
    """The comparisons of one measure whose month by month sums are given; those that lack ground are left out."""
    sums = np.vstack([np.zeros(3), np.cumsum(months.to_numpy(dtype=float), axis=0)])
    length = len(months)
    for width in (1, *WIDTHS):
        ends = np.arange(BEFORE + width, length + 1)  # the first month after each window
        starts = ends - width
        now, before = sums[ends] - sums[starts], sums[starts] - sums[starts - BEFORE]
        year_ago = sums[ends - BEFORE, 0] - sums[starts - BEFORE, 0]
        moved = _moved(item, now, before, year_ago, width)
        straddles = np.zeros(len(ends), dtype=bool)
        for month in accepted:
            place = (month - months.index[0]).n
            straddles |= (starts - BEFORE < place) & (place < ends)
        z = np.where(straddles, np.nan, moved["z"])
        past = np.abs(z[ends <= length - LATEST])
        past = past[np.isfinite(past)]
        if len(past) < LEAST_EARLIER:
            continue
        bound = max(ERRORS, PAST_JUMPS * past.max())
        judged = ends > length - LATEST if width == 1 else ends == length
        for at in np.flatnonzero(judged & np.isfinite(z)):
            first, last = months.index[starts[at]], months.index[ends[at] - 1]
            yield {
                "months": str(first) if width == 1 else f"{first} to {last}",
                "n": now[at, 0],
                "before": moved["before"][at],
                "observed": moved["observed"][at],
                **_room(item, moved, at, bound),
                "surprise": min(abs(z[at]) / bound, moved["change"][at]),
            }


def _moved(
    item: Mapping[str, Any], now: np.ndarray, before: np.ndarray, year_ago: np.ndarray, width: int
) -> dict[str, np.ndarray]:
    """Each window beside the months before it: the measure, its change in standard errors (`z`; missing without ground) and in
    units of the change that matters (`change`).

    A volume may lie anywhere between the average of the year before and the same months a year ago: neither growth nor a season
    is a surprise.
    """
    n, m = now[:, 0], before[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        if "volume" in item:
            average = m * width / BEFORE
            expected = np.clip(n, np.minimum(average, year_ago), np.maximum(average, year_ago))
            error = np.full(len(n), np.sqrt(1 + width / BEFORE) / 2)
            z = (_root(n + np.clip(expected - n, -0.5, 0.5)) - _root(expected)) / error
            change = np.abs(np.log((n + 0.5) / (expected + 0.5))) / np.log(item["change"])
            z = np.where(expected >= LEAST_COUNT, z, np.nan)
            return {
                "n": n,
                "observed": n,
                "before": expected,
                "middle": _root(expected),
                "error": error,
                "z": z,
                "change": change,
            }
        mean, earlier = now[:, 1] / n, before[:, 1] / m
        ground = (n >= LEAST_NOW) & (m >= LEAST_BEFORE)
        if "level" in item:
            variance = np.maximum(before[:, 2] / m - earlier**2, now[:, 2] / n - mean**2)
            error = np.sqrt(np.maximum(variance, 0.01) * (1 / n + 1 / m))
            z, change = (mean - earlier) / error, np.abs(mean - earlier) / np.log(item["change"])
            mean, middle, earlier = np.exp(mean), earlier, np.exp(earlier)
        else:
            error = np.sqrt(1 / n + 1 / m) / 2
            middle = _angle(before[:, 1], m)
            z = (_angle(now[:, 1] + np.clip(n * earlier - now[:, 1], -0.5, 0.5), n) - middle) / error
            change = np.abs(mean - earlier) / item["change"]
            if "mix" in item:
                ratio = np.abs(np.log((mean + 0.5 / n) / (earlier + 0.5 / n)))
                matters = np.maximum(mean, earlier) >= MIX_LEAST
                change = np.maximum(change, np.where(matters, ratio / np.log(MIX_FACTOR), 0))
        z = np.where(ground, z, np.nan)
        return {"n": n, "observed": mean, "before": earlier, "middle": middle, "error": error, "z": z, "change": change}


def _root(count: np.ndarray) -> np.ndarray:
    """A count on the scale on which its standard error is 1/2 (Anscombe 1948)."""
    return np.sqrt(count + 0.375)


def _angle(count: np.ndarray, n: np.ndarray) -> np.ndarray:
    """A share on the scale on which its standard error is 1 / (2 sqrt(n)), also near 0 and 1 (Anscombe 1948)."""
    return np.arcsin(np.sqrt(np.clip((count + 0.375) / (n + 0.75), 0, 1)))


def _room(item: Mapping[str, Any], moved: dict[str, np.ndarray], at: int, bound: float) -> dict[str, float]:
    """The lowest and the highest value that would have passed."""
    before, middle, room, n = (moved["before"][at], moved["middle"][at], bound * moved["error"][at], moved["n"][at])
    if "level" in item:
        factor = max(np.exp(room), item["change"])
        return {"lowest": before / factor, "highest": before * factor}
    if "volume" in item:
        low, high = max(middle - room, 0) ** 2 - 0.875, (middle + room) ** 2 + 0.125
        return {"lowest": max(min(low, before / item["change"]), 0), "highest": max(high, before * item["change"])}
    low, high = np.sin(max(middle - room, 0)) ** 2, np.sin(min(middle + room, np.pi / 2)) ** 2
    low, high = ((n + 0.75) * low - 0.875) / n, ((n + 0.75) * high + 0.125) / n
    least_low, least_high = before - item["change"], before + item["change"]
    if "mix" in item:
        least_low = max(least_low, before / MIX_FACTOR) if before >= MIX_LEAST else 0.0
        least_high = min(least_high, max(before * MIX_FACTOR, MIX_LEAST))
    return {"lowest": max(min(low, least_low), 0.0), "highest": min(max(high, least_high), 1.0)}


# --- Great Expectations ---------------------------------------------------------------------------------------------------


def _judge(frames: list[tuple], docs: Path | None) -> Iterator[list[dict[str, Any]]]:
    """The rows of each suite's part, judged by Great Expectations, which writes its Data Docs."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when it is imported
    import great_expectations as gx
    from great_expectations.data_context.types import base
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    settings = base.DataContextConfig(
        store_backend_defaults=base.InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={"quality": _site(docs)} if docs is not None else {},
        progress_bars=base.ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=settings)
    source = context.data_sources.add_pandas("icp_refinery")
    for suite, part, items, frame in frames:
        if frame is None or frame.empty:
            why = "nothing was published yet" if frame is None else NOT_ENOUGH
            yield [_row(suite, item, observed=why) for item in items]
            continue
        name = f"{suite['suite']}: {part}"
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        expectations = [
            ExpectationConfiguration(
                type=item["type"] if part == "rows" else "expect_column_values_to_be_between",
                kwargs=item["arguments"] if part == "rows" else {"column": item["name"], "max_value": 1.0},
                meta={"name": item["name"]},
                description=f"{item['name']}: {item['says']}",
                notes=item["because"],
                severity=item["severity"],
            )
            for item in items
            if part == "rows" or item["name"] in set(frame["expectation"])
        ]
        definition = gx.ValidationDefinition(
            name=name, data=batch, suite=context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
        )
        keys = [suite["id"]] if part == "rows" else ["months", "value", "observed", "lowest", "highest"]
        result = context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": _shown(part, frame)},
            result_format={
                "result_format": "SUMMARY" if part == "rows" else "COMPLETE",
                "unexpected_index_column_names": keys,
                "partial_unexpected_count": KEYS,
                "return_unexpected_index_query": False,
            },
        )
        by_name = {each.expectation_config.meta["name"]: each for each in result.results}
        of = _rows_result if part == "rows" else _over_time_result
        yield [of(suite, item, by_name.get(item["name"]), frame) for item in items]
    if docs is not None:
        context.build_data_docs(site_names=["quality"])


def _site(docs: Path) -> dict[str, Any]:
    shutil.rmtree(docs, ignore_errors=True)
    docs.mkdir(parents=True)
    return {
        "class_name": "SiteBuilder",
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }


def _shown(part: str, frame: pd.DataFrame) -> pd.DataFrame:
    """What Great Expectations sees: texts escaped, for its HTML; of comparisons a column for each expectation."""
    shown = frame.map(lambda value: html.escape(value, quote=False) if isinstance(value, str) else value)
    if part == "rows":
        return shown
    wide = {name: shown["surprise"].where(shown["expectation"] == name) for name in shown["expectation"].unique()}
    return shown.assign(**wide)


def _rows_result(suite: Mapping[str, Any], item: Mapping[str, Any], result: Any, frame: pd.DataFrame) -> dict[str, Any]:
    found = result.result
    if (result.exception_info or {}).get("raised_exception") or not found:
        raise ValueError(f"The expectation {item['name']} could not be judged: {result.exception_info}")
    count = int(found.get("element_count", 0)) - int(found.get("missing_count") or 0)
    if count < item.get("least_rows", LEAST_ROWS):
        return _row(suite, item, observed=f"{NOT_ENOUGH}: {count} rows", checked=count)
    failing = int(found.get("unexpected_count", 0))
    keys = [str(row[suite["id"]]) for row in found.get("partial_unexpected_index_list") or []]
    mostly = item["arguments"].get("mostly", 1.0)
    return _row(
        suite,
        item,
        observed=f"{1 - failing / count:.1%} of {count:,} rows",
        expected=f"at least {mostly:.0%} of rows",
        passed=bool(result.success),
        checked=count,
        failing=failing,
        keys=[html.unescape(key) for key in keys] if not result.success else [],
    )


def _over_time_result(suite: Mapping[str, Any], item: Mapping[str, Any], result: Any, frame: pd.DataFrame) -> dict[str, Any]:
    own = frame[frame["expectation"] == item["name"]]
    if own.empty:
        return _row(suite, item, observed=NOT_ENOUGH)
    top = own.iloc[0]
    beyond = own[own["surprise"] > 1]
    form = _as_number if "volume" in item or "level" in item else "{:.1%}".format
    of = f" {top['value']}" if top["value"] else ""
    return _row(
        suite,
        item,
        observed=f"{top['months']}:{of} {form(top['observed'])} (n {int(top['n']):,})",
        expected=f"{form(top['lowest'])} to {form(top['highest'])}, after {form(top['before'])} in the year before",
        passed=bool(result.success),
        checked=len(own),
        failing=len(beyond),
        keys=[f"{row.months} {row.value}".strip() for row in beyond.head(KEYS).itertuples()],
    )


def _as_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _row(
    suite: Mapping[str, Any],
    item: Mapping[str, Any],
    observed: str,
    expected: str = "",
    passed: bool | None = None,
    checked: int = 0,
    failing: int = 0,
    keys: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "suite": suite["suite"],
        "expectation": item["name"],
        "relation": suite["relation"],
        "column_name": item.get("column", ""),
        "severity": item["severity"],
        "says": item["says"],
        "observed": observed,
        "expected": expected,
        "because": " ".join(item["because"].split()),
        "failing_keys": json.dumps(keys or [], ensure_ascii=False),
        "is_passed": pd.NA if passed is None else passed,
        "checked_count": checked,
        "failing_count": failing,
    }
