"""What changed: verdicts by cycle, traits that emerged or faded."""

import altair as alt
import pandas as pd

from icp_refinery.report import labels, words
from icp_refinery.report.charts.builder import (
    LAST_YEAR,
    PICKED,
    ROWS,
    Figure,
    drawing,
    ends,
    forest,
    frame,
    headings,
    many,
    shares,
    signs,
    tips,
)
from icp_refinery.report.charts.theme import ACCENT, ACCENT_MID, INK, LIGHT, MID, NAMES
from icp_refinery.report.tables.model import Company, Marts

VERDICTS = {
    labels.VERDICTS["keep"]: (LIGHT, "square"),
    labels.VERDICTS["watch"]: (ACCENT_MID, "diamond"),
    labels.VERDICTS["revise"]: (INK, "triangle-up"),
    "not judged": (LIGHT, "stroke"),
}


def span(counts: pd.Series) -> str:
    """The least to the largest count, or the one there is."""
    return " to ".join(dict.fromkeys(f"{int(count):,}" for count in (counts.min(), counts.max())))


def cycle_review(marts: Marts, company: Company) -> Figure:
    """The verdict of each finished cycle of the last year on each segment, and on all together."""
    figure = Figure("cycle_review", "Does the profile still hold?", "Verdict of each cycle", f"the year up to {company.as_of}")
    table = frame(
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
        return figure.unknown(f"Nothing could be judged: {why}.", table)
    starts = pd.to_datetime(table["cycle_start"])
    figure = figure.of(f"{words.day(starts.min())} to {words.day(pd.to_datetime(table['cycle_end']).max())}")
    order = frame(
        marts,
        """
        select segment_id from marts.icp_segments
        order by coalesce(lift, (lift_low + lift_high) / 2) desc nulls last, segment_id
        """,
    )["segment_id"]
    rows = {name: row for row, name in enumerate(["all", *order])}
    drawn = table.assign(row=table["segment_id"].map(rows), series=table["verdict"].map(labels.VERDICTS).fillna("not judged"))
    drawn = drawn[drawn["row"].notna()]
    newest = drawn["cycle_start"] == drawn["cycle_start"].max()
    drawn["name"] = [
        None if not last else "All together" if segment == "all" else f"{NAMES[tier]} · {name}"
        for last, segment, tier, name in zip(newest, drawn["segment_id"], drawn["tier"], drawn["segment_name"], strict=True)
    ]
    drawn["figure"] = drawn["series"].where(newest)
    drawn["reason"] = drawn["reason"].map(words.code).str.slice(0, 160)
    drawn = drawn.drop(columns=["segment_name", "verdict", "cycle_end", "won_pursuit_count"])
    x = alt.X(
        "cycle_start:T",
        scale=alt.Scale(type="utc", padding=10),
        axis=alt.Axis(title="Cycle, by its first day", grid=False, format="%b %Y", tickCount=6, labelOverlap=True),
    )
    tooltip = tips(
        ("Cycle from", "cycle_start", "%d %b %Y"),
        ("Verdict", "series"),
        ("Why", "reason"),
        ("Closed first deals (n)", "pursuit_count", ","),
        ("Of the deciding window (n)", "window_pursuit_count", ","),
    )
    layers = [
        alt.Chart()
        .mark_point(filled=True, size=110, opacity=1, stroke=MID, strokeWidth=1)
        .encode(
            x=x,
            y=ROWS,
            tooltip=tooltip,
            **signs("series", VERDICTS, alt.Legend(columns=2)),
        ),
        *headings(75, -18),
    ]
    filters = f"datum.segment_id === 'all' || ({PICKED})"
    everything = drawn[drawn["segment_id"] == "all"]
    note = (
        f"n: {many(everything['pursuit_count'].sum(), 'closed first deal')} in {many(len(everything), 'cycle')}. At the right, "
        "the latest verdict. To be revised: a change beyond what chance brings in 1 of 20 years that contradicts the tier."
    )
    return figure.drawn(drawing(layers, drawn, {"step": 52}, filters), note, table)


def emerging(marts: Marts, company: Company) -> Figure:
    """Traits that began, or ceased, to raise the chance of winning, as the latest finished cycle sees them."""
    figure = Figure("emerging", "Traits that emerged or faded", "Share of first deals won", f"up to {company.as_of}")
    table = frame(
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
        return figure.unknown("No trait emerged or faded in the finished cycles of the last year, as far as can be told.", table)
    figure = figure.of(f"cycle from {words.day(pd.Timestamp(table['cycle_start'].iloc[0]))}: the year to its end, and before")
    parts = []
    for series, prefix, nudge in (("before", "before_", 4), ("the latest year", "latest_", -4)):
        part = pd.DataFrame({"row": range(len(table)), "series": series, "nudge": nudge})
        for name, column in (("low", "win_rate_low"), ("value", "win_rate"), ("high", "win_rate_high"), ("n", "pursuit_count")):
            part[name] = table[prefix + column]
        parts.append(part)
    parts[0]["name"] = [
        f"{labels.TRENDS.get(trend, trend)} · {words.code(attribute)}: {words.code(value)}"
        for trend, attribute, value in zip(table["trend"], table["attribute"], table["trait_value"], strict=True)
    ]
    parts[0]["figure"] = [
        f"{shares(before)} → {shares(latest)}"
        for before, latest in zip(table["before_win_rate"], table["latest_win_rate"], strict=True)
    ]
    tooltip = tips(
        ("When", "series"),
        ("Win rate", "value", ".0%"),
        *ends(".0%"),
        ("First deals (n)", "n", ","),
    )
    series = {"before": (MID, "diamond"), "the latest year": (ACCENT, "circle")}
    spec = forest(pd.concat(parts), "Win rate", tooltip, series, form=".0%")
    note = (
        f"n: {span(table['latest_pursuit_count'])} first deals in the year, {span(table['before_pursuit_count'])} before. "
        "Lines are 95 % intervals. At most 12 are shown."
    )
    return figure.drawn(spec, note, table)
