"""Campaign spend."""

import altair as alt
import pandas as pd

from icp_refinery.report import words
from icp_refinery.report.charts.builder import LAST_YEAR, ROWS, Figure, drawing, ends, forest, frame, headings, many, short, tips
from icp_refinery.report.charts.theme import ACCENT, ACCENT_MID, DARK, NAMES, TIERS
from icp_refinery.report.labels import POLICIES
from icp_refinery.report.tables.model import Company, Marts

CHANNELS_SHOWN = 12


def spend(marts: Marts, company: Company) -> Figure:
    """Spend of the finished cycles of the last year by channel and tier."""
    figure = Figure("spend", "Where the campaign money goes", f"Spend, {company.currency}", f"the year up to {company.as_of}")
    table = frame(
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
        return figure.unknown("No campaign spend is recorded in the finished cycles of the last year.", table)
    days = [pd.Timestamp(table["first_day"].min()), pd.Timestamp(table["last_day"].max())]
    figure = figure.of(f"{words.day(days[0])} to {words.day(days[1])}")
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
    drawn["short"] = [short(value) for value in drawn["spend"]]
    drawn = drawn.sort_values(["row", "tier"]).reset_index(drop=True)
    first = ~drawn.duplicated("row")
    drawn["label"] = drawn["label"].map(words.code)
    drawn["name"] = drawn["label"].where(first)
    sums = drawn.groupby("row")["spend"].sum()
    drawn["figure"] = [
        f"{company.currency} {short(sums[row])}" if is_first else None for row, is_first in zip(drawn["row"], first, strict=True)
    ]
    tiers = [tier for tier in TIERS if tier in set(drawn["tier"])]
    columns = {tier: NAMES[tier].split(":")[0] for tier in tiers} | {"unassigned": "No account"}
    y = ROWS.scale(alt.Scale(paddingInner=0, paddingOuter=0))
    x = alt.X(
        "tier:N",
        sort=tiers,
        scale=alt.Scale(domain=tiers),
        axis=alt.Axis(title=None, labelAngle=0, orient="top", labelExpr=f"{columns}[datum.value]"),
    )
    colour = alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], range=["#f3f5f7", ACCENT_MID]), legend=None)
    tooltip = tips(
        ("Channel", "label"),
        ("Tier", "tier"),
        (f"Spend, {company.currency}", "spend", ",.0f"),
        ("Of the channel's spend", "share", ".0%"),
        ("Opportunities", "opportunity_count", ","),
        ("Wins", "win_count", ","),
    )
    chosen = alt.condition("tier === 'all' || datum.tier === tier", alt.value(1), alt.value(0.3))
    layers = [
        alt.Chart()
        .mark_rect(stroke="white", strokeWidth=1, height=22, yOffset=8)
        .encode(x=x, y=y, color=colour, opacity=chosen, tooltip=tooltip),
        alt.Chart().mark_text(fontSize=11, yOffset=8).encode(x=x, y=y, text=alt.Text("short:N"), opacity=chosen),
        *headings(95, -13),
    ]
    wins = drawn.loc[drawn["row"] == 0, "win_count"].sum()
    note = (
        f"In each cell {company.currency}; the shade is the share of the channel's spend. n: {many(wins, 'win')} "
        "of opportunities that these channels preceded. No account: campaigns without member accounts."
    )
    if len(spent) > CHANNELS_SHOWN:
        note += f" The {CHANNELS_SHOWN} largest of {len(spent)} channels are named."
    return figure.drawn(drawing(layers, drawn, {"step": 48}, "true"), note, table)


def spend_saving(marts: Marts, company: Company) -> Figure:
    """What share of spend could have been saved, and what share of won value kept."""
    figure = Figure(
        "spend_saving",
        "What spending less would have kept",
        f"Share of spend, of {company.won_value}",
        f"backtest up to {company.as_of}",
    )
    table = frame(marts, "select * from marts.icp_spend_saving order by what_if <> 'skip_deprioritized', value_kept_share desc")
    known = table[table["saved_share"].notna()].reset_index(drop=True)
    if known.empty:
        reasons = " ".join(table["note"].dropna().unique()) or "no campaign spend is recorded."
        return figure.unknown(f"Not known: {reasons}", table)
    what = {code: company.says(text) for code, text in POLICIES.items()}
    parts, kept = [], f"{company.won_value} kept"
    for series, column, nudge in (("spend saved", "saved_share", -4), (kept, "value_kept_share", 4)):
        part = pd.DataFrame({"row": range(len(known)), "series": series, "nudge": nudge, "what_if": known["what_if"].map(what)})
        for name, end in (("low", "_low"), ("value", ""), ("high", "_high")):
            part[name] = known[column + end]
        part["n"], part["saving"] = known["pursuit_count"], known["yearly_saving"]
        parts.append(part)
    parts[0]["name"] = known["what_if"].map(what)
    parts[0]["figure"] = [f"{company.currency} {short(saving)} a year" for saving in known["yearly_saving"]]
    tooltip = tips(
        ("What if", "what_if"),
        ("Share of", "series"),
        ("Share", "value", ".0%"),
        *ends(".0%"),
        (f"Saving, {company.currency} a year", "saving", ",.0f"),
        ("First deals (n)", "n", ","),
    )
    series = {"spend saved": (ACCENT, "circle"), kept: (DARK, "diamond")}
    spec = forest(pd.concat(parts), "Share", tooltip, series, form=".0%", room=125)
    spec["layer"][1]["encoding"]["x"]["scale"]["domain"] = [0, 1]
    note = (
        f"n: {many(known['pursuit_count'].iloc[0], 'first deal')}, {int(known['won_pursuit_count'].iloc[0]):,} won; of a yearly "
        f"spend of {company.currency} {float(known['yearly_spend'].iloc[0]):,.0f}. Lines are 95 % intervals; without one the "
        "share is given. A scenario from observed sales, not a promise: what campaigns bring beyond them, nobody has observed."
    )
    return figure.drawn(spec, note, table)
