"""The report's figures: each reads the published marts and gives a Vega-Lite chart, its table, and what to know about both.

A chart is one view (layers at most), so that it takes the width of its place, on a phone too. Names stand above their marks, so that long
ones leave room for the figures. A filter of the page sets the Vega parameters `segment` (a segment's id) and `tier`; `all` is no filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import altair as alt
    import duckdb

ACCENT, ACCENT_MID, ACCENT_LIGHT = "#0b5cad", "#6fa3d4", "#c3d9ee"
INK, DARK, MID, LIGHT, FAINT = "#1f2933", "#4a5560", "#8a949e", "#c9ced3", "#eceef0"
TIERS = ["tier_1", "tier_2", "tier_3", "deprioritized", "unassigned"]
TIER_NAMES = dict(zip(TIERS, ["Tier 1", "Tier 2", "Tier 3", "Deprioritized", "Unassigned"], strict=True))
TIER_COLOURS = [ACCENT, ACCENT_MID, MID, DARK, LIGHT]
TIER_SHAPES = ["circle", "square", "diamond", "triangle-down", "cross"]
CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": DARK,
        "labelFontSize": 12,
        "titleColor": DARK,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": FAINT,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    },
    "legend": {
        "orient": "top",
        "direction": "horizontal",
        "columns": 3,
        "title": None,
        "labelColor": DARK,
        "labelFontSize": 12,
        "labelLimit": 200,
        "symbolStrokeWidth": 2,
    },
    "text": {"color": INK, "fontSize": 12},
    "rule": {"color": DARK},
}
# Rows that carry their own segment and tier, and can be added up.
PICKED = "(segment === 'all' || datum.segment_id === segment) && (tier === 'all' || datum.tier === tier)"
# Rows of which there is one set for all (`all`, `all`), one for each tier (`all`, tier), and one for each segment.
PICKED_SET = "datum.segment_id === segment && (datum.tier === tier || (tier === 'all' && segment !== 'all'))"


@dataclass(frozen=True)
class Figure:
    """A chart and what belongs to it.

    `spec` is a Vega-Lite specification, or None where there is nothing to draw; then `note` says what is not known and why. `note` also
    gives the n, and what was left out or sampled. `table` is what a screen reader, or a copy, gets.
    """

    id: str
    title: str
    unit: str
    period: str
    spec: dict[str, Any] | None
    note: str
    table: pd.DataFrame


def _frame(marts: duckdb.DuckDBPyConnection, sql: str) -> pd.DataFrame:
    return marts.execute(sql).df()


def _plain(value: Any) -> Any:
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


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): _plain(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _spec(layers: Iterable[alt.Chart], rows: pd.DataFrame, title: str, height: Any, filters: str | None = None) -> dict[str, Any]:
    """One view of the layers over the rows, as wide as its place; `filters` keeps the rows that `segment` and `tier` ask for."""
    import altair as alt

    chart = alt.layer(*layers, data=alt.NamedData("rows")).properties(width="container", height=height)
    if filters is not None:
        chart = chart.add_params(alt.param(name="segment", value="all"), alt.param(name="tier", value="all"))
        chart = chart.transform_filter(filters)
    spec = chart.to_dict()
    spec["data"] = {"name": "rows", "values": _records(rows)}
    return spec | {"description": title, "autosize": {"type": "fit-x", "contains": "padding"}, "config": CONFIG}


def _shares(value: float | None, digits: int = 0) -> str:
    return "unknown" if value is None or pd.isna(value) else f"{100 * value:.{digits}f} %"


def _many(count: Any, one: str, more: str | None = None) -> str:
    return f"{int(count):,} {one if int(count) == 1 else more or one + 's'}"


def _tier_scales() -> tuple[Any, Any]:
    import altair as alt

    return alt.Scale(domain=TIERS, range=TIER_COLOURS), alt.Scale(domain=TIERS, range=TIER_SHAPES)


def _row_names(field: str, room: int, **mark: Any) -> alt.Chart:
    """The name of each row, from the left edge, above its marks; cut where `room` pixels are needed at the right."""
    import altair as alt

    limit = alt.ExprRef(f"max(60, width - {room})")
    return (
        alt.Chart()
        .mark_text(**{"align": "left", "dy": -16, "limit": limit} | mark)
        .encode(x=alt.value(0), y=alt.Y("row:O", axis=None), text=f"{field}:N")
    )


def _row_figures(field: str, **mark: Any) -> alt.Chart:
    """The figure of each row, at the right edge, above its marks."""
    import altair as alt

    return (
        alt.Chart()
        .mark_text(**{"align": "right", "dy": -16, "color": DARK} | mark)
        .encode(x=alt.value("width"), y=alt.Y("row:O", axis=None), text=f"{field}:N")
    )


def segment_lifts(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """Value per pursuit of each segment relative to all, with intervals."""
    import altair as alt

    about = (
        "segment_lifts",
        "What a pursuit is worth in each segment",
        "Value per pursuit, times that of all pursuits",
        f"up to {as_of}",
    )
    table = _frame(
        marts,
        """
        select segment_id, segment_name, tier, pursuit_count, won_pursuit_count, win_rate, value_per_pursuit, lift, lift_low, lift_high
        from marts.icp_segments
        order by lift desc nulls last, segment_id
        """,
    )
    rows = table[table["pursuit_count"] > 0].reset_index(drop=True)
    drawn = rows[rows[["lift", "lift_low"]].notna().any(axis=1)].reset_index(drop=True)
    if drawn.empty:
        return Figure(*about, None, "No lift is known: no segment has pursuits whose value can be compared.", table)
    drawn = drawn.assign(row=range(len(drawn)))
    drawn["name"] = [f"{TIER_NAMES[tier]} · {name}" for tier, name in zip(drawn["tier"], drawn["segment_name"], strict=True)]
    drawn["figure"] = [
        f"{'unknown' if pd.isna(lift) else f'{lift:.1f}×'} · n {int(n):,}"
        for lift, n in zip(drawn["lift"], drawn["pursuit_count"], strict=True)
    ]
    colour, shape = _tier_scales()
    tooltip = [
        alt.Tooltip("segment_name:N", title="Segment"),
        alt.Tooltip("tier:N", title="Tier"),
        alt.Tooltip("pursuit_count:Q", title="Pursuits (n)", format=","),
        alt.Tooltip("won_pursuit_count:Q", title="Won", format=","),
        alt.Tooltip("win_rate:Q", title="Win rate", format=".0%"),
        alt.Tooltip("value_per_pursuit:Q", title=f"Value per pursuit, {currency}", format=",.0f"),
        alt.Tooltip("lift:Q", title="Lift", format=".2f"),
        alt.Tooltip("lift_low:Q", title="Lower end", format=".2f"),
        alt.Tooltip("lift_high:Q", title="Upper end", format=".2f"),
    ]
    y = alt.Y("row:O", axis=None)
    axis = alt.Axis(title="Value per pursuit (1 = all pursuits)", tickCount=5, format="~g")
    layers = [
        alt.Chart().mark_tick(color=MID, size=14, thickness=1.5).encode(x=alt.datum(1), y=y),
        alt.Chart()
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("lift_low:Q", axis=axis), x2="lift_high:Q", y=y, color=alt.Color("tier:N", scale=colour, legend=None)),
        alt.Chart()
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x="lift:Q",
            y=y,
            color=alt.Color("tier:N", scale=colour, legend=None),
            shape=alt.Shape("tier:N", scale=shape, legend=None),
            tooltip=tooltip,
        ),
        _row_names("name", 95),
        _row_figures("figure"),
    ]
    note = (
        f"n: {_many(rows['pursuit_count'].sum(), 'pursuit')}, {int(rows['won_pursuit_count'].sum()):,} of them won. "
        "Lines are intervals, 95 % for all segments together; one that crosses 1 is no evidence of a difference."
    )
    left_out = len(table) - len(drawn)
    if left_out:
        note += f" Not drawn: {_many(left_out, 'segment')} without a known lift."
    return Figure(*about, _spec(layers, drawn, about[1], {"step": 46}, PICKED), note, table)


MOVEMENTS = ["new", "expansion", "reactivation", "contraction", "churn"]


def mrr_movements(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """New, expanded, contracted and lost MRR by month, and the net of them, of the last 36 months with a change."""
    import altair as alt

    about = ["mrr_movements", "Where recurring revenue was won and lost", f"Change of MRR, {currency} a month", f"up to {as_of}"]
    table = _frame(
        marts,
        """
        select
            movements.month,
            accounts.segment_id,
            accounts.tier,
            movements.movement,
            count(*) as accounts,
            sum(movements.mrr_change) as mrr_change
        from marts.fct_mrr_movements as movements
        left join marts.dim_accounts as accounts on movements.account_id = accounts.account_id
        where movements.month > (select max(newest.month) - interval 36 month from marts.fct_mrr_movements as newest)
        group by all
        order by movements.month, accounts.segment_id, movements.movement
        """,
    )
    if table.empty:
        return Figure(*about, None, "There is no MRR: no order has a contract with a term.", table)
    months = pd.to_datetime(table["month"])
    about[3] = f"{months.min():%b %Y} to {months.max():%b %Y}"
    axis = alt.Axis(title=None, format="%b %Y", labelOverlap=True, grid=False)
    month = alt.X("utcyearmonth(month):T", axis=axis, bandPosition=0.5)
    colours = [ACCENT, ACCENT_MID, ACCENT_LIGHT, LIGHT, DARK]
    axis = alt.Axis(title=f"Change of MRR, {currency}", format="~s", tickCount=5)
    bars = (
        alt.Chart()
        .transform_calculate(order=f"indexof({MOVEMENTS}, datum.movement)")
        .mark_bar()
        .encode(
            x=alt.X("utcyearmonth(month):T"),
            y=alt.Y("sum(mrr_change):Q", axis=axis),
            color=alt.Color("movement:N", scale=alt.Scale(domain=MOVEMENTS, range=colours), sort=MOVEMENTS),
            order="order:Q",
            tooltip=[
                alt.Tooltip("utcyearmonth(month):T", title="Month", format="%b %Y"),
                alt.Tooltip("movement:N", title="Movement"),
                alt.Tooltip("sum(mrr_change):Q", title=f"Change of MRR, {currency}", format=",.0f"),
                alt.Tooltip("sum(accounts):Q", title="Accounts (n)", format=","),
            ],
        )
    )
    net = alt.Chart().encode(x=month, y="sum(mrr_change):Q")
    tooltip = [
        alt.Tooltip("utcyearmonth(month):T", title="Month", format="%b %Y"),
        alt.Tooltip("sum(mrr_change):Q", title=f"Net change of MRR, {currency}", format=",.0f"),
        alt.Tooltip("sum(accounts):Q", title="Accounts with a change (n)", format=","),
    ]
    layers = [
        bars,
        alt.Chart().mark_rule(color=MID).encode(y=alt.datum(0)),
        net.mark_line(color="white", strokeWidth=4),
        net.mark_line(color=INK, strokeWidth=1.5),
        net.mark_point(color=INK, filled=True, size=22, opacity=1).encode(tooltip=tooltip),
    ]
    note = (
        f"n: {_many(table['accounts'].sum(), 'change')} of accounts' MRR; several within a month are netted. "
        "The black line is the net of all movements. At most the last 36 months with a change are shown."
    )
    return Figure(*about, _spec(layers, table, about[1], 260, PICKED), note, table)


FIGURES: tuple[Callable[[duckdb.DuckDBPyConnection, str, str], Figure], ...] = (segment_lifts, mrr_movements)


def figures(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> dict[str, Figure]:
    """Every figure by its id, in reading order. `marts` has the schema `marts`; `currency` and `as_of` are the manifest's."""
    return {figure.id: figure for figure in (make(marts, currency, as_of) for make in FIGURES)}
