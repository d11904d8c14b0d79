"""The report's figures: each reads the published marts and gives a Vega-Lite chart, its table, and what to know about both.

A chart is one view (layers at most), so that it takes the width of its place, on a phone too. Names stand above their
marks, so that long ones leave room for the figures. A filter of the page sets the Vega parameters `segment` (a segment's
id) and `tier`; `all` is no filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from icp_refinery.report import words

if TYPE_CHECKING:
    import altair as alt
    import duckdb

ACCENT, ACCENT_MID, ACCENT_LIGHT = "#1a5f9e", "#74a5d0", "#c5daec"
INK, DARK, MID, LIGHT, FAINT = "#1f2933", "#4a5560", "#8a949e", "#c9ced3", "#eceef0"
TIERS = [tier for tier in words.TIERS if tier != "all"]
TIER_NAMES = {tier: words.TIERS[tier][0] for tier in TIERS}
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

    `spec` is a Vega-Lite specification, or None where there is nothing to draw; then `note` says what is not known and
    why. `note` also gives the n, and what was left out or sampled. `table` is what a screen reader, or a copy, gets.
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
    return f"{int(count):,} {words.many(int(count), one, more or '')}"


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
        select
            segment_id, segment_name, tier, pursuit_count, won_pursuit_count, win_rate, value_per_pursuit,
            lift, lift_low, lift_high
        from marts.icp_segments
        order by coalesce(lift, (lift_low + lift_high) / 2) desc nulls last, segment_id
        """,
    )
    rows = table[table["pursuit_count"] > 0].reset_index(drop=True)
    drawn = rows[rows[["lift", "lift_low"]].notna().any(axis=1)].reset_index(drop=True)
    if drawn.empty:
        return Figure(*about, None, "No lift is known: no segment has pursuits whose value can be compared.", table)
    if len(table) == 1:
        n = _many(rows["pursuit_count"].sum(), "pursuit")
        return Figure(*about, None, f"All accounts are one segment (n: {n}): no difference between them could be shown.", table)
    drawn = drawn.assign(row=range(len(drawn)))
    drawn["name"] = [f"{TIER_NAMES[tier]} · {name}" for tier, name in zip(drawn["tier"], drawn["segment_name"], strict=True)]
    drawn["figure"] = [
        f"n {int(n):,}" if pd.isna(lift) else f"{lift:.1f}× · n {int(n):,}"
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
    # Where all pursuits together bring nothing, the marts give 1 + difference / overall spread, and its interval alone.
    has_lift = bool(drawn["lift"].notna().any())
    scale = "Value per pursuit (1 = all pursuits)" if has_lift else "1 + difference from all, in overall spreads"
    axis = alt.Axis(title=scale, tickCount=5, format="~g")
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
    if not has_lift:
        about = (*about[:2], scale, about[3])
        note += (
            " There is no lift, as all pursuits together bring no value above 0: only the intervals of the difference are known."
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


ROW = 44


def _forest(
    rows: pd.DataFrame,
    title: str,
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
    import altair as alt

    names = list(series)
    legend = alt.Legend(columns=3) if len(names) > 1 else None
    colour = alt.Color(
        "series:N", scale=alt.Scale(domain=names, range=[colour for colour, _ in series.values()]), sort=names, legend=legend
    )
    shape = alt.Shape(
        "series:N", scale=alt.Scale(domain=names, range=[shape for _, shape in series.values()]), sort=names, legend=legend
    )
    y = alt.Y("row:O", axis=None, scale=alt.Scale(padding=0))
    x = alt.X("value:Q", axis=alt.Axis(title=axis, format=form, tickCount=5), scale=alt.Scale(nice=True))
    offset = alt.YOffset("nudge:Q", scale=alt.Scale(domain=[-10, 10], range=[ROW // 2 - 7, ROW // 2 + 13]))
    drawn = alt.Chart().transform_filter("isValid(datum.value)")
    layers = [
        drawn.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .mark_rule(strokeWidth=2)
        .encode(x="low:Q", x2="high:Q", y=y, yOffset=offset, color=colour),
        drawn.mark_point(filled=True, size=90, opacity=1).encode(
            x=x, y=y, yOffset=offset, color=colour, shape=shape, tooltip=tooltip
        ),
        _row_names("name", room).transform_filter("isValid(datum.name) && isValid(datum.series)"),
        _row_names("name", 0, fontWeight="bold", dy=0).transform_filter("!isValid(datum.series)"),
        _row_figures("figure").transform_filter("isValid(datum.figure)"),
    ]
    if reference is not None:
        tick = drawn.mark_tick(color=MID, size=14, thickness=1.5, yOffset=3).encode(x=alt.datum(reference), y=y)
        layers.insert(0, tick)
    rows = rows if "nudge" in rows else rows.assign(nudge=0)
    return _spec(layers, rows, title, {"step": ROW, "for": "position"}, filters)


OUTCOMES = {
    "won": "Won",
    "high_value": "High value: upper quarter of wins",
    "multi_year": "Multi-year first order",
    "add_on": "Add-on in the first order",
    "retained": "Still a customer after a year",
    "expanded": "Expanded within a year",
}
EFFECTS_SHOWN = 5


def effects(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """The traits whose effect on an outcome holds, with intervals, the strongest of each outcome."""
    import altair as alt

    about = ("effects", "What goes with good outcomes", "Share with the outcome, times that of all", f"up to {as_of}")
    table = _frame(
        marts,
        f"""
        select
            outcome, attribute, value, verdict, accounts, successes, rate, baseline_rate, lift, lift_low, lift_high,
            q_value, consistency, count(*) over (partition by outcome) as holding
        from marts.icp_attribute_effects
        where verdict <> 'no_evidence'
        qualify row_number() over (
            partition by outcome order by q_value nulls last, abs(lift - 1) desc nulls last, attribute, value
        ) <= {EFFECTS_SHOWN}
        order by outcome, lift desc nulls last, attribute, value
        """,
    )
    tried = _frame(
        marts,
        """
        select outcome, count(*) as tried, count(*) filter (where verdict <> 'no_evidence') as holding
        from marts.icp_attribute_effects group by outcome
        """,
    ).set_index("outcome")
    if tried.empty:
        return Figure(*about, None, "No trait was tried: too few pursuits are closed to compare any.", table)
    counts = f"Tried: {int(tried['tried'].sum()):,} combinations of an outcome and a value"
    if table.empty:
        return Figure(*about, None, f"{counts}; none shows an effect beyond chance.", table)
    rows: list[dict[str, Any]] = []
    for outcome, heading in OUTCOMES.items():
        if outcome not in tried.index:
            continue
        holding, number = tried.loc[outcome, "holding"], tried.loc[outcome, "tried"]
        rows.append({"name": f"{heading} ({int(holding)} of {int(number)} hold)"})
        for effect in table[table["outcome"] == outcome].to_dict("records"):
            rows.append(
                effect
                | {
                    "name": f"{effect['attribute'].replace('_', ' ')}: {effect['value']}",
                    "figure": f"{effect['lift']:.1f}× · n {int(effect['accounts']):,}",
                    "series": effect["verdict"],
                    "low": effect["lift_low"],
                    "value": effect["lift"],
                    "high": effect["lift_high"],
                }
            )
    columns = ["name", "figure", "series", "low", "value", "high", "accounts", "rate", "baseline_rate", "q_value", "consistency"]
    drawn = pd.DataFrame(rows).reindex(columns=columns)
    drawn["row"] = range(len(drawn))
    tooltip = [
        alt.Tooltip("name:N", title="Trait"),
        alt.Tooltip("series:N", title="Verdict"),
        alt.Tooltip("accounts:Q", title="Accounts (n)", format=","),
        alt.Tooltip("rate:Q", title="Rate", format=".0%"),
        alt.Tooltip("baseline_rate:Q", title="Rate of all", format=".0%"),
        alt.Tooltip("value:Q", title="Lift", format=".2f"),
        alt.Tooltip("low:Q", title="Lower end", format=".2f"),
        alt.Tooltip("high:Q", title="Upper end", format=".2f"),
        alt.Tooltip("q_value:Q", title="q (for all that was tried)", format=".2g"),
        alt.Tooltip("consistency:Q", title="Cycles in the same direction", format=".0%"),
    ]
    spec = _forest(
        drawn,
        about[1],
        "Rate (1 = that of all compared)",
        tooltip,
        {"raises": (ACCENT, "circle"), "lowers": (DARK, "triangle-down")},
        reference=1,
    )
    note = (
        f"{counts}; {int(tried['holding'].sum()):,} hold after a correction for all of them. Lines are 95 % intervals. "
        "What was observed together, not a causal claim."
    )
    if (tried["holding"] > EFFECTS_SHOWN).any():
        note += f" Of each outcome the {EFFECTS_SHOWN} surest are drawn."
    return Figure(*about, spec, note, table.drop(columns="holding"))


def score_calibration(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """What scores predicted and what happened, on pursuits that began after the scores were learned."""
    import altair as alt

    about = ["score_calibration", "Do scores hold on later pursuits?", f"Value per pursuit, {currency}", f"up to {as_of}"]
    table = _frame(
        marts,
        """
        select
            score_band, pursuit_count, won_pursuit_count, predicted_value, value_per_pursuit, value_low, value_high,
            is_within_interval, cutoff_on
        from marts.icp_score_calibration order by score_band <> 'all', score_from desc
        """,
    )
    if table["value_per_pursuit"].notna().sum() == 0:
        return Figure(*about, None, "Not known: no pursuit began and closed after a cut-off to learn before.", table)
    about[3] = f"pursuits begun from {pd.Timestamp(table['cutoff_on'].iloc[0]):%d %b %Y} and closed up to {as_of}"
    base = table.assign(row=range(len(table)))
    happened = base.assign(series="happened", value=base["value_per_pursuit"], low=base["value_low"], high=base["value_high"])
    happened["name"] = ["All scores" if band == "all" else f"Score {band}" for band in base["score_band"]]
    happened["figure"] = [
        f"n {int(n):,}, {int(won):,} won" for n, won in zip(base["pursuit_count"], base["won_pursuit_count"], strict=True)
    ]
    predicted = base.assign(series="predicted", value=base["predicted_value"], low=None, high=None)
    drawn = pd.concat([happened, predicted])[
        ["row", "name", "figure", "series", "low", "value", "high", "score_band", "pursuit_count", "won_pursuit_count"]
    ]
    tooltip = [
        alt.Tooltip("score_band:N", title="Score"),
        alt.Tooltip("series:N", title="Value that"),
        alt.Tooltip("value:Q", title=f"Value per pursuit, {currency}", format=",.0f"),
        alt.Tooltip("low:Q", title="Lower end", format=",.0f"),
        alt.Tooltip("high:Q", title="Upper end", format=",.0f"),
        alt.Tooltip("pursuit_count:Q", title="Pursuits (n)", format=","),
        alt.Tooltip("won_pursuit_count:Q", title="Won", format=","),
    ]
    series = {"happened": (ACCENT, "circle"), "predicted": (INK, "diamond")}
    spec = _forest(drawn, about[1], f"Value per pursuit, {currency}", tooltip, series, form="~s", room=120)
    outside = int((table["is_within_interval"] == False).sum())  # noqa: E712
    judged = int(table["is_within_interval"].notna().sum())
    note = (
        f"Of {_many(judged, 'prediction')} with an interval {outside} lie outside it. Lines are 95 % intervals of what happened; "
        "below 5 wins there is none. Young wins are developed to the horizon."
    )
    return Figure(*about, spec, note, table)


def emerging(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """Traits that began, or ceased, to raise the chance of winning, as the latest finished cycle sees them."""
    import altair as alt

    about = ["emerging", "Traits that emerged or faded", "Win rate", f"up to {as_of}"]
    table = _frame(
        marts,
        """
        select
            cycle_start, trend, attribute, value as trait_value, segment_id, latest_pursuit_count, latest_won_pursuit_count,
            latest_win_rate, latest_win_rate_low, latest_win_rate_high, before_pursuit_count, before_won_pursuit_count,
            before_win_rate, before_win_rate_low, before_win_rate_high
        from marts.icp_emerging_attributes
        where cycle_start = (select max(newest.cycle_start) from marts.icp_emerging_attributes as newest)
        order by trend, abs(latest_win_rate - before_win_rate) desc nulls last, attribute, value
        limit 12
        """,
    )
    if table.empty:
        return Figure(
            *about, None, "No trait emerged or faded in the finished cycles of the last year, as far as can be told.", table
        )
    about[3] = f"cycle from {pd.Timestamp(table['cycle_start'].iloc[0]):%d %b %Y}: the year to its end, and before"
    parts = []
    for series, prefix, nudge in (("before", "before_", 4), ("the latest year", "latest_", -4)):
        part = pd.DataFrame({"row": range(len(table)), "series": series, "nudge": nudge})
        for name, column in (("low", "win_rate_low"), ("value", "win_rate"), ("high", "win_rate_high"), ("n", "pursuit_count")):
            part[name] = table[prefix + column]
        parts.append(part)
    parts[0]["name"] = table["trend"] + " · " + table["attribute"].str.replace("_", " ") + ": " + table["trait_value"]
    parts[0]["figure"] = [
        f"{_shares(before)} → {_shares(latest)}"
        for before, latest in zip(table["before_win_rate"], table["latest_win_rate"], strict=True)
    ]
    tooltip = [
        alt.Tooltip("series:N", title="When"),
        alt.Tooltip("value:Q", title="Win rate", format=".0%"),
        alt.Tooltip("low:Q", title="Lower end", format=".0%"),
        alt.Tooltip("high:Q", title="Upper end", format=".0%"),
        alt.Tooltip("n:Q", title="Pursuits (n)", format=","),
    ]
    series = {"before": (MID, "diamond"), "the latest year": (ACCENT, "circle")}
    spec = _forest(pd.concat(parts), about[1], "Win rate", tooltip, series, form=".0%")
    note = (
        f"n: {int(table['latest_pursuit_count'].min()):,} to {int(table['latest_pursuit_count'].max()):,} pursuits in the year, "
        f"{int(table['before_pursuit_count'].min()):,} to {int(table['before_pursuit_count'].max()):,} before. "
        "Lines are 95 % intervals. At most 12 are shown."
    )
    return Figure(*about, spec, note, table)


STAGES = {"lead": "Lead → MQL", "mql": "MQL → SQL", "sql": "SQL → opportunity", "opportunity": "Opportunity → won"}
WINDOWS = (30, 90, 180)


def funnel(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """Conversion to the next stage within 30, 90 and 180 days, each of entries at least that old."""
    import altair as alt

    about = ("funnel", "How far leads get, and how fast", "Share that reaches the next stage", f"entries up to {as_of}")
    windows = ",\n".join(
        f"matured_{days}_days_count, conversion_{days}_days_rate, conversion_{days}_days_low, conversion_{days}_days_high"
        for days in WINDOWS
    )
    table = _frame(
        marts,
        f"""
        select tier, segment_id, stage, stage_number, entered_count, {windows}
        from marts.icp_funnel where stage <> 'won' order by tier <> 'all', tier, segment_id <> 'all', segment_id, stage_number
        """,
    )
    parts = []
    for days in WINDOWS:
        part = table[["tier", "segment_id", "stage", "entered_count"]].assign(row=table["stage_number"], series=f"{days} days")
        part["n"], part["value"] = table[f"matured_{days}_days_count"], table[f"conversion_{days}_days_rate"]
        if days == WINDOWS[-1]:
            part["low"], part["high"] = table[f"conversion_{days}_days_low"], table[f"conversion_{days}_days_high"]
            part["name"] = table["stage"].map(STAGES)
            part["figure"] = [
                f"{_shares(rate)} of {int(n):,}" if n == n and n > 0 else "none is old enough"
                for rate, n in zip(part["value"], part["n"], strict=True)
            ]
        parts.append(part)
    drawn = pd.concat(parts)
    if drawn["value"].notna().sum() == 0:
        return Figure(*about, None, "Not known: no lead or opportunity is recorded that is old enough to have converted.", table)
    tooltip = [
        alt.Tooltip("stage:N", title="From stage"),
        alt.Tooltip("series:N", title="Within"),
        alt.Tooltip("value:Q", title="Conversion", format=".1%"),
        alt.Tooltip("low:Q", title="Lower end", format=".1%"),
        alt.Tooltip("high:Q", title="Upper end", format=".1%"),
        alt.Tooltip("n:Q", title="Old enough (n)", format=","),
        alt.Tooltip("entered_count:Q", title="Entered", format=","),
    ]
    series = {"30 days": (LIGHT, "diamond"), "90 days": (MID, "square"), "180 days": (ACCENT, "circle")}
    spec = _forest(
        drawn, about[1], "Share that reached the next stage", tooltip, series, form=".0%", filters=PICKED_SET, room=120
    )
    spec["layer"][1]["encoding"]["x"]["scale"] = {"domain": [0, 1]}
    everyone = table[(table["tier"] == "all") & (table["segment_id"] == "all")]
    plural = {"lead": "leads", "mql": "MQLs", "sql": "SQLs", "opportunity": "opportunities"}
    entered = ", ".join(f"{int(row.entered_count):,} {plural[row.stage]}" for row in everyone.itertuples())
    note = (
        f"Entered in all: {entered}. Each rate is of the entries that are at least as old as its window; at the right, within "
        "180 days and its n. The line is the 95 % interval of 180 days."
    )
    return Figure(*about, spec, note, table)


def spend_saving(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """What share of spend could have been saved, and what share of won value kept."""
    import altair as alt

    about = ("spend_saving", "What spending less would have kept", "Share of spend, of won value", f"backtest up to {as_of}")
    table = _frame(marts, "select * from marts.icp_spend_saving order by what_if <> 'skip_deprioritized', value_kept_share desc")
    known = table[table["saved_share"].notna()].reset_index(drop=True)
    if known.empty:
        reasons = " ".join(table["note"].dropna().unique()) or "no campaign spend is recorded."
        return Figure(*about, None, f"Not known: {reasons}", table)
    what = {
        "skip_deprioritized": "Skip the deprioritized",
        "keep_95": "Skip the poorest, keep 95 % of value",
        "keep_90": "Skip the poorest, keep 90 % of value",
    }
    parts = []
    for series, column, nudge in (("spend saved", "saved_share", -4), ("won value kept", "value_kept_share", 4)):
        part = pd.DataFrame({"row": range(len(known)), "series": series, "nudge": nudge, "what_if": known["what_if"].map(what)})
        for name, end in (("low", "_low"), ("value", ""), ("high", "_high")):
            part[name] = known[column + end]
        part["n"], part["saving"] = known["pursuit_count"], known["yearly_saving"]
        parts.append(part)
    parts[0]["name"] = known["what_if"].map(what)
    parts[0]["figure"] = [f"{currency} {_short(saving)} a year" for saving in known["yearly_saving"]]
    tooltip = [
        alt.Tooltip("what_if:N", title="What if"),
        alt.Tooltip("series:N", title="Share of"),
        alt.Tooltip("value:Q", title="Share", format=".0%"),
        alt.Tooltip("low:Q", title="Lower end", format=".0%"),
        alt.Tooltip("high:Q", title="Upper end", format=".0%"),
        alt.Tooltip("saving:Q", title=f"Saving, {currency} a year", format=",.0f"),
        alt.Tooltip("n:Q", title="Pursuits (n)", format=","),
    ]
    series = {"spend saved": (ACCENT, "circle"), "won value kept": (DARK, "diamond")}
    spec = _forest(pd.concat(parts), about[1], "Share", tooltip, series, form=".0%", room=125)
    spec["layer"][1]["encoding"]["x"]["scale"] = {"domain": [0, 1]}
    note = (
        f"n: {_many(known['pursuit_count'].iloc[0], 'pursuit')}, {int(known['won_pursuit_count'].iloc[0]):,} won; of a yearly "
        f"spend of {currency} {float(known['yearly_spend'].iloc[0]):,.0f}. Lines are 95 % intervals; without one the share is "
        "given. A scenario from observed sales, not a promise: what campaigns bring beyond them, nobody has observed."
    )
    return Figure(*about, spec, note, table)


def _short(value: Any) -> str:
    """Money as short as an axis has it."""
    if value is None or pd.isna(value):
        return "unknown"
    value = float(value)
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def scorecard(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """What each condition adds to, or takes from, the fit score."""
    import altair as alt

    about = ("scorecard", "What the fit score is made of", "Points on top of the base of 50", f"up to {as_of}")
    table = _frame(
        marts,
        """
        select definition, attribute, value, points, account_count, pursuit_count, won_pursuit_count, win_rate
        from marts.icp_scorecard order by points desc, condition_id
        """,
    )
    rows = table[table["attribute"].notna()].head(25).reset_index(drop=True)
    if rows.empty:
        return Figure(*about, None, "There is only the base: without evidence of an effect every account scores 50.", table)
    segments = _frame(marts, "select segment_id, tier from marts.icp_segments").set_index("segment_id")["tier"]
    is_segment = rows["attribute"] == "segment"
    rows = rows.assign(row=range(len(rows)), segment_id=rows["value"].where(is_segment), name=rows["definition"])
    rows["tier"] = rows["segment_id"].map(segments)
    rows["figure"] = [f"{points:+.1f} · n {int(n):,}" for points, n in zip(rows["points"], rows["account_count"], strict=True)]
    y = alt.Y("row:O", axis=None)
    tooltip = [
        alt.Tooltip("definition:N", title="Condition"),
        alt.Tooltip("points:Q", title="Points", format="+.1f"),
        alt.Tooltip("account_count:Q", title="Accounts (n)", format=","),
        alt.Tooltip("pursuit_count:Q", title="Pursuits", format=","),
        alt.Tooltip("win_rate:Q", title="Win rate", format=".0%"),
    ]
    layers = [
        alt.Chart()
        .mark_bar(size=10)
        .encode(
            x=alt.X("points:Q", axis=alt.Axis(title="Points of the fit score", tickCount=5)),
            y=y,
            color=alt.condition("datum.points >= 0", alt.value(ACCENT), alt.value(MID)),
            tooltip=tooltip,
        ),
        alt.Chart().mark_tick(color=DARK, size=14, thickness=1.5).encode(x=alt.datum(0), y=y),
        _row_names("name", 105),
        _row_figures("figure"),
    ]
    filters = (
        "!isValid(datum.segment_id) || ((segment === 'all' || datum.segment_id === segment) "
        "&& (tier === 'all' || datum.tier === tier))"
    )
    note = (
        "n: the accounts that meet the condition. 20 points double the expected value per pursuit (where a value below 0 occurs, "
        "40 points are a standard deviation of value). A tier bounds the score of its segments."
    )
    if len(table) > len(rows) + 1:
        note += f" The {len(rows)} conditions with the most points of {len(table) - 1} are drawn."
    columns = [
        "row",
        "name",
        "figure",
        "definition",
        "points",
        "account_count",
        "pursuit_count",
        "win_rate",
        "segment_id",
        "tier",
    ]
    return Figure(*about, _spec(layers, rows[columns], about[1], {"step": 42}, filters), note, table)


RETENTIONS = {
    "customers": (
        "Customers that stay",
        "Share of the cohort's customers with MRR or an order in the month",
        "retained_customers",
        "cohort_customers",
    ),
    "net_revenue": ("Revenue that stays and grows (NRR)", "Share of the cohort's starting MRR", "retained_mrr", "starting_mrr"),
    "gross_revenue": ("Revenue that stays (GRR)", "Share of the cohort's starting MRR", "kept_mrr", "starting_mrr"),
}
COHORTS_SHOWN = 12


def _retention(marts: duckdb.DuckDBPyConnection, as_of: str, measure: str) -> Figure:
    """Retention of quarterly cohorts every three months; a cell only where all of the quarter's cohorts have come so far."""
    import altair as alt

    title, unit, part, whole = RETENTIONS[measure]
    name = "cohort_retention" if measure == "customers" else f"cohort_retention_{measure}"
    about = [name, title, unit, f"up to {as_of}"]
    rows = _frame(
        marts,
        f"""
        with reached as (
            select date_trunc('quarter', cohort_month) as cohort, cohort_month, max(months_since) as months
            from marts.cohort_retention where segment_id = 'all' group by all
        ),

        complete as (
            select cohort, min(months) as months from reached group by cohort order by cohort desc limit {COHORTS_SHOWN}
        )

        select
            cast(complete.cohort as date) as cohort,
            retention.segment_id,
            segments.tier,
            retention.months_since as months,
            sum(retention.cohort_customers) as customers,
            sum(retention.{part}) as kept,
            sum(retention.{whole}) as whole
        from marts.cohort_retention as retention
        inner join complete
            on date_trunc('quarter', retention.cohort_month) = complete.cohort and retention.months_since <= complete.months
        left join marts.icp_segments as segments on retention.segment_id = segments.segment_id
        where retention.segment_id <> 'all' and retention.months_since % 3 = 0 and retention.months_since <= 36
        group by all
        order by cohort, months, retention.segment_id
        """,
    )
    table = (
        rows.groupby(["cohort", "months"], as_index=False)[["customers", "kept", "whole"]].sum()
        if len(rows)
        else rows[["cohort", "months", "customers", "kept", "whole"]]
    )
    whole_known = table["whole"].astype(float)
    table = table.assign(retention=table["kept"].astype(float) / whole_known.where(whole_known > 0)).drop(
        columns=["kept", "whole"]
    )
    if table["retention"].notna().sum() == 0:
        return Figure(*about, None, "Not known: no customer has a contract, so nothing can be retained.", table)
    first, last = pd.to_datetime(table["cohort"]).min(), pd.to_datetime(table["cohort"]).max()
    about[3] = f"customers since {first:%b %Y}, up to {as_of}"
    rows = rows.assign(cohort=[f"{day.year} Q{day.quarter}" for day in pd.to_datetime(rows["cohort"])])
    colour = alt.Color(
        "retention:Q",
        scale=alt.Scale(domain=[0, 0.5, 1, 1.5], range=["#f3f4f5", LIGHT, ACCENT_MID, "#0d3a63"], clamp=True),
        legend=None,
    )
    cells = (
        alt.Chart()
        .transform_aggregate(customers="sum(customers)", kept="sum(kept)", whole="sum(whole)", groupby=["cohort", "months"])
        .transform_filter("datum.whole > 0")
        .transform_calculate(retention="datum.kept / datum.whole")
    )
    place = {
        "x": alt.X("months:O", axis=alt.Axis(title="Months since the cohort began", labelAngle=0)),
        "y": alt.Y("cohort:O", axis=alt.Axis(title=None)),
    }
    tooltip = [
        alt.Tooltip("cohort:N", title="Cohort"),
        alt.Tooltip("months:Q", title="Months since"),
        alt.Tooltip("retention:Q", title=unit, format=".0%"),
        alt.Tooltip("customers:Q", title="Customers (n)", format=","),
    ]
    layers = [
        cells.mark_rect(stroke="white", strokeWidth=1).encode(**place, color=colour, tooltip=tooltip),
        cells.transform_calculate(percent="round(100 * datum.retention)")
        .mark_text(fontSize=11)
        .encode(**place, text="percent:Q", color=alt.condition("datum.retention > 1.15", alt.value("white"), alt.value(INK))),
    ]
    starters = int(table.loc[table["months"] == 0, "customers"].sum())
    note = (
        f"n: {_many(starters, 'customer')} in {_many(table['cohort'].nunique(), 'cohort')} by quarter, the last {COHORTS_SHOWN} "
        f"at most, to {last:%b %Y}. In each cell per cent. A cell is empty until every customer "
        "of the quarter could have come so far."
    )
    return Figure(*about, _spec(layers, rows, title, {"step": 26}, PICKED), note, table)


def cohort_retention(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """Share of each cohort's customers that is still active."""
    return _retention(marts, as_of, "customers")


def cohort_retention_net_revenue(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """MRR of each cohort, growth included, as a share of what it began with."""
    return _retention(marts, as_of, "net_revenue")


def cohort_retention_gross_revenue(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """MRR of each cohort, growth left out, as a share of what it began with."""
    return _retention(marts, as_of, "gross_revenue")


def clusters(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """Each value cluster's share of customers, of what was sold, and of today's MRR."""
    import altair as alt

    about = (
        "clusters",
        "Which customers bring the money",
        "Share of all customers, of their net amount, of MRR",
        f"up to {as_of}",
    )
    measures = {"customers": "customer_share", "net amount": "net_amount_share", "current MRR": "current_mrr_share"}
    table = _frame(
        marts,
        f"""
        select
            value_cluster_number, value_cluster, customer_count, {", ".join(measures.values())},
            net_amount, current_mrr, evidence
        from marts.icp_value_clusters order by value_cluster_number
        """,
    )
    if table.empty:
        return Figure(*about, None, "There are no customers to group.", table)
    if len(table) == 1:
        return Figure(*about, None, f"All customers are one group: {table['evidence'].iloc[0]}.", table)
    rows: list[dict[str, Any]] = []
    for cluster in table.to_dict("records"):
        rows.append({"name": f"{cluster['value_cluster']} · n {int(cluster['customer_count']):,}"})
        for measure, column in measures.items():
            share = cluster[column]
            if table[column].isna().all():
                continue
            rows.append(
                {"measure": measure, "share": share, "figure": _shares(share), "cluster": cluster["value_cluster"]}
                | {"n": cluster["customer_count"]}
            )
    drawn = pd.DataFrame(rows)
    drawn["row"] = range(len(drawn))
    y = alt.Y("row:O", axis=None)
    bars = alt.Chart().transform_filter("isValid(datum.share)")
    tooltip = [
        alt.Tooltip("cluster:N", title="Cluster"),
        alt.Tooltip("measure:N", title="Share of"),
        alt.Tooltip("share:Q", title="Share", format=".1%"),
        alt.Tooltip("n:Q", title="Customers (n)", format=","),
    ]
    layers = [
        bars.mark_bar(size=14).encode(
            x=alt.X(
                "share:Q", axis=alt.Axis(title="Share of all customers, of their net amount, of MRR", format=".0%", tickCount=5)
            ),
            y=y,
            color=alt.condition("datum.measure === 'customers'", alt.value(LIGHT), alt.value(ACCENT)),
            tooltip=tooltip,
        ),
        alt.Chart()
        .transform_filter("isValid(datum.measure)")
        .transform_calculate(label="datum.figure + ' of ' + datum.measure")
        .mark_text(align="left", dx=6, color=DARK)
        .encode(x=alt.X("end:Q"), y=y, text="label:N"),
        _row_names("name", 0, fontWeight="bold", dy=2).transform_filter("isValid(datum.name)"),
    ]
    drawn["end"] = drawn["share"].clip(lower=0).fillna(0)
    layers[0]["encoding"]["x"]["scale"] = alt.Scale(domain=[min(0.0, float(drawn["share"].min())), 1.35])
    layers[0]["encoding"]["x"]["axis"]["values"] = [0, 0.25, 0.5, 0.75, 1]
    note = (
        f"n: {_many(table['customer_count'].sum(), 'customer')}. {str(table['evidence'].iloc[0]).capitalize()}. Clusters were "
        "formed on revenue, retention and expansion: that they differ in these is how they were made."
    )
    return Figure(*about, _spec(layers, drawn, about[1], {"step": 22}), note, table)


MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
GROUPS_SHOWN = 20


def seasonality(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """New-business orders of each month of the year relative to an even spread, by industry and segment."""
    import altair as alt

    unit = "New-business orders, times an even spread over the year"
    about = ("seasonality", "When new business is won", unit, f"full months up to {as_of}")
    table = _frame(
        marts,
        """
        select
            seasonality.dimension,
            case
                when seasonality.dimension = 'all' then 'All' else coalesce(segments.segment_name, seasonality.value)
            end as name,
            segments.segment_id,
            segments.tier,
            seasonality.verdict,
            seasonality.calendar_month,
            seasonality.is_season,
            seasonality.order_count,
            seasonality.order_index,
            seasonality.compared_months,
            sum(seasonality.order_count) over (partition by seasonality.dimension, seasonality.value) as orders,
            seasonality.value
        from marts.icp_seasonality as seasonality
        left join marts.icp_segments as segments
            on seasonality.dimension = 'segment' and seasonality.value = segments.segment_id
        order by
            case seasonality.dimension when 'all' then 1 when 'segment' then 2 else 3 end,
            seasonality.verdict = 'seasonal' desc, orders desc, seasonality.value, seasonality.calendar_month
        """,
    )
    if table["order_index"].notna().sum() == 0:
        return Figure(*about, None, "Not known: seasons need two years of new-business orders.", table.drop(columns="value"))
    groups = list(dict.fromkeys(zip(table["dimension"], table["value"], strict=True)))
    number = {group: row for row, group in enumerate(groups)}
    table["row"] = [number[group] for group in zip(table["dimension"], table["value"], strict=True)]
    drawn = table[(table["row"] < GROUPS_SHOWN) & table["order_index"].notna()].copy()
    verdicts = {"seasonal": "seasonal", "no_evidence": "no season", "not_enough_data": "too few orders"}
    drawn["figure"] = [
        f"{verdicts[verdict]} · n {int(n):,}" for verdict, n in zip(drawn["verdict"], drawn["orders"], strict=True)
    ]
    first = ~drawn.duplicated("row")
    drawn["label"], drawn["figure"] = drawn["name"].where(first), drawn["figure"].where(first)
    columns = [
        "row",
        "label",
        "figure",
        "segment_id",
        "tier",
        "dimension",
        "calendar_month",
        "is_season",
        "order_count",
        "order_index",
    ]
    drawn = drawn[columns]
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    names = f"{MONTHS}[datum.value - 1]"
    x = alt.X(
        "calendar_month:O",
        scale=alt.Scale(domain=list(range(1, 13))),
        axis=alt.Axis(title=None, labelAngle=0, orient="top", labelExpr=names),
    )
    grey = alt.Color(
        "order_index:Q", scale=alt.Scale(domain=[0, 1, 3], range=["#f6f7f8", "#dfe3e6", "#98a2ab"], clamp=True), legend=None
    )
    tooltip = [
        alt.Tooltip("calendar_month:O", title="Month of the year"),
        alt.Tooltip("order_index:Q", title="New-business orders, times an even spread", format=".2f"),
        alt.Tooltip("order_count:Q", title="Orders (n)", format=","),
        alt.Tooltip("is_season:N", title="Season"),
    ]
    cells = alt.Chart().mark_rect(stroke="white", strokeWidth=1, height=20, yOffset=7)
    layers = [
        cells.encode(x=x, y=y, color=alt.condition("datum.is_season", alt.value(ACCENT), grey), tooltip=tooltip),
        alt.Chart()
        .mark_text(fontSize=11, yOffset=7)
        .encode(
            x=x,
            y=y,
            text=alt.Text("order_index:Q", format=".1f"),
            color=alt.condition("datum.is_season", alt.value("white"), alt.value(DARK)),
        ),
        _row_names("label", 145, dy=-13).transform_filter("isValid(datum.label)"),
        _row_figures("figure", dy=-13).transform_filter("isValid(datum.figure)"),
    ]
    filters = (
        "datum.dimension !== 'segment' || ((segment === 'all' || datum.segment_id === segment) "
        "&& (tier === 'all' || datum.tier === tier))"
    )
    seasonal = len({row for row, verdict in zip(table["row"], table["verdict"], strict=True) if verdict == "seasonal"})
    note = (
        f"{_many(seasonal, 'group')} of {len(groups)} {'is' if seasonal == 1 else 'are'} seasonal; blue months are a season, "
        "grey ones no more than chance may bring. n: new-business orders. 1 is an even spread over the year."
    )
    if len(groups) > GROUPS_SHOWN:
        note += f" Drawn are the {GROUPS_SHOWN} first, by verdict and orders."
    return Figure(*about, _spec(layers, drawn, about[1], {"step": 48}, filters), note, table.drop(columns=["value", "row"]))


CHANNELS_SHOWN = 12
LAST_YEAR = """
        select max({0}.cycle_end) - interval 1 year from marts.{0} where {0}.is_finished"""


def spend(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """Spend of the finished cycles of the last year by channel and tier."""
    import altair as alt

    about = ["spend", "Where the campaign money goes", f"Spend, {currency}", f"the year up to {as_of}"]
    table = _frame(
        marts,
        f"""
        select
            channel, tier, sum(spend) as spend, sum(opportunity_count) as opportunity_count, sum(win_count) as win_count,
            min(cycle_start) as first_day, max(cycle_end) as last_day
        from marts.icp_spend
        where is_finished and cycle_end > ({LAST_YEAR.format("icp_spend")})
        group by channel, tier
        order by sum(sum(spend)) over (partition by channel) desc, channel, tier
        """,
    )
    table = table.assign(spend=table["spend"].astype(float))
    if not len(table) or table["spend"].sum() == 0:
        return Figure(*about, None, "No campaign spend is recorded in the finished cycles of the last year.", table)
    days = [pd.Timestamp(table["first_day"].min()), pd.Timestamp(table["last_day"].max())]
    about[3] = f"{days[0]:%d %b %Y} to {days[1]:%d %b %Y}"
    table = table.drop(columns=["first_day", "last_day"])
    by_channel = table.groupby("channel")["spend"].sum()
    spent = by_channel[by_channel > 0].sort_values(ascending=False, kind="stable")
    shown = list(spent.index[:CHANNELS_SHOWN])
    rows = table[table["channel"].isin(spent.index)].assign(
        label=[
            channel if channel in shown else "other channels" for channel in table[table["channel"].isin(spent.index)]["channel"]
        ]
    )
    drawn = rows.groupby(["label", "tier"], as_index=False)[["spend", "opportunity_count", "win_count"]].sum()
    everything = (
        drawn.groupby("tier", as_index=False)[["spend", "opportunity_count", "win_count"]].sum().assign(label="All channels")
    )
    drawn = pd.concat([everything, drawn])
    order = ["All channels", *shown, "other channels"]
    drawn["row"] = [order.index(label) for label in drawn["label"]]
    total = drawn.groupby("row")["spend"].transform("sum")
    drawn["share"] = drawn["spend"] / total
    drawn["short"] = [_short(value) for value in drawn["spend"]]
    drawn = drawn.sort_values(["row", "tier"]).reset_index(drop=True)
    first = ~drawn.duplicated("row")
    drawn["name"] = drawn["label"].where(first)
    sums = drawn.groupby("row")["spend"].sum()
    drawn["figure"] = [
        f"{currency} {_short(sums[row])}" if is_first else None for row, is_first in zip(drawn["row"], first, strict=True)
    ]
    tiers = [tier for tier in TIERS if tier in set(drawn["tier"])]
    short = {"tier_1": "Tier 1", "tier_2": "Tier 2", "tier_3": "Tier 3", "deprioritized": "Depr.", "unassigned": "No acct."}
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0, paddingOuter=0))
    x = alt.X(
        "tier:N",
        sort=tiers,
        scale=alt.Scale(domain=tiers),
        axis=alt.Axis(title=None, labelAngle=0, orient="top", labelExpr=f"{short}[datum.value]"),
    )
    colour = alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], range=["#f3f5f7", ACCENT_MID]), legend=None)
    tooltip = [
        alt.Tooltip("label:N", title="Channel"),
        alt.Tooltip("tier:N", title="Tier"),
        alt.Tooltip("spend:Q", title=f"Spend, {currency}", format=",.0f"),
        alt.Tooltip("share:Q", title="Of the channel's spend", format=".0%"),
        alt.Tooltip("opportunity_count:Q", title="Opportunities", format=","),
        alt.Tooltip("win_count:Q", title="Wins", format=","),
    ]
    chosen = alt.condition("tier === 'all' || datum.tier === tier", alt.value(1), alt.value(0.3))
    layers = [
        alt.Chart()
        .mark_rect(stroke="white", strokeWidth=1, height=22, yOffset=8)
        .encode(x=x, y=y, color=colour, opacity=chosen, tooltip=tooltip),
        alt.Chart().mark_text(fontSize=11, yOffset=8).encode(x=x, y=y, text="short:N", opacity=chosen),
        _row_names("name", 95, dy=-13).transform_filter("isValid(datum.name)"),
        _row_figures("figure", dy=-13).transform_filter("isValid(datum.figure)"),
    ]
    wins = drawn.loc[drawn["row"] == 0, "win_count"].sum()
    note = (
        f"In each cell {currency}; the shade is the share of the channel's spend. n: {_many(wins, 'win')} "
        "of opportunities that these channels preceded. Depr.: deprioritized; no acct.: campaigns without member accounts."
    )
    if len(spent) > CHANNELS_SHOWN:
        note += f" The {CHANNELS_SHOWN} largest of {len(spent)} channels are named."
    return Figure(*about, _spec(layers, drawn, about[1], {"step": 48}, "true"), note, table)


CYCLES_SHOWN = 26


def _ridges(rows: pd.DataFrame, title: str, top: float, tooltip: list[alt.Tooltip], filters: str | None) -> dict[str, Any]:
    """Small lines over time one below the other, each from 0 to `top`: `row`, `day`, `value`, `low`, `high`, `name`, `figure`."""
    import altair as alt

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
        .encode(x=x, y=alt.Y("base:Q", scale=scale, axis=None), y2="at:Q", detail="row:N"),
        line.transform_filter("isValid(datum.low) && isValid(datum.high)")
        .transform_calculate(
            from_=f"-datum.row + 0.62 * min(datum.low, {top}) / {top}", to=f"-datum.row + 0.62 * min(datum.high, {top}) / {top}"
        )
        .mark_area(color=ACCENT_LIGHT, opacity=0.6)
        .encode(x=x, y=alt.Y("from_:Q", scale=scale, axis=None), y2="to:Q", detail="row:N"),
        base.mark_line(color=LIGHT, strokeWidth=1).encode(x=x, y=alt.Y("base:Q", scale=scale, axis=None), detail="row:N"),
        line.mark_line(color=ACCENT, strokeWidth=2).encode(x=x, y=alt.Y("at:Q", scale=scale, axis=None), detail="row:N"),
        line.mark_point(color=ACCENT, filled=True, size=18, opacity=1).encode(
            x=x, y=alt.Y("at:Q", scale=scale, axis=None), tooltip=tooltip
        ),
    ]
    for field, align, edge in (("name", "left", 0), ("figure", "right", "width")):
        layers.append(
            alt.Chart()
            .transform_filter(f"isValid(datum.{field})")
            .transform_calculate(above="-datum.row + 0.82")
            .mark_text(align=align, color=INK if field == "name" else DARK)
            .encode(x=alt.value(edge), y=alt.Y("above:Q", scale=scale, axis=None), text=f"{field}:N")
        )
    return _spec(layers, rows, title, 68 * count + 10, filters)


MEASURES = {
    "lead": "Leads",
    "opportunity": "Opportunities",
    "win": "Wins",
    "won_value": "Won value",
    "spend": "Campaign spend",
}


def alignment(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """Share of leads, opportunities, wins, value and spend inside a tier, over the year up to the end of each cycle."""
    import altair as alt

    about = [
        "alignment",
        "How much of the effort goes where it pays",
        "Share inside tier 1 and 2, or the chosen tier",
        f"up to {as_of}",
    ]
    columns = {name: name if name in {"won_value", "spend"} else f"{name}_count" for name in MEASURES}
    sums = ", ".join(f"sum({column}) over the_year as {name}" for name, column in columns.items())
    table = _frame(
        marts,
        f"""
        with cycles as (
            select * from marts.icp_alignment where is_finished
        )

        select cycle_end, tier, {sums}
        from cycles
        window the_year as (
            partition by tier order by cycle_end range between interval 1 year - interval 1 day preceding and current row
        )
        qualify cycle_end >= (select min(cycle_start) + interval 1 year - interval 2 day from cycles)
            and dense_rank() over (order by cycle_end desc) <= {CYCLES_SHOWN}
        order by cycle_end, tier
        """,
    )
    if table.empty:
        return Figure(*about, None, "Not known: less than a year of finished cycles.", table)
    days = pd.to_datetime(table["cycle_end"])
    about[3] = f"years that end from {days.min():%d %b %Y} to {days.max():%d %b %Y}"
    for name in MEASURES:
        table[name] = table[name].astype(float)
    both = table[table["tier"].isin(["tier_1", "tier_2"])].groupby("cycle_end", as_index=False)[list(MEASURES)].sum()
    totals = table.groupby("cycle_end")[list(MEASURES)].sum()
    keyed = pd.concat([both.assign(tier="all"), table])
    parts = []
    for row, (name, heading) in enumerate(MEASURES.items()):
        total = keyed["cycle_end"].map(totals[name])
        part = pd.DataFrame({"tier": keyed["tier"], "day": keyed["cycle_end"], "row": row, "n": total})
        part["value"] = (keyed[name] / total.where(total > 0)).where(total > 0)
        newest = part["day"] == part["day"].max()
        of = [f"{currency} {_short(n)}" if name in {"won_value", "spend"} else f"{int(n):,}" for n in part["n"]]
        part["figure"] = [
            f"{_shares(value)} of {n}" if last and value == value else "none" if last else None
            for value, n, last in zip(part["value"], of, newest, strict=True)
        ]
        part["name"] = [heading if last else None for last in newest]
        parts.append(part)
    drawn = pd.concat(parts, ignore_index=True)
    latest = drawn[drawn["day"] == drawn["day"].max()]
    listed = latest[latest["tier"] != "all"].assign(measure=latest["name"], share=latest["value"], of=latest["n"])
    if drawn["value"].notna().sum() == 0:
        return Figure(
            *about, None, "Not known: no leads, opportunities or spend are recorded.", listed[["measure", "tier", "share", "of"]]
        )
    tooltip = [
        alt.Tooltip("day:T", title="Year up to", format="%d %b %Y"),
        alt.Tooltip("value:Q", title="Share", format=".1%"),
        alt.Tooltip("n:Q", title="Of all (n, or money)", format=",.0f"),
    ]
    spec = _ridges(drawn, about[1], 1, tooltip, "datum.tier === tier")
    note = (
        "Each line runs from 0 to 100 %; at the right the latest year and its n. Counts of all there is, not of a sample, so "
        f"there is no interval. At most the {CYCLES_SHOWN} last finished cycles."
    )
    return Figure(*about, spec, note, listed[["measure", "tier", "share", "of"]].reset_index(drop=True))


PAIRS = {
    "marketing_sales": "Marketing targets, Sales works",
    "marketing_icp": "Marketing targets, the ICP wants",
    "sales_icp": "Sales works, the ICP wants",
}


def agreement(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """Overlap of what Marketing targets, Sales works, and the ICP wants, by cycle."""
    import altair as alt

    about = [
        "agreement",
        "Do both teams mean the same accounts?",
        "Accounts chosen by both, of those chosen by either",
        f"up to {as_of}",
    ]
    table = _frame(
        marts,
        f"""
        select cycle_end, pair, prospect_count, either_count, both_count, overlap, overlap_low, overlap_high, kappa
        from marts.icp_agreement where is_finished
        qualify dense_rank() over (order by cycle_end desc) <= {CYCLES_SHOWN}
        order by cycle_end, pair
        """,
    )
    if table["overlap"].notna().sum() == 0:
        return Figure(*about, None, "Not known: it is not recorded whom two of the sides choose.", table)
    days = pd.to_datetime(table["cycle_end"])
    about[3] = f"cycles that end from {days.min():%d %b %Y} to {days.max():%d %b %Y}"
    pairs = [pair for pair in PAIRS if pair in set(table["pair"])]
    drawn = pd.DataFrame(
        {
            "row": [pairs.index(pair) for pair in table["pair"]],
            "day": table["cycle_end"],
            "value": table["overlap"],
            "low": table["overlap_low"],
            "high": table["overlap_high"],
            "n": table["either_count"],
            "both": table["both_count"],
            "kappa": table["kappa"],
        }
    )
    newest = (days == days.max()).to_numpy()
    drawn["name"] = [PAIRS[pair] if last else None for pair, last in zip(table["pair"], newest, strict=True)]
    drawn["figure"] = [
        f"{_shares(value)} of {int(n):,}" if last else None
        for value, n, last in zip(drawn["value"], drawn["n"], newest, strict=True)
    ]
    tooltip = [
        alt.Tooltip("day:T", title="Cycle up to", format="%d %b %Y"),
        alt.Tooltip("value:Q", title="Overlap", format=".1%"),
        alt.Tooltip("low:Q", title="Lower end", format=".1%"),
        alt.Tooltip("high:Q", title="Upper end", format=".1%"),
        alt.Tooltip("both:Q", title="Chosen by both", format=","),
        alt.Tooltip("n:Q", title="Chosen by either (n)", format=","),
        alt.Tooltip("kappa:Q", title="Kappa", format=".2f"),
    ]
    highest = float(drawn["high"].max())
    top = next(step for step in (0.05, 0.1, 0.2, 0.5, 1.0) if highest <= step)
    note = (
        f"Each line runs from 0 to {top:.0%}; at the right the latest cycle and its n. Bands are 95 % intervals. At most the "
        f"{CYCLES_SHOWN} last finished cycles.".replace("%;", " %;")
    )
    return Figure(*about, _ridges(drawn, about[1], top, tooltip, None), note, table)


SCORERS = {
    "adopted": ("adopted segments", [1, 0], ACCENT, 3),
    "segments": ("segments", [1, 0], ACCENT, 2.5),
    "scorecard": ("scorecard", [6, 3], DARK, 2),
    "boosting": ("boosting (unreadable)", [2, 2], MID, 2),
    "random": ("random", [1, 0], LIGHT, 1.5),
}


def backtest(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """Share of won value in the best pursuits of each scorer, over all cut-offs."""
    import altair as alt

    about = ("backtest", "How much value the best-ranked pursuits bring", "Share of won value", f"all cut-offs up to {as_of}")
    table = _frame(
        marts,
        """
        select scorer, share, value as value_share, low as value_share_low, high as value_share_high,
            pursuit_count, won_pursuit_count, note
        from marts.icp_backtest where cutoff = 'all' and measure = 'value_captured' order by scorer, share
        """,
    )
    known = table[table["value_share"].notna()]
    if known.empty:
        reasons = "; ".join(table["note"].dropna().unique()) or "too little is closed to learn before and try after"
        return Figure(*about, None, f"Not known: {reasons}.", table)
    drawn = known.drop(columns="note").rename(
        columns={"value_share_low": "low", "value_share_high": "high", "value_share": "value"}
    )
    scorers = [name for name in SCORERS if name in set(drawn["scorer"])]
    followed = scorers[0]
    colours = [ACCENT_MID if name == "segments" and followed != name else SCORERS[name][2] for name in scorers]
    zero = pd.DataFrame({"scorer": scorers, "share": 0.0, "value": 0.0, "low": 0.0, "high": 0.0})
    labels = {name: SCORERS[name][0] for name in scorers}
    drawn = pd.concat([zero, drawn])
    drawn["scorer"] = drawn["scorer"].map(labels)
    domain = list(labels.values())
    colour = alt.Color("scorer:N", scale=alt.Scale(domain=domain, range=colours), sort=domain, legend=alt.Legend(columns=2))
    dash = alt.StrokeDash(
        "scorer:N",
        scale=alt.Scale(domain=domain, range=[SCORERS[name][1] for name in scorers]),
        sort=domain,
        legend=alt.Legend(columns=2, symbolType="stroke", symbolSize=300),
    )
    x = alt.X("share:Q", axis=alt.Axis(title="Share of pursuits, best ranked first", format=".0%", tickCount=5))
    y = alt.Y("value:Q", axis=alt.Axis(title="Share of won value", format=".0%", tickCount=5), scale=alt.Scale(domain=[0, 1]))
    tooltip = [
        alt.Tooltip("scorer:N", title="Ranked by"),
        alt.Tooltip("share:Q", title="Share of pursuits", format=".0%"),
        alt.Tooltip("value:Q", title="Share of won value", format=".0%"),
        alt.Tooltip("low:Q", title="Lower end", format=".0%"),
        alt.Tooltip("high:Q", title="Upper end", format=".0%"),
        alt.Tooltip("pursuit_count:Q", title="Pursuits (n)", format=","),
    ]
    layers = [
        alt.Chart()
        .transform_filter(alt.datum.scorer == labels[followed])
        .mark_area(color=ACCENT_LIGHT, opacity=0.6)
        .encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        alt.Chart().mark_line(strokeWidth=2.2).encode(x=x, y=y, color=colour, strokeDash=dash),
        alt.Chart().mark_point(size=60, filled=True, opacity=0).encode(x=x, y=y, tooltip=tooltip),
    ]
    n, won = int(known["pursuit_count"].max()), int(known["won_pursuit_count"].max())
    note = (
        f"n: {_many(n, 'pursuit')} scored, {won:,} won. The band is the 95 % interval of the {labels[followed]}. A scenario from "
        "observed sales, not a promise; windows overlap."
    )
    note += "".join(f" {text}." for text in table["note"].dropna().unique())
    return Figure(*about, _spec(layers, drawn, about[1], 280), note, table)


VERDICTS = {
    "keep": (LIGHT, "square"),
    "watch": (ACCENT_MID, "diamond"),
    "revise": (INK, "triangle-up"),
    "not judged": (LIGHT, "stroke"),
}


def cycle_review(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> Figure:
    """The verdict of each finished cycle of the last year on each segment, and on all together."""
    import altair as alt

    about = ["cycle_review", "Does the profile still hold?", "Verdict of each cycle", f"the year up to {as_of}"]
    table = _frame(
        marts,
        f"""
        select
            review.cycle_start, review.cycle_end, review.segment_id, segments.segment_name, review.tier, review.verdict,
            review.reason, review.pursuit_count, review.won_pursuit_count, review.window_pursuit_count
        from marts.icp_cycle_review as review
        left join marts.icp_segments as segments on review.segment_id = segments.segment_id
        where review.is_finished and review.cycle_end > ({LAST_YEAR.format("icp_cycle_review")})
        order by review.cycle_start, segments.lift desc nulls last, review.segment_id
        """,
    )
    if table["verdict"].notna().sum() == 0:
        why = "; ".join(table["reason"].dropna().unique()[:3]) or "no cycle is finished"
        return Figure(*about, None, f"Nothing could be judged: {why}.", table)
    starts = pd.to_datetime(table["cycle_start"])
    about[3] = f"{starts.min():%d %b %Y} to {pd.to_datetime(table['cycle_end']).max():%d %b %Y}"
    order = _frame(
        marts,
        """
        select segment_id from marts.icp_segments
        order by coalesce(lift, (lift_low + lift_high) / 2) desc nulls last, segment_id
        """,
    )["segment_id"]
    rows = {name: row for row, name in enumerate(["all", *order])}
    drawn = table.assign(row=table["segment_id"].map(rows), series=table["verdict"].fillna("not judged"))
    drawn = drawn[drawn["row"].notna()]
    newest = drawn["cycle_start"] == drawn["cycle_start"].max()
    drawn["name"] = [
        None if not last else "All together" if segment == "all" else f"{TIER_NAMES[tier]} · {name}"
        for last, segment, tier, name in zip(newest, drawn["segment_id"], drawn["tier"], drawn["segment_name"], strict=True)
    ]
    drawn["figure"] = drawn["series"].where(newest)
    drawn["reason"] = drawn["reason"].str.slice(0, 160)
    drawn = drawn.drop(columns=["segment_name", "verdict", "cycle_end", "won_pursuit_count"])
    names = list(VERDICTS)
    legend = alt.Legend(columns=2)
    x = alt.X(
        "cycle_start:T",
        scale=alt.Scale(type="utc", padding=10),
        axis=alt.Axis(title="Cycle, by its first day", grid=False, format="%b %Y", tickCount=6, labelOverlap=True),
    )
    tooltip = [
        alt.Tooltip("cycle_start:T", title="Cycle from", format="%d %b %Y"),
        alt.Tooltip("series:N", title="Verdict"),
        alt.Tooltip("reason:N", title="Why"),
        alt.Tooltip("pursuit_count:Q", title="Closed pursuits (n)", format=","),
        alt.Tooltip("window_pursuit_count:Q", title="Of the deciding window (n)", format=","),
    ]
    layers = [
        alt.Chart()
        .mark_point(filled=True, size=110, opacity=1, stroke=MID, strokeWidth=1)
        .encode(
            x=x,
            y=alt.Y("row:O", axis=None),
            color=alt.Color(
                "series:N", scale=alt.Scale(domain=names, range=[colour for colour, _ in VERDICTS.values()]), legend=legend
            ),
            shape=alt.Shape(
                "series:N", scale=alt.Scale(domain=names, range=[shape for _, shape in VERDICTS.values()]), legend=legend
            ),
            tooltip=tooltip,
        ),
        _row_names("name", 75, dy=-18).transform_filter("isValid(datum.name)"),
        _row_figures("figure", dy=-18).transform_filter("isValid(datum.figure)"),
    ]
    filters = (
        "datum.segment_id === 'all' || ((segment === 'all' || datum.segment_id === segment) "
        "&& (tier === 'all' || datum.tier === tier))"
    )
    everything = drawn[drawn["segment_id"] == "all"]
    note = (
        f"n: {_many(everything['pursuit_count'].sum(), 'closed pursuit')} in {_many(len(everything), 'cycle')}. At the right, "
        "the latest verdict. Revise: a change beyond what chance brings in 1 of 20 years that contradicts the tier."
    )
    return Figure(*about, _spec(layers, drawn, about[1], {"step": 52}, filters), note, table)


FIGURES: tuple[Callable[[duckdb.DuckDBPyConnection, str, str], Figure], ...] = (
    segment_lifts,
    effects,
    scorecard,
    score_calibration,
    cohort_retention,
    cohort_retention_net_revenue,
    cohort_retention_gross_revenue,
    mrr_movements,
    clusters,
    funnel,
    alignment,
    agreement,
    spend,
    spend_saving,
    seasonality,
    backtest,
    cycle_review,
    emerging,
)


def figures(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> dict[str, Figure]:
    """Every figure by its id, in reading order. `marts` has the schema `marts`; `currency` and `as_of` are the manifest's."""
    return {figure.id: figure for figure in (make(marts, currency, as_of) for make in FIGURES)}
