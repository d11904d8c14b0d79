"""What raises value: traits, points, and whether they held."""

from typing import Any

import altair as alt
import pandas as pd

from icp_refinery.report import words
from icp_refinery.report.charts.builder import PICKED, ROWS, Figure, drawing, ends, forest, frame, headings, many, tips
from icp_refinery.report.charts.theme import ACCENT, DARK, INK, MID
from icp_refinery.report.labels import OUTCOMES
from icp_refinery.report.tables.model import Company, Marts

EFFECTS_SHOWN = 3


def effects(marts: Marts, company: Company) -> Figure:
    """The traits whose effect on an outcome holds, with intervals, the strongest of each outcome."""
    figure = Figure(
        "effects", "What goes with good outcomes", "Share with the outcome, times that of all", f"up to {company.as_of}"
    )
    table = frame(
        marts,
        f"""
        select
            outcome, attribute, value, verdict, accounts, successes, rate, baseline_rate, lift, lift_low, lift_high,
            q_value, consistency, count(*) over (partition by outcome) as holding
        from marts.icp_attribute_effects
        where verdict in ('raises', 'lowers')
        qualify row_number() over (
            partition by outcome order by q_value nulls last, abs(lift - 1) desc nulls last, attribute, value
        ) <= {EFFECTS_SHOWN}
        order by outcome, lift desc nulls last, attribute, value
        """,
    )
    tried = frame(
        marts,
        """
        select outcome, count(*) as tried, count(*) filter (where verdict in ('raises', 'lowers')) as holding
        from marts.icp_attribute_effects group by outcome
        """,
    ).set_index("outcome")
    if tried.empty:
        return figure.unknown("No trait was tried: too few first deals are closed to compare any.", table)
    counts = f"Tried: {int(tried['tried'].sum()):,} combinations of an outcome and a value"
    if table.empty:
        return figure.unknown(f"{counts}; none shows an effect beyond chance.", table)
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
                    "name": f"{words.code(effect['attribute'])}: {words.code(effect['value'])}",
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
    tooltip = tips(
        ("Trait", "name"),
        ("Verdict", "series"),
        ("Accounts (n)", "accounts", ","),
        ("Rate", "rate", ".0%"),
        ("Rate of all", "baseline_rate", ".0%"),
        ("Lift", "value", ".2f"),
        *ends(".2f"),
        ("q (for all that was tried)", "q_value", ".2g"),
        ("Cycles in the same direction", "consistency", ".0%"),
    )
    spec = forest(
        drawn,
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
    return figure.drawn(spec, note, table.drop(columns="holding"))


def scorecard(marts: Marts, company: Company) -> Figure:
    """What each condition adds to, or takes from, the fit score."""
    figure = Figure("scorecard", "What the fit score is made of", "Points on top of those of everyone", f"up to {company.as_of}")
    table = frame(
        marts,
        """
        select definition, attribute, value, points, account_count, pursuit_count, won_pursuit_count, win_rate
        from marts.icp_scorecard order by points desc, condition_id
        """,
    )
    largest = table[table["attribute"].notna()].sort_values("points", key=abs, ascending=False, kind="stable").head(25)
    rows = largest.sort_index().reset_index(drop=True)
    if rows.empty:
        return figure.unknown("Without evidence of an effect every account scores 50.", table)
    segments = frame(marts, "select segment_id, tier from marts.icp_segments").set_index("segment_id")["tier"]
    is_segment = rows["attribute"] == "segment"
    rows = rows.assign(row=range(len(rows)), segment_id=rows["value"].where(is_segment), name=rows["definition"])
    rows["tier"] = rows["segment_id"].map(segments)
    rows["figure"] = [f"{points:+.1f} · n {int(n):,}" for points, n in zip(rows["points"], rows["account_count"], strict=True)]
    tooltip = tips(
        ("Condition", "definition"),
        ("Points", "points", "+.1f"),
        ("Accounts (n)", "account_count", ","),
        ("First deals", "pursuit_count", ","),
        *company.shown(("Win rate", "win_rate", ".0%")),
    )
    layers = [
        alt.Chart()
        .mark_bar(size=10)
        .encode(
            x=alt.X("points:Q", axis=alt.Axis(title="Points of the fit score", tickCount=5)),
            y=ROWS,
            color=alt.condition("datum.points >= 0", alt.value(ACCENT), alt.value(MID)),
            tooltip=tooltip,
        ),
        alt.Chart().mark_rule(color=DARK).encode(x=alt.datum(0)),
        *headings(105),
    ]
    filters = f"!isValid(datum.segment_id) || ({PICKED})"
    note = (
        "n: the accounts that meet the condition. 20 points double the expected value per first deal (where a value below 0 "
        "occurs, 40 points are a standard deviation of value). A tier bounds the score of its segments."
    )
    if len(table) > len(rows) + 1:
        note += f" The {len(rows)} conditions with the most points of {len(table) - 1} are drawn."
    drawn = rows.drop(columns=["attribute", "value", "won_pursuit_count"])
    return figure.drawn(drawing(layers, drawn, {"step": 42}, filters), note, table.drop(columns=["attribute", "value"]))


def score_calibration(marts: Marts, company: Company) -> Figure:
    """What scores predicted and what happened, on first deals that began after the scores were learned."""
    figure = Figure(
        "score_calibration",
        "Do scores hold on later first deals?",
        f"Value per first deal, {company.value_unit}",
        f"up to {company.as_of}",
    )
    table = frame(
        marts,
        """
        select
            score_band, pursuit_count, won_pursuit_count, predicted_value, value_per_pursuit, value_low, value_high,
            is_within_interval, window_months, cutoff_on
        from marts.icp_score_calibration order by score_band <> 'all', score_from desc
        """,
    )
    if table["value_per_pursuit"].notna().sum() == 0:
        return figure.unknown("Not known: no first deal began and closed after a cut-off to learn before.", table)
    figure = figure.of(
        f"first deals begun from {words.day(pd.Timestamp(table['cutoff_on'].iloc[0]))} and closed up to {company.as_of}"
    )
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
    tooltip = tips(
        ("Score", "score_band"),
        ("Value that", "series"),
        (f"Value per first deal, {company.value_unit}", "value", ",.0f"),
        *ends(",.0f"),
        ("First deals (n)", "pursuit_count", ","),
        ("Won", "won_pursuit_count", ","),
    )
    series = {"happened": (ACCENT, "circle"), "predicted": (INK, "diamond")}
    spec = forest(drawn, f"Value per first deal, {company.value_unit}", tooltip, series, form="~s", room=120)
    outside = int((table["is_within_interval"] == False).sum())  # noqa: E712
    judged = int(table["is_within_interval"].notna().sum())
    note = (
        f"Of {many(judged, 'prediction')} with an interval {outside} lie outside it. Lines are 95 % intervals of what happened; "
        "below 5 wins there is none."
    )
    if table["window_months"].notna().any():
        months = many(table["window_months"].max(), "month")
        note += f" Both count the first {months} after a win, to which younger wins are developed."
    return figure.drawn(spec, note, table)
