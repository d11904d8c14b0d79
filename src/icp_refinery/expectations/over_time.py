"""The months of the latest year beside those before them."""

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import numpy as np
import pandas as pd

LATEST, BEFORE = 12, 12  # months that are judged, and months that each is set beside
WIDTHS = (3, 6, 12)  # months that are judged together
LEAST_EARLIER = 6  # older comparisons, for the largest jump of the past to mean something
LEAST_NOW, LEAST_BEFORE = 20, 50  # rows, for a share or a level to be compared
LEAST_COUNT = 10.0  # rows expected, for a volume to be compared
ERRORS = 5.0  # standard errors; the some thousand comparisons of a build then give one false alarm in a thousand builds
PAST_JUMPS = 2.0
MIX_VALUES = 25  # most frequent values; the others are taken together
MIX_FACTOR, MIX_LEAST = 4.0, 0.05  # a value becoming this many times rarer or more frequent matters too, from this share on


def over_time(
    session: duckdb.DuckDBPyConnection, suite: Mapping[str, Any], items: list[dict[str, Any]], ends_at: pd.Timestamp | None
) -> pd.DataFrame:
    """One row per expectation, value and comparison of the latest year, the largest `surprise` (1 may just be) first.

    No row where nothing has ever happened: then `ends_at` is None.
    """
    sums = None if ends_at is None else _monthly_sums(session, suite, items, ends_at)
    compared = []
    for item in items if sums is not None else []:
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
