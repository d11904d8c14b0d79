"""What the report says, read from the marts: facts and sentences for the template."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from icp_refinery.report.labels import DIMENSIONS, POLICIES, TIERS
from icp_refinery.report.tables import figure_table, tables
from icp_refinery.report.tables.comparison import comparison
from icp_refinery.report.tables.model import BY_TIER, Marts, Row, rows
from icp_refinery.report.words import day

PERSONA_LINES = 3


def read(marts: Marts, manifest: Mapping[str, Any]) -> Row:
    """All that the template is given."""
    currency = manifest["reporting_currency"]
    segments = read_segments(marts)
    made = tables(marts, currency, {segment["segment_id"]: segment["segment_name"] for segment in segments})
    facts: Row = {
        "manifest": manifest,
        "currency": currency,
        "segments": segments,
        "comparison": comparison(segments, currency),
        "totals": read_totals(marts),
        "tiers": [tier for tier in TIERS if any(segment["tier"] == tier for segment in segments)],
        "adoption": next((row for row in made["adoptions"].rows if row["is_in_force"]), None),
        "backtest": read_backtest(marts),
        "savings": {row["what_if"]: row for row in made["what-if"].rows},
        "review": made["review"].rows,
        "disagreements": rows(
            marts,
            "select reason, count(*) as n, sum(at_stake) as at_stake from marts.icp_disagreements group by all order by 1",
        ),
        "tables": made,
        "figures": read_figures(marts, manifest),
        "nurture": nurture_plans(marts),
    }
    facts["unknown"] = unknown(marts, facts)
    facts["missing"] = missing_inputs(marts)
    facts["filter"] = {
        "segments": [{key: segment[key] for key in ("segment_id", "segment_name", "tier")} for segment in segments],
        "tiers": {tier: TIERS[tier][0] for tier in facts["tiers"]},
    }
    return facts


def read_segments(marts: Marts) -> list[Row]:
    """The segments in force, best first, each with what tells it from all accounts."""
    segments = rows(
        marts,
        f"""
        select *,
            account_count - customer_count as prospect_count,
            net_amount / nullif(sum(net_amount) over (), 0) as net_amount_share,
            account_count / nullif(sum(account_count) over (), 0) as account_share,
            pursuit_count / nullif(sum(pursuit_count) over (), 0) as pursuit_share,
            (
                select count(*) from marts.icp_disagreements as accounts
                where accounts.segment_id = icp_segments.segment_id and accounts.reason = 'nobody'
            ) as unworked_count,
            (
                select count(*)
                from marts.fct_customers as customers
                semi join marts.fct_mrr_movements as movements
                    on customers.account_id = movements.account_id and customers.cohort_month = movements.month
                semi join marts.cohort_retention as cohorts on customers.cohort_month = cohorts.cohort_month and months_since = 12
                where customers.segment_id = icp_segments.segment_id
            ) as starting_mrr_customer_count
        from marts.icp_segments
        order by {BY_TIER}, value_per_pursuit desc nulls last, account_count desc, segment_id
        """,
    )
    if wins_only(segments):
        segments = [segment | {"win_rate": None, "win_rate_low": None, "win_rate_high": None} for segment in segments]
    return [segment | {"persona": persona(marts, segment["segment_id"])} for segment in segments]


def wins_only(segments: list[Row]) -> bool:
    """Whether no lost pursuit is recorded, so that a win rate would say nothing."""
    return all(row["won_pursuit_count"] == row["pursuit_count"] for row in segments)


def persona(marts: Marts, segment_id: str) -> list[tuple[str, list[Row]]]:
    """By dimension, what the segment has more often than all accounts: its interval lies above the share of all."""
    found = rows(
        marts,
        """
        select dimension, value, accounts, share, overall_share, index_against_all
        from marts.icp_segment_profiles
        where segment_id = $1 and share_low > overall_share
        union all
        select 'product', item_name, customer_count, attach_rate, overall_attach_rate, index_against_all
        from marts.icp_product_mix
        where segment_id = $1 and item_type = 'product' and item_name is not null and attach_rate_low > overall_attach_rate
        order by index_against_all desc, dimension, value
        """,
        segment_id,
    )
    labels = DIMENSIONS | {"product": "Products"}
    lines = [(label, [row for row in found if row["dimension"] == dimension]) for dimension, label in labels.items()]
    return [(label, of_label[:PERSONA_LINES]) for label, of_label in lines if of_label]


def read_totals(marts: Marts) -> Row:
    """Figures of the whole company, and of how many pursuits its figures are learned."""
    from icp_refinery.learning.backtest import MOST_ACCOUNTS

    [totals] = rows(
        marts,
        """
        select
            (select count(*) from marts.dim_accounts) as account_count,
            (select count(*) from marts.fct_customers) as customer_count,
            (select count(*) from marts.fct_orders) as order_count,
            (select count(margin_amount) from marts.fct_orders) as order_with_margin_count,
            (select min(closed_at) from marts.fct_orders) as first_order_at,
            (select max(closed_at) from marts.fct_orders) as last_order_at,
            (select sum(pursuit_count) from marts.icp_segments) as learned_pursuit_count,
            case
                when (select count(*) from marts.fct_opportunities) = 0 then (select count(*) from marts.fct_customers)
                else (
                    select count(distinct account_id) from marts.fct_opportunities
                    where is_closed and closed_at is not null and coalesce(opportunity_type, 'new_business') = 'new_business'
                )
            end as pursuit_count
        """,
    )
    with_margin = 0 < totals["order_count"] == totals["order_with_margin_count"]
    totals["is_sampled"] = totals["pursuit_count"] > (totals["learned_pursuit_count"] or 0)
    totals["most_backtested"] = MOST_ACCOUNTS
    return totals | {"value_is": "margin" if with_margin else "net amount"}


def read_backtest(marts: Marts) -> Row:
    """The backtest over all cut-offs: what is followed, how many cut-offs, and by measure, scorer and share a row."""
    found = rows(marts, "select * from marts.icp_backtest where cutoff = 'all'")
    [cutoffs] = rows(marts, "select count(distinct cutoff) as n from marts.icp_backtest where cutoff <> 'all'")
    followed = "adopted" if any(row["scorer"] == "adopted" for row in found) else "segments"
    return {
        "followed": followed,
        "cutoff_count": cutoffs["n"],
        "note": next((row["note"] for row in found if row["note"]), None),
        "of": {f"{row['measure']} {row['scorer']} {row['share']:.2f}": row for row in found},
    }


def read_figures(marts: Marts, manifest: Mapping[str, Any]) -> dict[str, Row]:
    """The charts by id, each with its figures as a table."""
    from icp_refinery.report import charts

    drawn = charts.figures(marts, manifest["reporting_currency"], day(manifest["as_of"]))
    return {id: vars(figure) | {"rows": figure_table(figure)} for id, figure in drawn.items()}


def nurture_plans(marts: Marts) -> Markup | str:
    """How to nurture the segments to prioritize, or why that cannot be planned."""
    from icp_refinery import nurture
    from icp_refinery.hubspot.config import ConfigError

    try:
        return Markup(nurture.as_html(nurture.plans(marts)))
    except ConfigError as problem:
        return f"The settings of the plans cannot be read: {problem}"


def missing_inputs(marts: Marts) -> dict[str, list[Row]]:
    """By input that is not there, which marts lack what; their reason without its opening, which names the input again."""
    missing: dict[str, list[Row]] = {}
    for row in rows(marts, "select * from marts.icp_missing_inputs order by input, mart, reason"):
        says = row["reason"].removeprefix(f"The input has no {row['input']}: ").rstrip(".")
        missing.setdefault(row["input"], []).append({"mart": row["mart"], "says": says})
    return missing


def unknown(marts: Marts, facts: Row) -> list[str]:
    """What the data cannot say, in sentences."""
    return [
        *unknown_of_segments(facts["segments"]),
        *unknown_of_value(marts, facts),
        *unknown_of_traits(marts),
        *unknown_of_time(marts, facts),
        "Why: all of this compares what was observed. What happens when accounts are skipped on purpose was not tried.",
    ]


def unknown_of_segments(segments: list[Row]) -> list[str]:
    if all(segment["tier"] == "tier_3" for segment in segments):
        said = [
            "Whom to prioritize and whom to stop targeting: no segment could be shown to be worth more or less than the others."
        ]
    else:
        said = [
            f"Whether {row['segment_name']} is worth more or less than the average: the interval of its lift holds 1"
            f" (n = {row['pursuit_count']:,} pursuits)."
            for row in segments
            if row["measured_tier"] == "tier_3"
        ]
    if segments and all(row["lift"] is None for row in segments):
        said.append(
            "The lift: the value per pursuit of all pursuits is not above 0, so that no ratio to it has a meaning."
            " Segments are compared by the difference in value."
        )
    if segments and wins_only(segments):
        said.append("The chance of winning: every pursuit was won, because lost opportunities are not recorded.")
    said += [
        f"How well {row['segment_name']} does on data that did not choose it: {row['new_pursuit_count']:,} of its"
        f" {row['pursuit_count']:,} pursuits closed after it was learned."
        for row in segments
        if row["status"] == "adopted"
    ]
    return said


def unknown_of_value(marts: Marts, facts: Row) -> list[str]:
    said, totals = [], facts["totals"]
    without = totals["order_count"] - totals["order_with_margin_count"]
    if without:
        said.append(
            f"The margin of {without:,} of {totals['order_count']:,} orders, whose cost is not recorded: values are net amounts"
            " unless they say margin."
        )
    said += sorted({f"Value clusters: {row['evidence']}." for row in facts["tables"]["clusters"].rows if row["evidence"]})
    if not facts["tables"]["clusters"].rows:
        said.append("Groups of customers by value: there are too few customers to group.")
    return said


def unknown_of_traits(marts: Marts) -> list[str]:
    [tried] = rows(
        marts,
        """
        select count(*) as n, count(*) filter (where verdict = 'no_evidence') as without,
            count(*) filter (where verdict = 'leak_suspected') as leaks
        from marts.icp_attribute_effects
        """,
    )
    said = []
    if tried["without"]:
        said.append(
            f"Whether {tried['without']:,} of the {tried['n']:,} combinations of trait and outcome that were tried matter:"
            " no evidence, which is not evidence that they do not."
        )
    if tried["leaks"]:
        said.append(f"What {tried['leaks']:,} of them would say: the trait seems to know the outcome, so it is left out.")
    if not tried["n"]:
        said.append("What raises value: no trait has enough accounts to be tried.")
    return said


def unknown_of_time(marts: Marts, facts: Row) -> list[str]:
    said = (
        [f"What following the segments would have been worth: {facts['backtest']['note'].rstrip('.')}."]
        if facts["backtest"]["note"]
        else []
    )
    said += [f"{POLICIES[what_if]}: {row['note'].rstrip('.')}." for what_if, row in facts["savings"].items() if row["note"]]
    bands = [row for row in facts["tables"]["calibration"].rows if row["score_band"] != "all"]
    outside = [row["score_band"] for row in bands if row["is_within_interval"] is False]
    if outside:
        said.append(
            f"What a score is worth in money in the bands {', '.join(outside)}: what happened later lies outside the interval."
            " Trust the order of the scores more than the amounts."
        )
    if not bands:
        said.append("Whether the fit score holds on later pursuits: there are too few before or after a cut-off.")
    said += [
        f"This cycle's verdict on {row['segment_name']}: {row['reason']}." for row in facts["review"] if row["verdict"] is None
    ]
    [thin] = rows(
        marts,
        "select count(distinct (dimension, value)) as n from marts.icp_seasonality where verdict = 'not_enough_data'",
    )
    if thin["n"]:
        said.append(f"Whether {thin['n']:,} of the groups that were looked at have a season: not enough data.")
    return said
