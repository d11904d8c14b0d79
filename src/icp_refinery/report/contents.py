"""What the report says, read from the marts: facts and tables for the template, nothing computed that a mart already holds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from icp_refinery.report.comparison import comparison
from icp_refinery.report.words import TEXTS, TIERS, day

Row = dict[str, Any]
Marts = duckdb.DuckDBPyConnection

TIER_ORDER = "case tier when 'tier_1' then 1 when 'tier_2' then 2 when 'tier_3' then 3 when 'deprioritized' then 4 else 5 end"
LISTED_ACCOUNTS = 200
LISTED_EFFECTS = 60
LISTED_FIGURES = 300
PERSONA_LINES = 3

DIMENSIONS = {
    "function": "Function",
    "seniority": "Seniority",
    "topic": "Topics",
    "engagement_type": "Engages by",
    "lead_source": "Lead source",
    "campaign_channel": "Campaigns",
    "term": "Term",
    "ever_bought": "Ever bought",
    "first_year_expansion_orders": "Expands in the first year",
    "renewals": "Renewed a contract",
}


@dataclass(frozen=True)
class Column:
    """A column of a table: the mart's column, its heading, how it is written; `low` and `high` name the columns of its interval."""

    key: str
    label: str
    kind: str = "text"
    low: str = ""
    high: str = ""

    @property
    def is_text(self) -> bool:
        return self.kind in TEXTS


@dataclass(frozen=True)
class Table:
    """A table of the report: rows with `segment_id` or `tier` follow the page's filter, unless `filtered` is false."""

    id: str
    caption: str
    columns: list[Column]
    rows: list[Row]
    note: str = ""
    filtered: bool = True


def read(marts: Marts, manifest: Mapping[str, Any]) -> Row:
    """All that the template is given."""
    currency = manifest["reporting_currency"]
    segments = read_segments(marts)
    names = {segment["segment_id"]: segment["segment_name"] for segment in segments}
    backtest = read_backtest(marts)
    facts: Row = {
        "manifest": manifest,
        "currency": currency,
        "segments": segments,
        "totals": read_totals(marts),
        "tiers": [tier for tier in TIERS if any(segment["tier"] == tier for segment in segments)],
        "adoption": first(rows(marts, "select * from marts.icp_adoptions where is_in_force")),
        "backtest": backtest,
        "savings": {row["what_if"]: row for row in rows(marts, "select * from marts.icp_spend_saving")},
        "cycle": read_cycle(marts, names),
        "comparison": comparison(segments, currency),
        "figures": read_figures(marts, manifest),
        "DISAGREEMENTS": DISAGREEMENTS,
    }
    facts["tables"] = {table.id: table for table in tables(marts, currency, names, facts)}
    facts["unknown"] = unknown(marts, facts)
    facts["filter"] = {
        "segments": [{key: segment[key] for key in ("segment_id", "segment_name", "tier")} for segment in segments],
        "tiers": {tier: TIERS[tier][0] for tier in facts["tiers"]},
    }
    return facts


def read_figures(marts: Marts, manifest: Mapping[str, Any]) -> dict[str, Row]:
    """The charts by id, each with its figures as a table of the report."""
    from icp_refinery.report import charts

    drawn = charts.figures(marts, manifest["reporting_currency"], day(manifest["as_of"]))
    return {id: vars(figure) | {"rows": figure_table(figure)} for id, figure in drawn.items()}


def figure_table(figure: Any) -> Table:
    """What a chart shows, as a table: columns by what they hold and are called."""
    found = figure.table.astype(object).where(figure.table.notna(), None).to_dict("records")
    columns = [Column(name, name.replace("_", " ").capitalize(), kind_of(name, found)) for name in figure.table.columns]
    return Table(
        f"of-{figure.id}", figure.title, columns, found[:LISTED_FIGURES], listed(len(found[:LISTED_FIGURES]), len(found), "rows")
    )


