"""What each tier gets and what it brings."""

import altair as alt
import pandas as pd

from icp_refinery.report import words
from icp_refinery.report.charts.builder import Figure, drawing, row_names, shares, tips
from icp_refinery.report.charts.theme import ACCENT, DARK, LIGHT, MID, NAMES
from icp_refinery.report.first_page import MEASURES, last_quarters, tier_shares
from icp_refinery.report.tables.model import Company, Marts

GOT = ("lead", "opportunity", "spend")
ROW = 36


def money(marts: Marts, company: Company) -> Figure:
    """Share of leads, opportunities and spend of each tier beside its share of won value, over the last four quarters."""
    brought = "win" if company.value_basis == "wins" else "won_value"
    figure = Figure(
        "money",
        "What each tier gets and what it brings",
        "Share of all new business",
        f"up to {company.as_of}",
    )
    found = tier_shares(marts, last_quarters(marts))
    if found is None:
        return figure.unknown("Not known: no reporting cycle of the last four quarters is finished.", pd.DataFrame())
    figure = figure.of(f"{words.day(found['starts'])} to {words.day(found['ends'])}")
    table = pd.DataFrame(
        [
            {
                "tier": row["tier"],
                "series": MEASURES[measure],
                "share": row[f"{measure}_share"],
                "of": float(found["totals"][measure]),
            }
            for row in found["tiers"]
            for measure in (*GOT, brought)
        ]
    )
    known = table.dropna(subset="share")
    if not known["series"].isin([MEASURES[measure] for measure in GOT]).any() or MEASURES[brought] not in set(known["series"]):
        return figure.unknown("Not known: no effort, or nothing won, is recorded in this time.", table)
    tiers = [row["tier"] for row in found["tiers"] if row["tier"] != "unassigned"]
    if len(tiers) < 2:
        return figure.unknown("All accounts are of one tier: there is nothing to compare.", table)
    drawn = known[known["tier"].isin(tiers)].assign(row=[tiers.index(tier) for tier in known["tier"] if tier in tiers])
    drawn["value"] = drawn["share"]
    drawn["name"] = [
        NAMES[tier] if series == MEASURES[brought] else None for tier, series in zip(drawn["tier"], drawn["series"], strict=True)
    ]
    by_tier = drawn.groupby("tier")["value"]
    drawn["low"], drawn["high"] = by_tier.transform("min"), by_tier.transform("max")
    names = [MEASURES[measure] for measure in (*GOT, brought)]
    series = alt.Scale(domain=names, range=[MID, DARK, "#b26a00", ACCENT])
    shapes = alt.Scale(domain=names, range=["square", "diamond", "triangle-up", "circle"])
    legend = alt.Legend(columns=4, symbolSize=80, columnPadding=12)
    y = alt.Y("row:O", axis=None, scale=alt.Scale(padding=0))
    x = alt.X("value:Q", axis=alt.Axis(title=None, format=".0%", tickCount=5), scale=alt.Scale(domainMin=0))
    layers = [
        alt.Chart()
        .transform_filter("isValid(datum.name)")
        .mark_rule(strokeWidth=3, color=LIGHT)
        .encode(x=alt.X("low:Q"), x2=alt.X2("high:Q"), y=y),
        alt.Chart()
        .mark_point(filled=True, size=100, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color("series:N", scale=series, sort=names, legend=legend),
            shape=alt.Shape("series:N", scale=shapes, sort=names, legend=legend),
            tooltip=tips(("Tier", "tier"), ("Of all", "series"), ("Share", "value", ".1%"), ("All (n, or money)", "of", ",.0f")),
        ),
        row_names(0),
    ]
    note = "Counts of all there is, not of a sample, so there is no interval."
    unassigned = known[known["tier"] == "unassigned"]
    if not unassigned.empty and unassigned["share"].max() > 0:
        note += (
            " Not drawn, as it is of no account: "
            + ", ".join(
                f"{shares(share)} of {series}"
                for series, share in zip(unassigned["series"], unassigned["share"], strict=True)
                if share
            )
            + "."
        )
    return figure.drawn(drawing(layers, drawn, {"step": ROW, "for": "position"}), note, table)
