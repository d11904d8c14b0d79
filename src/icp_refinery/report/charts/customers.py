"""Customers: who stays, what recurs, who brings the money."""

from typing import Any

import altair as alt
import pandas as pd

from icp_refinery.report.charts.builder import (
    PICKED,
    ROWS,
    Figure,
    drawing,
    ends,
    forest,
    frame,
    many,
    row_names,
    shares,
    tips,
)
from icp_refinery.report.charts.theme import ACCENT, ACCENT_LIGHT, ACCENT_MID, DARK, INK, LIGHT, MID
from icp_refinery.report.labels import RETENTIONS
from icp_refinery.report.tables.model import BY_TIER, LEAST_SHOWN, Company, Marts

COHORTS_SHOWN = 12


def retention(marts: Marts, company: Company) -> Figure:
    """Revenue retention of each segment after a year, gross and net, with intervals; not where it is of too few."""
    figure = Figure(
        "retention",
        "Revenue left after a year, by segment",
        "Share of the MRR that customers began with",
        f"up to {company.as_of}",
    )
    ends_of = ", ".join(f"{measure}_revenue_retention{end}" for measure in ("net", "gross") for end in ("", "_low", "_high"))
    table = frame(
        marts,
        f"""
        select segment_id, segment_name, tier, starting_mrr_customer_count, {ends_of}
        from marts.icp_segments order by {BY_TIER}, lift desc nulls last, segment_id
        """,
    )
    measures = [column for column in table if "retention" in column]
    few = table["starting_mrr_customer_count"] < LEAST_SHOWN
    table[measures] = table[measures].astype(float).mask(few)
    if table[measures].notna().sum().sum() == 0:
        most = int(table["starting_mrr_customer_count"].max()) if len(table) else 0
        return figure.unknown(
            f"Not known: no segment has {LEAST_SHOWN} customers who began with MRR a year ago or earlier (at most {most}).", table
        )
    parts = []
    for series, measure, nudge in (("net, with expansion", "net", -4), ("gross, without", "gross", 4)):
        part = table[["segment_id", "tier"]].assign(row=range(len(table)), series=series, nudge=nudge)
        for name, end in (("value", ""), ("low", "_low"), ("high", "_high")):
            part[name] = table[f"{measure}_revenue_retention{end}"]
        part["n"] = table["starting_mrr_customer_count"]
        parts.append(part)
    parts[0]["name"] = table["segment_name"]
    parts[0]["figure"] = [
        f"too few, n {n:,}" if is_few else f"{shares(net)} · n {n:,}"
        for n, net, is_few in zip(table["starting_mrr_customer_count"], table["net_revenue_retention"], few, strict=True)
    ]
    tooltip = tips(("Retention", "series"), ("Share", "value", ".0%"), *ends(".0%"), ("Customers with MRR (n)", "n", ","))
    series = {"net, with expansion": (ACCENT, "circle"), "gross, without": (DARK, "diamond")}
    spec = forest(pd.concat(parts), "Share of the starting MRR", tooltip, series, form=".0%", reference=1, filters=PICKED)
    note = (
        f"n: {many(table.loc[~few, 'starting_mrr_customer_count'].sum(), 'customer')} who began with MRR, a year ago or "
        f"earlier. Lines are 95 % intervals, by resampling customers. Of fewer than {LEAST_SHOWN} nothing is shown."
    )
    return figure.drawn(spec, note, table)


