"""The backtest."""

import altair as alt
import pandas as pd

from icp_refinery.report.charts.builder import Figure, drawing, ends, frame, many, tips
from icp_refinery.report.charts.theme import ACCENT, ACCENT_LIGHT, ACCENT_MID, DARK, LIGHT, MID
from icp_refinery.report.tables.model import Company, Marts

SCORERS = {
    "adopted": ("adopted segments", [1, 0], ACCENT, 3),
    "segments": ("segments", [1, 0], ACCENT, 2.5),
    "scorecard": ("scorecard", [6, 3], DARK, 2),
    "boosting": ("boosting (unreadable)", [2, 2], MID, 2),
    "random": ("random", [1, 0], LIGHT, 1.5),
}


def backtest(marts: Marts, company: Company) -> Figure:
    """Share of won value in the best first deals of each scorer, over all cut-offs."""
    figure = Figure(
        "backtest",
        "How much value the best-ranked first deals bring",
        f"Share of {company.won_value}",
        f"all cut-offs up to {company.as_of}",
    )
    table = frame(
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
        return figure.unknown(f"Not known: {reasons}.", table)
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
    x = alt.X("share:Q", axis=alt.Axis(title="Share of first deals, best ranked first", format=".0%", tickCount=5))
    y = alt.Y(
        "value:Q", axis=alt.Axis(title=f"Share of {company.won_value}", format=".0%", tickCount=5), scale=alt.Scale(domain=[0, 1])
    )
    tooltip = tips(
        ("Ranked by", "scorer"),
        ("Share of first deals", "share", ".0%"),
        (f"Share of {company.won_value}", "value", ".0%"),
        *ends(".0%"),
        ("First deals (n)", "pursuit_count", ","),
    )
    layers = [
        alt.Chart()
        .transform_filter(alt.datum.scorer == labels[followed])
        .mark_area(color=ACCENT_LIGHT, opacity=0.6)
        .encode(x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q")),
        alt.Chart().mark_line(strokeWidth=2.2).encode(x=x, y=y, color=colour, strokeDash=dash),
        alt.Chart().mark_point(size=60, filled=True, opacity=0).encode(x=x, y=y, tooltip=tooltip),
    ]
    n, won = int(known["pursuit_count"].max()), int(known["won_pursuit_count"].max())
    note = (
        f"n: {many(n, 'first deal')} scored, {won:,} won. The band is the 95 % interval of the {labels[followed]}. A scenario "
        "from observed sales, not a promise; windows overlap."
    )
    note += "".join(f" {text}." for text in table["note"].dropna().unique())
    return figure.drawn(drawing(layers, drawn, 280), note, table)
