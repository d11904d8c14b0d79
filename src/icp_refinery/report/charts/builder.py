"""What all figures repeat: rows of a mart to a Vega-Lite view, names and figures of rows, tooltips, intervals.

A chart is one view (layers at most), so that it takes the width of its place, on a phone too. Names stand above their
marks, so that long ones leave room for the figures. A filter of the page sets the Vega parameters `segment` (a segment's
id) and `tier`; `all` is no filter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import altair as alt
import pandas as pd

from icp_refinery.report import words
from icp_refinery.report.charts.theme import ACCENT, ACCENT_LIGHT, CONFIG, DARK, INK, LIGHT, MID
from icp_refinery.report.tables.model import Marts

CYCLES_SHOWN = 26
LAST_YEAR = """
        select max({0}.cycle_end) - interval 1 year from marts.{0} where {0}.is_finished"""
# Rows that carry their own segment and tier, and can be added up.
PICKED = "(segment === 'all' || datum.segment_id === segment) && (tier === 'all' || datum.tier === tier)"
# Rows of which there is one set for all (`all`, `all`), one for each tier (`all`, tier), and one for each segment.
PICKED_SET = "datum.segment_id === segment && (datum.tier === tier || (tier === 'all' && segment !== 'all'))"


@dataclass(frozen=True)
class Figure:
    """A chart and what belongs to it.

    `spec` is a Vega-Lite specification, or None where there is nothing to draw; then `note` says what is not known and
    why. `finding` is what the chart shows, in a sentence with its figures. `note` also gives the n, and what was left out or
    sampled. `table` is what a screen reader, or a copy, gets.
    """

    id: str
    title: str
    unit: str
    period: str
    spec: dict[str, Any] | None = None
    note: str = ""
    finding: str = ""
    table: pd.DataFrame = field(default_factory=pd.DataFrame)

    def of(self, period: str) -> Figure:
        """The figure, of this period."""
        return replace(self, period=period)

    def unknown(self, note: str, table: pd.DataFrame) -> Figure:
        """The figure where there is nothing to draw, and why."""
        return replace(self, note=note, table=table)

    def drawn(self, spec: dict[str, Any], note: str, table: pd.DataFrame) -> Figure:
        """The figure with its chart, what to know about it, and its figures."""
        return replace(self, spec=spec | {"description": self.title}, note=note, table=table)


def frame(marts: Marts, sql: str) -> pd.DataFrame:
    return marts.execute(sql).df()


def plain(value: Any) -> Any:
    """A value of a frame as JSON has it: dates as text, unknown as null, six digits."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value):
        return None
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, pd.Timestamp) or hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    return float(f"{float(value):.6g}")


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): plain(value) for key, value in row.items()} for row in frame.to_dict("records")]


def drawing(layers: Iterable[alt.Chart], rows: pd.DataFrame, height: Any, filters: str | None = None) -> dict[str, Any]:
    """One view of the layers over the rows, as wide as its place; `filters` keeps the rows that `segment` and `tier` ask for."""
    chart = alt.layer(*layers, data=alt.NamedData("rows")).properties(width="container", height=height)
    if filters is not None:
        chart = chart.add_params(alt.param(name="segment", value="all"), alt.param(name="tier", value="all"))
        chart = chart.transform_filter(filters)
    spec = chart.to_dict(validate=False)  # see `charts.figures`
    spec["data"] = {"name": "rows", "values": records(rows)}
    return spec | {"autosize": {"type": "fit-x", "contains": "padding"}, "config": CONFIG}


def shares(value: float | None, digits: int = 0) -> str:
    return "unknown" if value is None or pd.isna(value) else f"{100 * value:.{digits}f} %"


def many(count: Any, one: str, more: str | None = None) -> str:
    return f"{int(count):,} {words.many(int(count), one, more or '')}"