def kind_of(name: str, found: list[Row]) -> str:
    """How a column is written, from its name, as the marts are named, and its values."""
    value = next((row[name] for row in found if row[name] is not None), None)
    if name == "tier":
        return "tier"
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, str):
        return "code"
    if name == "calendar_month":
        return name
    if isinstance(value, date):
        return "month" if name.endswith("month") else "day"
    if name.endswith(("_rate", "_share", "_low", "_high", "retention")) and all(0 <= (row[name] or 0) <= 1 for row in found):
        return "share"
    return "count" if isinstance(value, int) else "number"


def listed(shown: int, of: int, what: str) -> str:
    """That a list was cut, where it was."""
    return f"The first {shown:,} of {of:,} {what}." if shown < of else ""


def rows(marts: Marts, query: str, *parameters: Any) -> list[Row]:
    cursor = marts.execute(query, list(parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def first(found: list[Row]) -> Row | None:
    return found[0] if found else None


def has(marts: Marts, mart: str) -> bool:
    query = "select 1 as found from information_schema.tables where table_schema = 'marts' and table_name = ?"
    return bool(rows(marts, query, mart))


def read_segments(marts: Marts) -> list[Row]:
    """The segments in force, best first, each with what tells it from all accounts."""
    segments = rows(
        marts,
        f"""
        select *,
            account_count - customer_count as prospect_count,
            net_amount / nullif(sum(net_amount) over (), 0) as net_amount_share,
            account_count / nullif(sum(account_count) over (), 0) as account_share,
            pursuit_count / nullif(sum(pursuit_count) over (), 0) as pursuit_share
        from marts.icp_segments
        order by {TIER_ORDER}, value_per_pursuit desc nulls last, account_count desc, segment_id
        """,
    )
    for segment in segments:
        segment["persona"] = persona(marts, segment["segment_id"])
        segment["products"] = products(marts, segment["segment_id"])
        segment["rules"] = [rule_in_words(rule) for rule in rules(marts, segment["segment_id"])]
    return segments


def rules(marts: Marts, segment_id: str) -> list[Row]:
    query = "select * from marts.icp_segment_rules where segment_id = ? order by condition_number"
    return rows(marts, query, segment_id)


def rule_in_words(rule: Row) -> str:
    """A condition of a segment, as a person says it."""
    signs = {
        "=": "is",
        "!=": "is not",
        "in": "is one of",
        "not_in": "is none of",
        ">=": "at least",
        "<": "below",
        "is_missing": "is unknown",
        "is_not_missing": "is known",
    }
    value = rule["value"] or ""
    if rule["operator"] in {"in", "not_in"}:
        value = ", ".join(map(str, json.loads(value)))
    return f"{rule['attribute'].replace('_', ' ')} {signs[rule['operator']]} {value}".strip()


def persona(marts: Marts, segment_id: str) -> list[tuple[str, list[Row]]]:
    """By dimension, what the segment has more often than all accounts: its interval lies above the share of all."""
    found = rows(
        marts,
        """
        select dimension, value, accounts, share, share_low, share_high, overall_share, index_against_all
        from marts.icp_segment_profiles
        where segment_id = ? and share_low > overall_share
        order by index_against_all desc, dimension, value
        """,
        segment_id,
    )
    lines = ((label, [row for row in found if row["dimension"] == dimension]) for dimension, label in DIMENSIONS.items())
    return [(label, lines[:PERSONA_LINES]) for label, lines in lines if lines]


def products(marts: Marts, segment_id: str) -> list[Row]:
    """Products that the segment's customers buy more often than all customers."""
    return rows(
        marts,
        f"""
        select item_name, customer_count, attach_rate, attach_rate_low, attach_rate_high, overall_attach_rate, index_against_all
        from marts.icp_product_mix
        where segment_id = ? and item_type = 'product' and item_name is not null and attach_rate_low > overall_attach_rate
        order by index_against_all desc, item_id
        limit {PERSONA_LINES}
        """,
        segment_id,
    )


def read_totals(marts: Marts) -> Row:
    """Figures of the whole company."""
    query = """
        select
            (select count(*) from marts.dim_accounts) as account_count,
            (select count(*) from marts.fct_customers) as customer_count,
            (select count(*) from marts.fct_orders) as order_count,
            (select sum(net_amount) from marts.fct_orders) as net_amount,
            (select count(margin_amount) from marts.fct_orders) as order_with_margin_count,
            (select min(closed_at) from marts.fct_orders) as first_order_at,
            (select max(closed_at) from marts.fct_orders) as last_order_at,
            (select sum(current_mrr) from marts.fct_customers) as current_mrr,
            (select sum(pursuit_count) from marts.icp_segments) as pursuit_count,
            (select sum(won_pursuit_count) from marts.icp_segments) as won_pursuit_count
        """
    totals = rows(marts, query)[0]
    totals["value_is"] = "margin" if 0 < totals["order_count"] == totals["order_with_margin_count"] else "net amount"
    totals["value_per_pursuit"] = rows(
        marts,
        "select sum(value_per_pursuit * pursuit_count) / nullif(sum(pursuit_count), 0) as value from marts.icp_segments",
    )[0]["value"]
    return totals


def read_backtest(marts: Marts) -> Row:
    """The backtest over all cut-offs: by scorer and measure, then by share."""
    found = rows(marts, "select * from marts.icp_backtest where cutoff = 'all'")
    scorer = "adopted" if any(row["scorer"] == "adopted" for row in found) else "segments"
    cutoffs = rows(
        marts,
        "select count(distinct cutoff) as cutoffs, min(cutoff) as first_cutoff, max(cutoff) as last_cutoff from marts.icp_backtest where cutoff <> 'all'",
    )[0]
    figures: Row = {"scorer": scorer, **cutoffs, "note": next((row["note"] for row in found if row["note"]), None)}
    for row in found:
        figures[f"{row['scorer']} {row['measure']} {row['share']:.2f}"] = row
    return figures


def read_cycle(marts: Marts, names: dict[str, str]) -> Row | None:
    """The last finished cycle."""
    found = rows(marts, "select max(cycle_start) as cycle_start from marts.icp_cycle_review where is_finished")
    if found[0]["cycle_start"] is None:
        return None
    review = rows(
        marts,
        f"select * from marts.icp_cycle_review where cycle_start = ? order by {TIER_ORDER}, segment_id",
        found[0]["cycle_start"],
    )
    return {"cycle_start": review[0]["cycle_start"], "cycle_end": review[0]["cycle_end"], "review": named(review, names)}


def named(found: list[Row], names: dict[str, str]) -> list[Row]:
    """Rows with their segment's name; `all` is the whole company and comes first."""
    for row in found:
        segment_id = row.get("segment_id")
        row["segment_name"] = names.get(segment_id, {"all": "All", "unassigned": "Unassigned"}.get(segment_id, segment_id))
    return found


def tables(marts: Marts, currency: str, names: dict[str, str], facts: Row) -> list[Table]:
    """All tables but the cards', in the page's order."""
    in_money = f" ({currency})"
    segment = Column("segment_name", "Segment", "name")
    tier = Column("tier", "Tier", "tier")

    def win_rate(n: str = "pursuit_count") -> list[Column]:
        return [
            Column(n, "Pursuits (n)", "count"),
            Column("won_pursuit_count", "Won", "count"),
            Column("win_rate", "Win rate", "share", "win_rate_low", "win_rate_high"),
        ]

    lift = Column("lift", "Lift", "number", "lift_low", "lift_high")
    value = Column("value_per_pursuit", f"Value per pursuit{in_money}", "money")

    effects = rows(
        marts,
        f"""
        select * from marts.icp_attribute_effects
        where verdict <> 'no_evidence'
        order by case outcome when 'won' then 0 else 1 end, outcome, lift desc nulls last, attribute, value
        limit {LISTED_EFFECTS}
        """,
    )
    tried = rows(
        marts,
        """
        select count(*) as tried, count(*) filter (where verdict <> 'no_evidence') as found,
            count(*) filter (where is_leak) as leaks
        from marts.icp_attribute_effects
        """,
    )[0]
    facts["effects_tried"] = tried
    disagreements = rows(marts, f"select * from marts.icp_disagreements where place <= {LISTED_ACCOUNTS} order by place")
    facts["disagreements"] = rows(
        marts,
        "select reason, count(*) as accounts, sum(at_stake) as at_stake from marts.icp_disagreements group by reason order by reason",
    )
    disagreement_count = sum(row["accounts"] for row in facts["disagreements"])
    listed = f"The first {len(disagreements):,} of {disagreement_count:,} accounts, by what is at stake." if disagreements else ""

    return [
        Table(
            "what-if",
            "What campaigns would have cost and kept, by policy",
            [
                Column("policy", "Policy", "name"),
                Column("saved_share", "Spend saved", "share", "saved_share_low", "saved_share_high"),
                Column("value_kept_share", "Won value kept", "share", "value_kept_share_low", "value_kept_share_high"),
                Column("yearly_saving", f"A year's saving{in_money}", "money", "yearly_saving_low", "yearly_saving_high"),
                Column("yearly_spend", f"Of a year's spend{in_money}", "money"),
                Column("pursuit_count", "Pursuits (n)", "count"),
                Column("note", "Limits"),
            ],
            policies(facts["savings"]),
        ),
        Table(
            "scorecard",
            "Points of the fit score (0 to 100; 20 points more double the expected value)",
            [
                Column("definition", "Condition"),
                Column("points", "Points", "points"),
                Column("account_count", "Accounts", "count"),
                *win_rate(),
            ],
            rows(marts, "select * from marts.icp_scorecard order by attribute is not null, points desc, condition_id"),
        ),
        Table(
            "calibration",
            "Did the score hold? Bands against what happened later",
            [
                Column("score_band", "Score band"),
                *win_rate(),
                Column("value_per_pursuit", f"Value per pursuit{in_money}", "money", "value_low", "value_high"),
                Column("predicted_value", f"Predicted{in_money}", "money"),
                Column("is_within_interval", "Within the interval", "yes"),
                Column("cutoff_on", "Learned before", "day"),
            ],
            rows(marts, "select * from marts.icp_score_calibration order by score_band = 'all' desc, score_from"),
        ),
        Table(
            "effects",
            "Traits with a verdict",
            [
                Column("outcome", "Outcome", "code"),
                Column("attribute", "Trait", "code"),
                Column("value", "Value"),
                Column("verdict", "Verdict", "code"),
                Column("accounts", "Accounts (n)", "count"),
                Column("rate", "Rate", "share"),
                Column("baseline_rate", "Baseline", "share"),
                Column("lift", "Lift", "number", "lift_low", "lift_high"),
                Column("q_value", "q", "p"),
                Column("consistency", "Consistent in cycles", "share"),
                Column("periods", "Cycles (n)", "count"),
                Column("trend", "Trend", "code"),
            ],
            effects,
            f"{len(effects):,} of {tried['found']:,} with a verdict, of {tried['tried']:,} tried; the others show no evidence.",
        ),
        Table(
            "assumptions",
            "What people believe, and what the data say",
            [
                Column("profile", "Profile", "name"),
                Column("believed_by", "Believed by"),
                Column("definition", "Definition"),
                Column("verdict", "Verdict"),
                *win_rate(),
                value,
                lift,
                Column("share_of_tier_1", "Share of tier 1", "share"),
                Column("reason", "Why not"),
            ],
            rows(marts, "select * from marts.icp_assumptions order by verdict, profile"),
        ),
        Table(
            "clusters",
            "Value clusters of customers",
            [
                Column("value_cluster", "Cluster"),
                Column("customer_count", "Customers (n)", "count"),
                Column("customer_share", "Share of customers", "share"),
                Column("net_amount_share", "Share of net amount", "share"),
                Column("average_net_amount", f"Net amount per customer{in_money}", "money"),
                Column("live_share", "Live", "share"),
                Column("renewal_rate", "Renewed when due", "share"),
                Column("renewals_due", "Renewals due (n)", "count"),
                Column("mrr_growth", "MRR now / first", "number"),
                Column("current_mrr", f"MRR{in_money}", "money"),
                Column("evidence", "Evidence"),
            ],
            rows(marts, "select * from marts.icp_value_clusters order by value_cluster_number"),
        ),
        Table(
            "funnel",
            "Every stage, by segment",
            [
                segment,
                tier,
                Column("stage", "Stage", "code"),
                Column("entered_count", "Entered (n)", "count"),
                Column("reached_count", "Reached the next", "count"),
                Column("median_days_to_next", "Median days to next", "number"),
                Column("matured_90_days_count", "90 days old (n)", "count"),
                Column(
                    "conversion_90_days_rate",
                    "Converted in 90 days",
                    "share",
                    "conversion_90_days_low",
                    "conversion_90_days_high",
                ),
                Column("closed_count", "Closed (n)", "count"),
                Column("win_rate", "Win rate", "share", "win_rate_low", "win_rate_high"),
                Column("average_deal_size", f"Deal size{in_money}", "money"),
                Column("deal_size_count", "Deals (n)", "count"),
                Column("average_mrr", f"MRR per win{in_money}", "money"),
            ],
            named(
                rows(marts, f"select * from marts.icp_funnel order by tier = 'all' desc, {TIER_ORDER}, segment_id, stage_number"),
                names,
            ),
        ),
        Table(
            "alignment",
            "Share of each tier in the last finished cycle",
            [
                tier,
                Column("account_share", "Accounts", "share"),
                Column("lead_share", "Leads", "share"),
                Column("lead_count", "Leads (n)", "count"),
                Column("mql_share", "MQLs", "share"),
                Column("sql_share", "SQLs", "share"),
                Column("opportunity_share", "Opportunities", "share"),
                Column("opportunity_count", "Opportunities (n)", "count"),
                Column("win_share", "Wins", "share"),
                Column("win_count", "Wins (n)", "count"),
                Column("won_value_share", "Won value", "share"),
                Column("spend_share", "Spend", "share"),
                Column("spend", f"Spend{in_money}", "money"),
            ],
            rows(
                marts,
                f"""
                select * from marts.icp_alignment
                where cycle_start = (select max(cycle_start) from marts.icp_alignment where is_finished)
                order by {TIER_ORDER}, tier
                """,
            ),
        ),
        Table(
            "agreement",
            "Do Sales, Marketing and the ICP choose the same prospects? The last finished cycle",
            [
                Column("pair_name", "Pair"),
                Column("prospect_count", "Prospects (n)", "count"),
                Column("first_count", "First chose", "count"),
                Column("second_count", "Second chose", "count"),
                Column("both_count", "Both chose", "count"),
                Column("overlap", "Overlap (both / either)", "share", "overlap_low", "overlap_high"),
                Column("agreement", "Same judgement", "share", "agreement_low", "agreement_high"),
                Column("kappa", "Kappa (0: as by chance)", "number"),
            ],
            rows(
                marts,
                """
                select *,
                    case pair when 'marketing_sales' then 'Marketing and Sales' when 'sales_icp' then 'Sales and the ICP'
                        else 'Marketing and the ICP' end as pair_name
                from marts.icp_agreement
                where cycle_start = (select max(cycle_start) from marts.icp_agreement where is_finished)
                order by pair
                """,
            ),
        ),
        Table(
            "disagreements",
            "Accounts to talk about",
            [
                Column("place", "Place", "count"),
                Column("account_name", "Account", "name"),
                Column("account_id", "Id"),
                tier,
                segment,
                Column("why", "What is the matter"),
                Column("at_stake", f"At stake{in_money}", "money"),
                Column("fit_score", "Fit score", "number"),
                Column("spend", f"Recent spend{in_money}", "money"),
                Column("open_opportunity_count", "Open opportunities", "count"),
                Column("last_targeted_at", "Last targeted", "day"),
                Column("last_opened_at", "Last opened", "day"),
            ],
            named(
                [row | {"why": DISAGREEMENTS[row["reason"]]} for row in disagreements],
                names,
            ),
            listed,
        ),
        Table(
            "spend",
            "Campaign spend of the twelve months up to the last finished cycle, by tier and channel",
            [
                tier,
                Column("channel", "Channel", "code"),
                Column("spend", f"Spend{in_money}", "money"),
                Column("spend_share", "Share", "share"),
                Column("opportunity_count", "Opportunities (n)", "count"),
                Column("cost_per_opportunity", f"Per opportunity{in_money}", "money"),
                Column("win_count", "Wins (n)", "count"),
                Column("cost_per_win", f"Per win{in_money}", "money"),
            ],
            rows(
                marts,
                f"""
                select tier, channel, sum(spend) as spend, sum(opportunity_count) as opportunity_count, sum(win_count) as win_count,
                    sum(spend) / nullif(sum(sum(spend)) over (), 0) as spend_share,
                    sum(spend) / nullif(sum(opportunity_count), 0) as cost_per_opportunity,
                    sum(spend) / nullif(sum(win_count), 0) as cost_per_win
                from marts.icp_spend
                where is_finished and cycle_end > (
                    select max(cycle_end) - interval 12 month from marts.icp_spend where is_finished
                )
                group by tier, channel
                order by {TIER_ORDER}, tier, spend desc, channel
                """,
            ),
        ),
        Table(
            "seasonality",
            "Months in which more is bought, again and again",
            [
                Column("dimension", "By", "code"),
                Column("value_name", "Value"),
                Column("calendar_month", "Month", "calendar_month"),
                Column("order_count", "Orders (n)", "count"),
                Column("order_index", "Orders against an even spread", "number"),
                Column("net_amount_index", "Net amount against an even spread", "number"),
                Column("full_years", "Full years", "count"),
                Column("adjusted_p_value", "p, adjusted", "p"),
            ],
            [
                row | {"value_name": names.get(row["value"], row["value"])}
                for row in rows(
                    marts,
                    "select *, case when dimension = 'segment' then value end as segment_id from marts.icp_seasonality where is_season order by dimension, value, calendar_month",
                )
            ],
        ),
        Table(
            "backtest",
            "What following each order would have captured or skipped, all cut-offs together",
            [
                Column("scorer", "Order by", "code"),
                Column("measure", "Measure", "code"),
                Column("share", "At", "share"),
                Column("value", "Share", "share", "low", "high"),
                Column("pursuit_count", "Pursuits (n)", "count"),
                Column("won_pursuit_count", "Won", "count"),
                Column("note", "Note"),
            ],
            rows(marts, "select * from marts.icp_backtest where cutoff = 'all' order by measure, share, scorer"),
        ),
        Table(
            "review",
            "Each segment in the last finished cycle",
            [
                segment,
                tier,
                Column("verdict", "Verdict"),
                Column("reason", "Why"),
                Column("pursuit_count", "Closed pursuits (n)", "count"),
                Column("win_rate", "Win rate", "share", "win_rate_low", "win_rate_high"),
                Column("previous_win_rate", "Cycle before", "share", "previous_win_rate_low", "previous_win_rate_high"),
                Column("previous_pursuit_count", "Cycle before (n)", "count"),
                Column("reference_win_rate", "Reference", "share", "reference_win_rate_low", "reference_win_rate_high"),
                Column("reference_pursuit_count", "Reference (n)", "count"),
                Column("p_value", "p, for a year of looks", "p"),
            ],
            facts["cycle"]["review"] if facts["cycle"] else [],
        ),
        Table(
            "emerging",
            "Traits that emerged or faded in the last year",
            [
                Column("cycle_start", "Cycle", "month"),
                Column("attribute", "Trait", "code"),
                Column("value", "Value"),
                Column("trend", "Trend"),
                Column("latest_pursuit_count", "Last year (n)", "count"),
                Column("latest_win_rate", "Win rate", "share", "latest_win_rate_low", "latest_win_rate_high"),
                Column("before_pursuit_count", "Before (n)", "count"),
                Column("before_win_rate", "Win rate before", "share", "before_win_rate_low", "before_win_rate_high"),
                segment,
            ],
            named(rows(marts, "select * from marts.icp_emerging_attributes order by cycle_start desc, attribute, value"), names),
        ),
        Table(
            "challenger",
            "What learning anew would say",
            [
                segment,
                tier,
                Column("definition", "Rule"),
                Column("account_count", "Accounts", "count"),
                Column("raised_account_count", "Raised", "count"),
                Column("lowered_account_count", "Lowered", "count"),
                *win_rate(),
                lift,
            ],
            rows(marts, f"select * from marts.icp_challenger_segments order by {TIER_ORDER}, segment_id"),
            filtered=False,
        ),
        Table(
            "adoptions",
            "What was agreed",
            [
                Column("adoption_number", "Adoption", "count"),
                Column("in_force_from", "In force from", "day"),
                Column("in_force_until", "Until", "day"),
                Column("agreed_by_sales", "For Sales"),
                Column("agreed_by_marketing", "For Marketing"),
                Column("learned_as_of", "Learned as of", "day"),
                Column("reason", "Why"),
            ],
            rows(marts, "select * from marts.icp_adoptions order by adoption_number desc"),
        ),
        Table(
            "profiles",
            "Who is in each segment",
            [
                segment,
                Column("aspect", "Aspect", "code"),
                Column("dimension", "Dimension", "code"),
                Column("value", "Value", "code"),
                Column("accounts", "Accounts known (n)", "count"),
                Column("share", "Share", "share", "share_low", "share_high"),
                Column("overall_share", "Of all accounts", "share"),
                Column("figure", "Figure", "number"),
                Column("overall_figure", "Of all", "number"),
                Column("index_against_all", "Against all", "number"),
            ],
            named(
                rows(
                    marts,
                    """
                    select * from marts.icp_segment_profiles where segment_id <> 'all'
                    order by segment_id, aspect, dimension, index_against_all desc nulls last, value
                    """,
                ),
                names,
            ),
        ),
        Table(
            "product-mix",
            "What each segment buys",
            [
                segment,
                Column("item_name", "Product"),
                Column("product_family", "Family"),
                Column("customer_count", "Customers (n)", "count"),
                Column("attach_rate", "Bought by", "share", "attach_rate_low", "attach_rate_high"),
                Column("overall_attach_rate", "Of all customers", "share"),
                Column("index_against_all", "Against all", "number"),
                Column("net_amount", f"Net amount{in_money}", "money"),
                Column("value_share", "Share of its net amount", "share"),
            ],
            named(
                rows(
                    marts,
                    """
                    select * from marts.icp_product_mix where segment_id <> 'all' and item_type = 'product'
                    order by segment_id, attach_rate desc nulls last, item_id
                    """,
                ),
                names,
            ),
        ),
        *quality_tables(marts),
        Table(
            "files",
            "Published marts",
            [Column("name", "File"), Column("rows", "Rows", "count"), Column("bytes", "Bytes", "count")],
            [{key: file.get(key) for key in ("name", "rows", "bytes")} for file in facts["manifest"]["files"]],
        ),
    ]


DISAGREEMENTS = {
    "nobody": "Fits, and nobody works it",
    "only_marketing": "Fits; only Marketing works it",
    "only_sales": "Fits; only Sales works it",
    "deprioritized_costs_money": "Deprioritized, and costs money",
}

POLICIES = {
    "skip_deprioritized": "Spend nothing on deprioritized accounts",
    "keep_95": "Skip the lowest, keep 95 % of won value",
    "keep_90": "Skip the lowest, keep 90 % of won value",
}


def policies(savings: dict[str, Row]) -> list[Row]:
    return [{"policy": name} | savings[what_if] for what_if, name in POLICIES.items() if what_if in savings]


def quality_tables(marts: Marts) -> list[Table]:
    """Rejected rows and expectations."""
    found = []
    if has(marts, "quality_rejects"):
        found.append(mart_table(marts, "quality_rejects", "rejects", "Input rows that could not be used"))
    if has(marts, "quality_expectations"):
        found.append(mart_table(marts, "quality_expectations", "expectations", "What was expected of the data"))
    return found


def mart_table(marts: Marts, mart: str, id: str, caption: str) -> Table:
    """A whole mart as a table."""
    found = rows(marts, f"select * from marts.{mart} order by all")
    names = list(found[0]) if found else []
    kinds = {bool: "yes", int: "count", float: "number"}
    columns = []
    for name in names:
        known = next((row[name] for row in found if row[name] is not None), None)
        columns.append(Column(name, name.replace("_", " ").capitalize(), kinds.get(type(known), "text")))
    return Table(id, caption, columns, found, filtered=False)


def unknown(marts: Marts, facts: Row) -> list[str]:
    """What the data cannot say, in sentences."""
    said = []
    segments, totals = facts["segments"], facts["totals"]
    if all(segment["tier"] == "tier_3" for segment in segments):
        said.append(
            "No segment could be shown to be worth more or less than the others: there is nobody to prioritize or to stop targeting on this evidence."
        )
    else:
        for segment in segments:
            if segment["tier"] == "tier_3":
                said.append(
                    f"Whether {segment['segment_name']} is worth more or less than the average: the interval of its lift holds 1"
                    f" ({segment['pursuit_count']:,} pursuits)."
                )
    if segments and all(segment["lift"] is None for segment in segments):
        said.append(
            "The lift: value per pursuit is not above 0 over all pursuits, so that no ratio to it means anything. Segments are compared by the difference in value."
        )
    said += [
        f"{row['mart']}: {row['input']} is not in the input, so {row['reason']}."
        for row in rows(marts, "select * from marts.icp_missing_inputs order by mart, input")
    ]
    without_margin = totals["order_count"] - totals["order_with_margin_count"]
    if without_margin:
        said.append(
            f"The margin of {without_margin:,} of {totals['order_count']:,} orders: their cost is not recorded. Values are net amounts, unless they say margin."
        )
    tried = facts["effects_tried"]
    if tried["tried"]:
        said.append(
            f"Whether {tried['tried'] - tried['found']:,} of the {tried['tried']:,} combinations of trait and outcome that were tried matter: no evidence, which is not evidence of none."
        )
    if tried["leaks"]:
        said.append(
            f"What {tried['leaks']:,} of them would say: the trait seems to be filled in because of the outcome, and is left out."
        )
    if facts["backtest"]["note"]:
        said.append(f"Backtest: {facts['backtest']['note']}")
    said += [f"{POLICIES[what_if]}: {row['note']}" for what_if, row in facts["savings"].items() if row["note"]]
    bands = [row for row in facts["tables"]["calibration"].rows if row["score_band"] != "all"]
    outside = [row["score_band"] for row in bands if row["is_within_interval"] is False]
    if outside:
        said.append(
            f"What a score is worth in money in the bands {', '.join(outside)}: what happened later lies outside the prediction's interval. Trust the order of the scores more than the amounts."
        )
    if not bands:
        said.append("Whether the fit score holds out of time: nothing had closed before the cut-off, or nothing after it.")
    clusters = facts["tables"]["clusters"].rows
    said += sorted({f"Value clusters: {row['evidence']}." for row in clusters if row["evidence"]})
    thin = rows(
        marts,
        "select count(distinct dimension || ': ' || value) as n from marts.icp_seasonality where verdict = 'not_enough_data'",
    )[0]["n"]
    if thin:
        said.append(f"Whether {thin:,} of the groups that were looked at have a season: not enough data.")
    if facts["cycle"]:
        unjudged = [row for row in facts["cycle"]["review"] if row["verdict"] is None]
        said += [f"This cycle's verdict on {row['segment_name']}: {row['reason']}." for row in unjudged]
    said.append(
        "Why: all of this compares what was observed. Nobody has tried what happens when accounts are pursued, or skipped, on purpose."
    )
    return said
