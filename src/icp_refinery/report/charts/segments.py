"""The segments' value."""

from dataclasses import replace

import altair as alt
import pandas as pd

from icp_refinery.report.charts.builder import (
    PICKED,
    ROWS,
    Figure,
    drawing,
    ends,
    frame,
    gutter,
    gutter_headings,
    many,
    signs,
    tips,
)
from icp_refinery.report.charts.theme import MID, NAMES, TIER_SIGNS
from icp_refinery.report.tables.model import Company, Marts


def segment_lifts(marts: Marts, company: Company) -> Figure:
    """Value per first deal of each segment relative to all, with intervals."""
    figure = Figure(
        "segment_lifts",
        "What a first deal is worth in each segment",
        "Value per first deal, times that of all first deals",
        f"up to {company.as_of}",
    )
    table = frame(
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
        return figure.unknown("No lift is known: no segment has first deals whose value can be compared.", table)
    if len(table) == 1:
        n = many(rows["pursuit_count"].sum(), "first deal")
        return figure.unknown(f"All accounts are one segment (n: {n}): no difference between them could be shown.", table)
    drawn = drawn.assign(row=range(len(drawn)))
    drawn["name"] = [f"{NAMES[tier]} · {name}" for tier, name in zip(drawn["tier"], drawn["segment_name"], strict=True)]
    drawn["figure"] = [
        f"n {int(n):,}" if pd.isna(lift) else f"{lift:.1f}× · n {int(n):,}"
        for lift, n in zip(drawn["lift"], drawn["pursuit_count"], strict=True)
    ]
    by = signs("tier", TIER_SIGNS, None)
    tooltip = tips(
        ("Segment", "segment_name"),
        ("Tier", "tier"),
        ("First deals (n)", "pursuit_count", ","),
        ("Won", "won_pursuit_count", ","),
        *company.shown(("Win rate", "win_rate", ".0%")),
        (f"Value per first deal, {company.value_unit}", "value_per_pursuit", ",.0f"),
        ("Lift", "lift", ".2f"),
        *ends(".2f", "lift_low", "lift_high"),
    )
    # Where all first deals together bring nothing, the marts give 1 + difference / overall spread, and its interval alone.
    has_lift = bool(drawn["lift"].notna().any())
    scale = "Value per first deal (1 = all first deals)" if has_lift else "1 + difference from all, in overall spreads"
    axis = alt.Axis(title=scale, tickCount=5, format="~g")
    layers = [
        alt.Chart().mark_rule(color=MID).encode(x=alt.datum(1)),
        alt.Chart()
        .mark_rule(strokeWidth=2)
        .encode(x=alt.X("lift_low:Q", axis=axis, scale=gutter(95)), x2=alt.X2("lift_high:Q"), y=ROWS, color=by["color"]),
        alt.Chart().mark_point(filled=True, size=110, opacity=1).encode(x=alt.X("lift:Q"), y=ROWS, tooltip=tooltip, **by),
        *gutter_headings(95, -16),
    ]
    note = (
        f"n: {many(rows['pursuit_count'].sum(), 'first deal')}, {int(rows['won_pursuit_count'].sum()):,} of them won. "
        "Lines are intervals, 95 % for all segments together; one that crosses 1 is no evidence of a difference."
    )
    if not has_lift:
        figure = replace(figure, unit=scale)
        note += " There is no lift, as all first deals together bring no value above 0: only differences have intervals."
    left_out = len(table) - len(drawn)
    if left_out:
        note += f" Not drawn: {many(left_out, 'segment')} without a known lift."
    return figure.drawn(drawing(layers, drawn, {"step": 46}, PICKED), note, table)