def short(value: Any) -> str:
    """Money as short as an axis has it."""
    if value is None or pd.isna(value):
        return "unknown"
    value = float(value)
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def tips(*fields: tuple[str, ...]) -> list[alt.Tooltip]:
    """Tooltips from (title, field) of a text or (title, field, format) of a number or a day (`%...`)."""
    made = []
    for title, name, *form in fields:
        kind = "N" if not form else "T" if form[0].startswith("%") else "Q"
        made.append(alt.Tooltip(f"{name}:{kind}", title=title, **({"format": form[0]} if form else {})))
    return made


def ends(form: str, low: str = "low", high: str = "high") -> list[tuple[str, str, str]]:
    """The ends of an interval, for `tips`."""
    return [("Lower end", low, form), ("Upper end", high, form)]


ROWS = alt.Y("row:O", axis=None)


def row_texts(field: str, x: Any, **mark: Any) -> alt.Chart:
    """A text of each row that has one, above its marks."""
    drawn = alt.Chart().transform_filter(f"isValid(datum.{field})")
    return drawn.mark_text(**{"dy": -16} | mark).encode(x=alt.value(x), y=ROWS, text=alt.Text(f"{field}:N"))


def row_names(room: int, **mark: Any) -> alt.Chart:
    """The name of each row, from the left edge; cut where `room` pixels are needed at the right."""
    return row_texts("name", 0, **{"align": "left", "limit": alt.ExprRef(f"max(60, width - {room})")} | mark)


def headings(room: int, dy: int = -16) -> list[alt.Chart]:
    """The name of each row at the left edge and its figure at the right one, above its marks."""
    return [row_names(room, dy=dy), row_texts("figure", "width", align="right", color=DARK, dy=dy)]


def signs(field: str, series: dict[str, tuple[str, str]], legend: alt.Legend | None) -> dict[str, Any]:
    """Colour and shape by a field: its values, each with (colour, shape)."""
    names, (colours, shapes) = list(series), zip(*series.values(), strict=True)
    return {
        "color": alt.Color(f"{field}:N", scale=alt.Scale(domain=names, range=list(colours)), sort=names, legend=legend),
        "shape": alt.Shape(f"{field}:N", scale=alt.Scale(domain=names, range=list(shapes)), sort=names, legend=legend),
    }


ROW = 38
WIDE = "width > 640"  # names then stand in a gutter beside their marks, and no line crosses them


def gutter(room: int) -> alt.Scale:
    """The scale of marks that leave a gutter for names at the left, and `room` for figures at the right, where there is width."""
    ends_at = (f"{WIDE} ? 0.36 * width : 0", f"{WIDE} ? width - {room} : width")
    return alt.Scale(nice=True, range=[{"expr": end} for end in ends_at])


def gutter_headings(room: int, above: int, beside: int = 0) -> list[alt.Chart]:
    """As `headings`, `above` their marks, or in the gutter of `gutter`."""
    dy = alt.ExprRef(f"{WIDE} ? {beside} : {above}")
    limit = alt.ExprRef(f"{WIDE} ? 0.36 * width - 12 : max(60, width - {room})")
    return [row_names(room, dy=dy, limit=limit), row_texts("figure", "width", align="right", color=DARK, dy=dy)]