def retention_of_cohorts(marts: Marts, company: Company, measure: str) -> Figure:
    """Retention of quarterly cohorts every three months; a cell only where all of the quarter's cohorts have come so far."""
    title, unit, part, whole = RETENTIONS[measure]
    name = "cohort_retention" if measure == "customers" else f"cohort_retention_{measure}"
    figure = Figure(name, title, unit, f"up to {company.as_of}")
    rows = frame(
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
        return figure.unknown("Not known: no customer has a contract, so nothing can be retained.", table)
    first, last = pd.to_datetime(table["cohort"]).min(), pd.to_datetime(table["cohort"]).max()
    figure = figure.of(f"customers since {first:%b %Y}, up to {company.as_of}")
    rows = rows.assign(cohort=[f"{day.year} Q{day.quarter}" for day in pd.to_datetime(rows["cohort"])])
    colour = alt.Color(
        "retention:Q",
        scale=alt.Scale(domain=[0, 0.5, 1, 1.5], range=["#f3f4f5", LIGHT, ACCENT_MID, "#0d3a63"], clamp=True),
        legend=None,
    )
    cells = (
        alt.Chart()
        .transform_aggregate(customers="sum(customers)", kept="sum(kept)", whole="sum(whole)", groupby=["cohort", "months"])
        .transform_filter(f"datum.whole > 0 && datum.customers >= {LEAST_SHOWN}")
        .transform_calculate(retention="datum.kept / datum.whole")
    )
    place = {
        "x": alt.X("months:O", axis=alt.Axis(title="Months since the cohort began", labelAngle=0)),
        "y": alt.Y("cohort:O", axis=alt.Axis(title=None)),
    }
    tooltip = tips(
        ("Cohort", "cohort"),
        ("Months since", "months"),
        (unit, "retention", ".0%"),
        ("Customers (n)", "customers", ","),
    )
    layers = [
        cells.mark_rect(stroke="white", strokeWidth=1).encode(**place, color=colour, tooltip=tooltip),
        cells.transform_calculate(percent="round(100 * datum.retention)")
        .mark_text(fontSize=11)
        .encode(
            **place, text=alt.Text("percent:Q"), color=alt.condition("datum.retention > 1.15", alt.value("white"), alt.value(INK))
        ),
    ]
    starters = int(table.loc[table["months"] == 0, "customers"].sum())
    note = (
        f"n: {many(starters, 'customer')} in {many(table['cohort'].nunique(), 'cohort')} by quarter, the last {COHORTS_SHOWN} "
        f"at most, to {last:%b %Y}. In each cell per cent. A cell is empty until every customer "
        f"of the quarter could have come so far, and where it is of fewer than {LEAST_SHOWN}."
    )
    return figure.drawn(drawing(layers, rows, {"step": 26}, PICKED), note, table)


def cohort_retention(marts: Marts, company: Company) -> Figure:
    """Share of each cohort's customers that is still active."""
    return retention_of_cohorts(marts, company, "customers")


def cohort_retention_net_revenue(marts: Marts, company: Company) -> Figure:
    """MRR of each cohort, growth included, as a share of what it began with."""
    return retention_of_cohorts(marts, company, "net_revenue")


def cohort_retention_gross_revenue(marts: Marts, company: Company) -> Figure:
    """MRR of each cohort, growth left out, as a share of what it began with."""
    return retention_of_cohorts(marts, company, "gross_revenue")


MOVEMENTS = ["new", "expansion", "reactivation", "contraction", "churn"]


def mrr_movements(marts: Marts, company: Company) -> Figure:
    """New, expanded, contracted and lost MRR by month, and the net of them, of the last 36 months with a change."""
    figure = Figure(
        "mrr_movements",
        "Where recurring revenue was won and lost",
        f"Change of MRR, {company.currency} a month",
        f"up to {company.as_of}",
    )
    rows = frame(
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
    if rows.empty:
        return figure.unknown("There is no MRR: no order has a contract with a term.", rows)
    months = pd.to_datetime(rows["month"])
    figure = figure.of(f"{months.min():%b %Y} to {months.max():%b %Y}")
    axis = alt.Axis(title=None, format="%b %Y", labelOverlap=True, grid=False)
    month = alt.X("utcyearmonth(month):T", axis=axis, bandPosition=0.5)
    colours = [ACCENT, ACCENT_MID, ACCENT_LIGHT, LIGHT, DARK]
    axis = alt.Axis(title=f"Change of MRR, {company.currency}", format="~s", tickCount=5)
    bars = (
        alt.Chart()
        .transform_calculate(order=f"indexof({MOVEMENTS}, datum.movement)")
        .mark_bar()
        .encode(
            x=alt.X("utcyearmonth(month):T"),
            y=alt.Y("sum(mrr_change):Q", axis=axis),
            color=alt.Color("movement:N", scale=alt.Scale(domain=MOVEMENTS, range=colours), sort=MOVEMENTS),
            order="order:Q",
            tooltip=tips(
                ("Month", "utcyearmonth(month)", "%b %Y"),
                ("Movement", "movement"),
                (f"Change of MRR, {company.currency}", "sum(mrr_change)", ",.0f"),
                ("Accounts (n)", "sum(accounts)", ","),
            ),
        )
    )
    net = alt.Chart().encode(x=month, y=alt.Y("sum(mrr_change):Q"))
    tooltip = tips(
        ("Month", "utcyearmonth(month)", "%b %Y"),
        (f"Net change of MRR, {company.currency}", "sum(mrr_change)", ",.0f"),
        ("Accounts with a change (n)", "sum(accounts)", ","),
    )
    layers = [
        bars,
        alt.Chart().mark_rule(color=MID).encode(y=alt.datum(0)),
        net.mark_line(color="white", strokeWidth=4),
        net.mark_line(color=INK, strokeWidth=1.5),
        net.mark_point(color=INK, filled=True, size=22, opacity=1).encode(tooltip=tooltip),
    ]
    note = (
        f"n: {many(rows['accounts'].sum(), 'change')} of accounts' MRR; several within a month are netted. "
        "The black line is the net of all movements. At most the last 36 months with a change are shown."
    )
    table = rows.assign(mrr_change=rows["mrr_change"].astype(float))
    table = table.pivot_table(index="month", columns="movement", values="mrr_change", aggfunc="sum").fillna(0.0)
    table = table.reindex(columns=[movement for movement in MOVEMENTS if movement in table]).assign(net=table.sum(axis=1))
    return figure.drawn(drawing(layers, rows, 260, PICKED), note, table.reset_index())


def clusters(marts: Marts, company: Company) -> Figure:
    """Each value cluster's share of customers, of what was sold, and of today's MRR."""
    figure = Figure(
        "clusters",
        "Which customers bring the money",
        "Share of all customers, of their net amount, of MRR",
        f"up to {company.as_of}",
    )
    measures = {"customers": "customer_share", "net amount": "net_amount_share", "current MRR": "current_mrr_share"}
    table = frame(
        marts,
        f"""
        select
            value_cluster_number, value_cluster, customer_count, {", ".join(measures.values())},
            net_amount, current_mrr, evidence
        from marts.icp_value_clusters order by value_cluster_number
        """,
    )
    if table.empty:
        return figure.unknown("There are no customers to group.", table)
    if len(table) == 1:
        return figure.unknown(f"All customers are one group: {table['evidence'].iloc[0]}.", table)
    rows: list[dict[str, Any]] = []
    for cluster in table.to_dict("records"):
        rows.append({"name": f"{cluster['value_cluster']} · n {int(cluster['customer_count']):,}"})
        for measure, column in measures.items():
            share = cluster[column]
            if table[column].isna().all():
                continue
            rows.append(
                {"measure": measure, "share": share, "figure": shares(share), "cluster": cluster["value_cluster"]}
                | {"n": cluster["customer_count"]}
            )
    drawn = pd.DataFrame(rows)
    drawn["row"] = range(len(drawn))
    bars = alt.Chart().transform_filter("isValid(datum.share)")
    tooltip = tips(
        ("Cluster", "cluster"),
        ("Share of", "measure"),
        ("Share", "share", ".1%"),
        ("Customers (n)", "n", ","),
    )
    layers = [
        bars.mark_bar(size=14).encode(
            x=alt.X(
                "share:Q", axis=alt.Axis(title="Share of all customers, of their net amount, of MRR", format=".0%", tickCount=5)
            ),
            y=ROWS,
            color=alt.condition("datum.measure === 'customers'", alt.value(LIGHT), alt.value(ACCENT)),
            tooltip=tooltip,
        ),
        alt.Chart()
        .transform_filter("isValid(datum.measure)")
        .transform_calculate(label="datum.figure + ' of ' + datum.measure")
        .mark_text(align="left", dx=6, color=DARK)
        .encode(x=alt.X("end:Q"), y=ROWS, text=alt.Text("label:N")),
        row_names(0, fontWeight="bold", dy=2),
    ]
    drawn["end"] = drawn["share"].clip(lower=0).fillna(0)
    layers[0]["encoding"]["x"]["scale"] = alt.Scale(domain=[min(0.0, float(drawn["share"].min())), 1.35])
    layers[0]["encoding"]["x"]["axis"]["values"] = [0, 0.25, 0.5, 0.75, 1]
    note = (
        f"n: {many(table['customer_count'].sum(), 'customer')}. {str(table['evidence'].iloc[0]).capitalize()}. Clusters were "
        "formed on revenue, retention and expansion: that they differ in these is how they were made."
    )
    return figure.drawn(drawing(layers, drawn, {"step": 22}), note, table)
