"""When new business is won."""

import altair as alt

from icp_refinery.report.charts.builder import PICKED, ROWS, Figure, drawing, frame, headings, many, tips
from icp_refinery.report.charts.theme import ACCENT, DARK
from icp_refinery.report.tables.model import Company, Marts

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


GROUPS_SHOWN = 20


def seasonality(marts: Marts, company: Company) -> Figure:
    """New-business orders of each month of the year relative to an even spread, by industry and segment."""
    unit = "New-business orders, times an even spread over the year"
    figure = Figure("seasonality", "When new business is won", unit, f"full months up to {company.as_of}")
    table = frame(
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
        return figure.unknown("Not known: seasons need two years of new-business orders.", table.drop(columns="value"))
    groups = list(dict.fromkeys(zip(table["dimension"], table["value"], strict=True)))
    number = {group: row for row, group in enumerate(groups)}
    table["row"] = [number[group] for group in zip(table["dimension"], table["value"], strict=True)]
    drawn = table[(table["row"] < GROUPS_SHOWN) & table["order_index"].notna()].copy()
    verdicts = {"seasonal": "seasonal", "no_evidence": "no season", "not_enough_data": "too few orders"}
    drawn["figure"] = [
        f"{verdicts[verdict]} · n {int(n):,}" for verdict, n in zip(drawn["verdict"], drawn["orders"], strict=True)
    ]
    first = ~drawn.duplicated("row")
    drawn["name"], drawn["figure"] = drawn["name"].where(first), drawn["figure"].where(first)
    drawn = drawn.drop(columns=["verdict", "compared_months", "orders", "value"])
    y = ROWS.scale(alt.Scale(paddingInner=0, paddingOuter=0))
    names = f"{MONTHS}[datum.value - 1]"
    x = alt.X(
        "calendar_month:O",
        scale=alt.Scale(domain=list(range(1, 13))),
        axis=alt.Axis(title=None, labelAngle=0, orient="top", labelExpr=names),
    )
    grey = alt.Color(
        "order_index:Q", scale=alt.Scale(domain=[0, 1, 3], range=["#f6f7f8", "#dfe3e6", "#98a2ab"], clamp=True), legend=None
    )
    tooltip = tips(
        ("Month of the year", "calendar_month"),
        ("New-business orders, times an even spread", "order_index", ".2f"),
        ("Orders (n)", "order_count", ","),
        ("Season", "is_season"),
    )
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
        *headings(145, -13),
    ]
    filters = f"datum.dimension !== 'segment' || ({PICKED})"
    seasonal = len({row for row, verdict in zip(table["row"], table["verdict"], strict=True) if verdict == "seasonal"})
    note = (
        f"{many(seasonal, 'group')} of {len(groups)} {'is' if seasonal == 1 else 'are'} seasonal; blue months are a season, "
        "grey ones no more than chance may bring. n: new-business orders. 1 is an even spread over the year."
    )
    if len(groups) > GROUPS_SHOWN:
        note += f" Drawn are the {GROUPS_SHOWN} first, by verdict and orders."
    return figure.drawn(drawing(layers, drawn, {"step": 48}, filters), note, table.drop(columns=["value", "row"]))