def forest(
    rows: pd.DataFrame,
    axis: str,
    tooltip: list[alt.Tooltip],
    series: dict[str, tuple[str, str]],
    form: str = "~g",
    reference: float | None = None,
    filters: str | None = None,
    room: int = 95,
) -> dict[str, Any]:
    """Rows (`row`, `name`, `figure`) with points (`value`) and intervals (`low`, `high`) of one or more `series`.

    `series` maps the name of each series to its colour and shape; more than one get a legend. A row without
    `series` is a heading.
    """
    by = signs("series", series, alt.Legend(columns=3) if len(series) > 1 else None)
    y = alt.Y("row:O", axis=None, scale=alt.Scale(padding=0))
    x = alt.X("value:Q", axis=alt.Axis(title=axis, format=form, tickCount=5), scale=gutter(room))
    offset = alt.YOffset("nudge:Q", scale=alt.Scale(domain=[-10, 10], range=[ROW // 2 - 7, ROW // 2 + 13]))
    drawn = alt.Chart().transform_filter("isValid(datum.value)")
    layers = [
        drawn.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"), y=y, yOffset=offset, color=by["color"]),
        drawn.mark_point(filled=True, size=90, opacity=1).encode(x=x, y=y, yOffset=offset, tooltip=tooltip, **by),
        *(heading.transform_filter("isValid(datum.series)") for heading in gutter_headings(room, -16, 3)),
        row_names(0, fontWeight="bold", dy=0).transform_filter("!isValid(datum.series)"),
    ]
    if reference is not None:
        layers.insert(0, alt.Chart().mark_rule(color=MID).encode(x=alt.datum(reference)))
    rows = rows if "nudge" in rows else rows.assign(nudge=0)
    return drawing(layers, rows, {"step": ROW, "for": "position"}, filters)


def ridges(rows: pd.DataFrame, top: float, tooltip: list[alt.Tooltip], filters: str | None) -> dict[str, Any]:
    """Small lines over time one below the other, each from 0 to `top`: `row`, `day`, `value`, `low`, `high`, `name`, `figure`."""
    count = int(rows["row"].max()) + 1
    days = pd.to_datetime(rows["day"])
    ticks = {"interval": "month", "step": 6 if (days.max() - days.min()).days > 500 else 2}
    scale = alt.Scale(domain=[-(count - 1) - 0.02, 1.0], nice=False, zero=False)
    base = alt.Chart().transform_calculate(base="-datum.row", at=f"-datum.row + 0.62 * datum.value / {top}")
    x = alt.X(
        "day:T",
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(title=None, format="%b %Y", tickCount=ticks, labelOverlap=True, grid=False, labelFlush=True),
    )
    line = base.transform_filter("isValid(datum.value)")
    layers = [
        line.transform_filter("!isValid(datum.low)")
        .mark_area(color=ACCENT_LIGHT, opacity=0.35)
        .encode(x=x, y=alt.Y("base:Q", scale=scale, axis=None), y2=alt.Y2("at:Q"), detail=alt.Detail("row:N")),
        line.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .transform_calculate(
            from_=f"-datum.row + 0.62 * min(datum.low, {top}) / {top}", to=f"-datum.row + 0.62 * min(datum.high, {top}) / {top}"
        )
        .mark_area(color=ACCENT_LIGHT, opacity=0.6)
        .encode(x=x, y=alt.Y("from_:Q", scale=scale, axis=None), y2=alt.Y2("to:Q"), detail=alt.Detail("row:N")),
        base.mark_line(color=LIGHT, strokeWidth=1).encode(
            x=x, y=alt.Y("base:Q", scale=scale, axis=None), detail=alt.Detail("row:N")
        ),
        line.mark_line(color=ACCENT, strokeWidth=2).encode(
            x=x, y=alt.Y("at:Q", scale=scale, axis=None), detail=alt.Detail("row:N")
        ),
        line.mark_point(color=ACCENT, filled=True, size=18, opacity=1).encode(
            x=x, y=alt.Y("at:Q", scale=scale, axis=None), tooltip=tooltip
        ),
    ]
    for text, align, edge in (("name", "left", 0), ("figure", "right", "width")):
        layers.append(
            alt.Chart()
            .transform_filter(f"isValid(datum.{text})")
            .transform_calculate(above="-datum.row + 0.82")
            .mark_text(align=align, color=INK if text == "name" else DARK)
            .encode(x=alt.value(edge), y=alt.Y("above:Q", scale=scale, axis=None), text=alt.Text(f"{text}:N"))
        )
    return drawing(layers, rows, 68 * count + 10, filters)
