"""The report's tables: which rows of which mart, and how each column is called and written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from icp_refinery.report.words import TEXTS

Row = dict[str, Any]
Marts = duckdb.DuckDBPyConnection

LISTED_ACCOUNTS = 200
LISTED_EFFECTS = 60
LISTED_PRODUCTS = 20
LISTED_ROWS = 300

BY_TIER = "case tier when 'tier_1' then 1 when 'tier_2' then 2 when 'tier_3' then 3 when 'deprioritized' then 4 else 5 end, tier"
DISAGREEMENTS = {
    "nobody": "Fits, and nobody works it",
    "only_marketing": "Fits; only Marketing works it",
    "only_sales": "Fits; only Sales works it",
    "deprioritized_costs_money": "Deprioritized, and costs money",
}
PAIRS = {
    "marketing_sales": "Marketing and Sales",
    "marketing_icp": "Marketing and the ICP",
    "sales_icp": "Sales and the ICP",
}
POLICIES = {
    "skip_deprioritized": "Spend nothing on deprioritized accounts",
    "keep_95": "Skip the lowest segments, keep 95 % of won value",
    "keep_90": "Skip the lowest segments, keep 90 % of won value",
}
MEASURES = {
    ("value_captured", 0.2): "Won value in the best 20 % of pursuits",
    ("pursuits_skippable", 0.9): "Pursuits to skip, keeping 90 % of won value",
    ("pursuits_skippable", 0.95): "Pursuits to skip, keeping 95 % of won value",
    ("spend_skippable", 0.9): "Spend to skip, keeping 90 % of won value",
    ("spend_skippable", 0.95): "Spend to skip, keeping 95 % of won value",
}
SCORERS = ["adopted", "segments", "scorecard", "boosting", "random"]
IN_WORDS = {"disagreements": ("reason", DISAGREEMENTS), "agreement": ("pair", PAIRS), "what-if": ("what_if", POLICIES)}


@dataclass(frozen=True)
class Column:
    """A column: the mart's name, the heading, and how it is written (`words.KINDS`)."""

    key: str
    label: str
    kind: str = "text"

    @property
    def is_text(self) -> bool:
        return self.kind in TEXTS


@dataclass(frozen=True)
class Table:
    """Rows with `segment_id` or `tier` follow the page's filter. A row's `<column>_low` and `<column>_high` are its interval."""

    id: str
    caption: str
    columns: list[Column]
    rows: list[Row]
    note: str = ""


SEGMENT = Column("segment_name", "Segment", "name")
TIER = Column("tier", "Tier", "tier")
WIN_RATE = [
    Column("pursuit_count", "Pursuits (n)", "count"),
    Column("won_pursuit_count", "Won", "count"),
    Column("win_rate", "Win rate", "share"),
]
LIFT = Column("lift", "Lift", "number")

# By id: caption, query, columns; `{}` in a heading is the reporting currency.
TABLES: dict[str, tuple[str, str, list[Column]]] = {
    "what-if": (
        "What campaigns would have cost and kept, by policy",
        "select * from marts.icp_spend_saving order by what_if desc",
        [
            Column("said", "Policy", "name"),
            Column("saved_share", "Spend saved", "share"),
            Column("value_kept_share", "Won value kept", "share"),
            Column("yearly_saving", "A year's saving ({})", "money"),
            Column("yearly_spend", "Of a year's spend ({})", "money"),
            Column("pursuit_count", "Pursuits (n)", "count"),
            Column("note", "Limits"),
        ],
    ),
    "profiles": (
        "Who is in each segment",
        """
        select * from marts.icp_segment_profiles where segment_id <> 'all'
        order by segment_id, aspect, dimension, index_against_all desc nulls last, value
        """,
        [
            SEGMENT,
            Column("aspect", "Aspect", "code"),
            Column("dimension", "Dimension", "code"),
            Column("value", "Value"),
            Column("accounts", "Accounts known (n)", "count"),
            Column("share", "Share", "share"),
            Column("overall_share", "Of all accounts", "share"),
            Column("figure", "Figure", "number"),
            Column("overall_figure", "Of all", "number"),
            Column("index_against_all", "Against all", "number"),
        ],
    ),
    "product-mix": (
        f"What each segment buys: its {LISTED_PRODUCTS} products of the highest net amount",
        f"""
        select * from (
            select *, row_number() over (partition by segment_id order by net_amount desc, item_id) as place
            from marts.icp_product_mix where segment_id <> 'all' and item_type = 'product'
        ) as products
        where place <= {LISTED_PRODUCTS}
        order by segment_id, attach_rate desc nulls last, item_id
        """,
        [
            SEGMENT,
            Column("item_name", "Product", "name"),
            Column("product_family", "Family"),
            Column("customer_count", "Customers (n)", "count"),
            Column("attach_rate", "Bought by", "share"),
            Column("overall_attach_rate", "Of all customers", "share"),
            Column("index_against_all", "Against all", "number"),
            Column("net_amount", "Net amount ({})", "money"),
            Column("value_share", "Share of its net amount", "share"),
        ],
    ),
    "effects": (
        "Traits with a verdict",
        f"""
        select * from (
            select * from marts.icp_attribute_effects where verdict <> 'no_evidence'
            order by q_value, outcome, attribute, value
            limit {LISTED_EFFECTS}
        ) as effects
        order by case outcome when 'won' then 0 else 1 end, outcome, lift desc nulls last, attribute, value
        """,
        [
            Column("outcome", "Outcome", "code"),
            Column("attribute", "Trait", "code"),
            Column("value", "Value"),
            Column("verdict", "Verdict", "code"),
            Column("accounts", "Accounts (n)", "count"),
            Column("rate", "Rate", "share"),
            Column("baseline_rate", "Baseline", "share"),
            LIFT,
            Column("q_value", "q", "p"),
            Column("consistency", "Consistent in cycles", "share"),
            Column("periods", "Cycles (n)", "count"),
            Column("trend", "Trend", "code"),
        ],
    ),
    "scorecard": (
        "Points of the fit score (0 to 100; 20 points more double the expected value)",
        "select * from marts.icp_scorecard order by attribute is not null, points desc, condition_id",
        [
            Column("definition", "Condition", "name"),
            Column("points", "Points", "points"),
            Column("account_count", "Accounts", "count"),
            *WIN_RATE,
        ],
    ),
    "calibration": (
        "Did the score hold? Bands against what happened later",
        """
        select *, value_low as value_per_pursuit_low, value_high as value_per_pursuit_high
        from marts.icp_score_calibration order by score_band = 'all' desc, score_from
        """,
        [
            Column("score_band", "Score band"),
            *WIN_RATE,
            Column("value_per_pursuit", "Value per pursuit ({})", "money"),
            Column("predicted_value", "Predicted ({})", "money"),
            Column("is_within_interval", "Within the interval", "yes"),
            Column("cutoff_on", "Learned before", "day"),
        ],
    ),
    "assumptions": (
        "What people believe, and what the data say",
        "select * from marts.icp_assumptions order by verdict desc, profile",
        [
            Column("profile", "Profile", "name"),
            Column("believed_by", "Believed by"),
            Column("definition", "Definition", "name"),
            Column("verdict", "Verdict"),
            *WIN_RATE,
            Column("value_per_pursuit", "Value per pursuit ({})", "money"),
            LIFT,
            Column("share_of_tier_1", "Share of tier 1", "share"),
            Column("reason", "Why not"),
        ],
    ),
    "clusters": (
        "Value clusters of customers",
        "select * from marts.icp_value_clusters order by value_cluster_number",
        [
            Column("value_cluster", "Cluster", "name"),
            Column("customer_count", "Customers (n)", "count"),
            Column("customer_share", "Share of customers", "share"),
            Column("net_amount_share", "Share of net amount", "share"),
            Column("average_net_amount", "Net amount per customer ({})", "money"),
            Column("live_share", "Live", "share"),
            Column("contract_customer_count", "With a contract (n)", "count"),
            Column("renewal_rate", "Renewed when due", "share"),
            Column("renewals_due", "Renewals due (n)", "count"),
            Column("mrr_growth", "MRR now / first", "number"),
            Column("current_mrr", "MRR ({})", "money"),
        ],
    ),
    "funnel": (
        "Every stage, by segment",
        f"""
        select *, conversion_90_days_low as conversion_90_days_rate_low, conversion_90_days_high as conversion_90_days_rate_high
        from marts.icp_funnel order by tier = 'all' desc, {BY_TIER}, segment_id, stage_number
        """,
        [
            SEGMENT,
            TIER,
            Column("stage", "Stage", "code"),
            Column("entered_count", "Entered (n)", "count"),
            Column("reached_count", "Reached the next", "count"),
            Column("median_days_to_next", "Median days to next", "number"),
            Column("matured_90_days_count", "90 days old (n)", "count"),
            Column("conversion_90_days_rate", "Converted in 90 days", "share"),
            Column("closed_count", "Closed (n)", "count"),
            Column("win_rate", "Win rate", "share"),
            Column("deal_size_count", "Deals (n)", "count"),
            Column("average_deal_size", "Deal size ({})", "money"),
            Column("mrr_count", "With MRR (n)", "count"),
            Column("average_mrr", "MRR per win ({})", "money"),
        ],
    ),
    "alignment": (
        "Share of each tier in the last finished cycle",
        f"""
        select * from marts.icp_alignment where cycle_start = (select max(cycle_start) from marts.icp_alignment where is_finished)
        order by {BY_TIER}
        """,
        [
            TIER,
            Column("account_share", "Accounts", "share"),
            Column("account_count", "Accounts (n)", "count"),
            Column("lead_share", "Leads", "share"),
            Column("lead_count", "Leads (n)", "count"),
            Column("mql_share", "MQLs", "share"),
            Column("mql_count", "MQLs (n)", "count"),
            Column("sql_share", "SQLs", "share"),
            Column("sql_count", "SQLs (n)", "count"),
            Column("opportunity_share", "Opportunities", "share"),
            Column("opportunity_count", "Opportunities (n)", "count"),
            Column("win_share", "Wins", "share"),
            Column("win_count", "Wins (n)", "count"),
            Column("won_value_share", "Won value", "share"),
            Column("spend_share", "Spend", "share"),
            Column("spend", "Spend ({})", "money"),
        ],
    ),
    "agreement": (
        "Do Sales, Marketing and the ICP choose the same prospects? The last finished cycle",
        """
        select * from marts.icp_agreement where cycle_start = (select max(cycle_start) from marts.icp_agreement where is_finished)
        order by pair
        """,
        [
            Column("said", "Pair", "name"),
            Column("prospect_count", "Prospects (n)", "count"),
            Column("first_count", "First chose", "count"),
            Column("second_count", "Second chose", "count"),
            Column("both_count", "Both chose", "count"),
            Column("overlap", "Overlap (both / either)", "share"),
            Column("agreement", "Same judgement", "share"),
            Column("kappa", "Kappa (0: as by chance)", "number"),
        ],
    ),
    "disagreements": (
        "Accounts to talk about",
        f"select * from marts.icp_disagreements where place <= {LISTED_ACCOUNTS} order by place",
        [
            Column("place", "Place", "count"),
            Column("account_name", "Account", "name"),
            Column("account_id", "Id"),
            TIER,
            SEGMENT,
            Column("said", "What is the matter", "name"),
            Column("at_stake", "At stake ({})", "money"),
            Column("fit_score", "Fit score", "number"),
            Column("spend", "Recent spend ({})", "money"),
            Column("open_opportunity_count", "Open opportunities", "count"),
            Column("last_targeted_at", "Last targeted", "day"),
            Column("last_opened_at", "Last opened", "day"),
        ],
    ),
    "spend": (
        "Campaign spend of the twelve months up to the last finished cycle, by tier and channel",
        f"""
        select tier, channel, sum(spend) as spend, sum(opportunity_count) as opportunity_count, sum(win_count) as win_count,
            sum(spend) / nullif(sum(sum(spend)) over (), 0) as spend_share,
            sum(spend) / nullif(sum(opportunity_count), 0) as cost_per_opportunity,
            sum(spend) / nullif(sum(win_count), 0) as cost_per_win
        from marts.icp_spend
        where is_finished and cycle_end > (select max(cycle_end) - interval 12 month from marts.icp_spend where is_finished)
        group by tier, channel
        order by {BY_TIER}, spend desc, channel
        """,
        [
            TIER,
            Column("channel", "Channel"),
            Column("spend", "Spend ({})", "money"),
            Column("spend_share", "Share", "share"),
            Column("opportunity_count", "Opportunities (n)", "count"),
            Column("cost_per_opportunity", "Per opportunity ({})", "money"),
            Column("win_count", "Wins (n)", "count"),
            Column("cost_per_win", "Per win ({})", "money"),
        ],
    ),
    "seasonality": (
        "Months in which more new business is won, again and again",
        """
        select seasons.*, coalesce(segments.segment_name, seasons.value) as value_name, segments.segment_id
        from marts.icp_seasonality as seasons
        left join marts.icp_segments as segments on seasons.dimension = 'segment' and seasons.value = segments.segment_id
        where seasons.is_season
        order by seasons.dimension, value_name, seasons.calendar_month
        """,
        [
            Column("dimension", "By", "code"),
            Column("value_name", "Who", "name"),
            Column("calendar_month", "Month", "calendar_month"),
            Column("order_count", "New-business orders (n)", "count"),
            Column("order_index", "These / even spread", "number"),
            Column("net_amount_index", "Their net amount / even spread", "number"),
            Column("full_years", "Full years", "count"),
            Column("adjusted_p_value", "p, adjusted", "p"),
        ],
    ),
    "headline": (
        "What it would have been worth, by what is followed, all cut-offs together",
        "select measure, share, max(pursuit_count) as pursuit_count, max(won_pursuit_count) as won_pursuit_count, "
        + ", ".join(
            f"max({figure}) filter (where scorer = '{scorer}') as {scorer}{end}"
            for scorer in SCORERS
            for figure, end in {"value": "", "low": "_low", "high": "_high"}.items()
        )
        + """
        from marts.icp_backtest
        where cutoff = 'all' and value is not null
            and (measure = 'value_captured' and share = 0.2 or measure like '%_skippable' and share in (0.9, 0.95))
        group by measure, share
        order by measure = 'value_captured' desc, measure, share
        """,
        [
            Column("said", "Measure", "name"),
            *[Column(scorer, scorer.capitalize(), "share") for scorer in SCORERS],
            Column("pursuit_count", "Pursuits (n)", "count"),
            Column("won_pursuit_count", "Won", "count"),
        ],
    ),
    "backtest": (
        "What following each order would have captured or skipped, all cut-offs together",
        """
        select *, low as value_low, high as value_high from marts.icp_backtest where cutoff = 'all'
        order by measure, share, scorer
        """,
        [
            Column("scorer", "Order by", "code"),
            Column("measure", "Measure", "code"),
            Column("share", "At", "share"),
            Column("value", "Share", "share"),
            Column("pursuit_count", "Pursuits (n)", "count"),
            Column("won_pursuit_count", "Won", "count"),
            Column("note", "Note"),
        ],
    ),
    "review": (
        "Each segment in the last finished cycle",
        f"""
        select * from marts.icp_cycle_review
        where cycle_start = (select max(cycle_start) from marts.icp_cycle_review where is_finished)
        order by segment_id = 'all' desc, {BY_TIER}, segment_id
        """,
        [
            SEGMENT,
            TIER,
            Column("verdict", "Verdict"),
            Column("reason", "Why", "name"),
            Column("pursuit_count", "Closed pursuits (n)", "count"),
            Column("win_rate", "Win rate", "share"),
            Column("previous_pursuit_count", "Cycle before (n)", "count"),
            Column("previous_win_rate", "Cycle before", "share"),
            Column("reference_pursuit_count", "Reference (n)", "count"),
            Column("reference_win_rate", "Reference", "share"),
            Column("p_value", "p, for a year of looks", "p"),
        ],
    ),
    "emerging": (
        "Traits that emerged or faded in the last year",
        "select * from marts.icp_emerging_attributes order by cycle_start desc, attribute, value, trend",
        [
            Column("cycle_start", "Cycle from", "day"),
            Column("attribute", "Trait", "code"),
            Column("value", "Value"),
            Column("trend", "Trend"),
            Column("latest_pursuit_count", "Last year (n)", "count"),
            Column("latest_win_rate", "Win rate", "share"),
            Column("before_pursuit_count", "Before (n)", "count"),
            Column("before_win_rate", "Win rate before", "share"),
            SEGMENT,
        ],
    ),
    "adoptions": (
        "What was agreed",
        "select * from marts.icp_adoptions order by adoption_number desc",
        [
            Column("adoption_number", "Adoption", "count"),
            Column("in_force_from", "In force from", "day"),
            Column("in_force_until", "Until", "day"),
            Column("agreed_by_sales", "For Sales"),
            Column("agreed_by_marketing", "For Marketing"),
            Column("learned_as_of", "Learned as of", "day"),
            Column("reason", "Why", "name"),
        ],
    ),
    # Its segments are others than those in force, so it does not follow the filter.
    "challenger": (
        "What learning anew would say",
        f"""
        select segment_name as name, tier as new_tier, * from marts.icp_challenger_segments order by {BY_TIER}, segment_id
        """,
        [
            Column("name", "Segment", "name"),
            Column("new_tier", "Tier", "tier"),
            Column("definition", "Rule", "name"),
            Column("account_count", "Accounts", "count"),
            Column("raised_account_count", "Raised", "count"),
            Column("lowered_account_count", "Lowered", "count"),
            *WIN_RATE,
            LIFT,
        ],
    ),
    "rejects": (
        "Input rows that could not be used",
        "select * from marts.quality_rejects where rule = 'all' or rejected_count > 0 order by rule = 'all' desc, entity, rule",
        [
            Column("entity", "Entity", "code"),
            Column("rule", "Rule that was broken", "code"),
            Column("read_count", "Rows read", "count"),
            Column("accepted_count", "Accepted", "count"),
            Column("rejected_count", "Rejected", "count"),
            Column("rejected_share", "Rejected", "share"),
        ],
    ),
    "expectations": (
        "What was expected of the data",
        """
        select *, case when is_passed then 'passed' when not is_passed then 'failed' else 'not judged' end as outcome
        from marts.quality_expectations
        order by case when not is_passed then 0 when is_passed then 1 else 2 end, severity, suite, expectation
        """,
        [
            Column("says", "Expected", "name"),
            Column("outcome", "Result"),
            Column("severity", "If it fails", "code"),
            Column("relation", "About"),
            Column("observed", "Observed", "name"),
            Column("expected", "Would pass", "name"),
            Column("checked_count", "Checked (n)", "count"),
            Column("failing_count", "Not as expected", "count"),
        ],
    ),
}


def rows(marts: Marts, query: str, *parameters: Any) -> list[Row]:
    """The rows of a query, by column."""
    cursor = marts.execute(query, list(parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def tables(marts: Marts, currency: str, names: Mapping[str, str]) -> dict[str, Table]:
    """Every table by id; `names` are the segments' by id."""
    made = {}
    for id, (caption, query, columns) in TABLES.items():
        found = rows(marts, query)
        written = [
            Column(column.key, column.label.format(currency), column.kind)
            for column in columns
            if column.key not in {"note", *SCORERS} or any(row[column.key] is not None for row in found)
        ]
        shown = [in_words(id, row, names) for row in found[:LISTED_ROWS]]
        made[id] = Table(id, caption, written, shown, sampling(marts, id, len(shown), len(found)))
    return made


def in_words(id: str, row: Row, names: Mapping[str, str]) -> Row:
    """A row with its segment's name, and what its code says."""
    if id == "challenger":
        return {key: value for key, value in row.items() if key not in {"segment_id", "tier"}}
    said = {"segment_name": names.get(row["segment_id"], str(row["segment_id"]).capitalize())} if "segment_id" in row else {}
    if id == "headline":
        said["said"] = MEASURES[row["measure"], row["share"]]
    if id in IN_WORDS:
        code, sentences = IN_WORDS[id]
        said["said"] = sentences[row[code]]
    return row | said


def sampling(marts: Marts, id: str, shown: int, found: int) -> str:
    """What a table leaves out."""
    if id == "disagreements":
        [of] = rows(marts, "select count(*) as n from marts.icp_disagreements")
        return cut(shown, of["n"], "accounts, by what is at stake")
    if id == "effects":
        [of] = rows(
            marts,
            "select count(*) as n, count(*) filter (where verdict <> 'no_evidence') as found from marts.icp_attribute_effects",
        )
        if not of["n"]:
            return "No trait has enough accounts to be tried."
        return f"{shown:,} of {of['found']:,} with a verdict, of {of['n']:,} combinations tried; the others show no evidence."
    return cut(shown, found, "rows")


def cut(shown: int, of: int, what: str) -> str:
    return f"The first {shown:,} of {of:,} {what}." if shown < of else ""


def figure_table(figure: Any) -> Table:
    """What a chart shows (`charts.Figure`), as a table: columns by what they hold and are called."""
    found = figure.table.astype(object).where(figure.table.notna(), None).to_dict("records")
    names = list(figure.table.columns)
    shown_with = {f"{name}{end}" for name in names for end in ("_low", "_high")} | {
        "segment_id" for name in names if name == "segment_name"
    }
    columns = [
        Column(name, name.replace("_", " ").capitalize(), kind_of(name, found)) for name in names if name not in shown_with
    ]
    shown = found[:LISTED_ROWS]
    return Table(f"of-{figure.id}", figure.title, columns, shown, cut(len(shown), len(found), "rows"))


def kind_of(name: str, found: list[Row]) -> str:
    """How a column is written, from its name, as the marts are named, and its values."""
    value = next((row[name] for row in found if row[name] is not None), None)
    if name in {"tier", "calendar_month"}:
        return name
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, str):
        return "text"
    if isinstance(value, date):
        return "month" if name.endswith("month") else "day"
    if name.endswith(("rate", "share", "rate_low", "rate_high", "share_low", "share_high", "retention")):
        return "share"
    if name.endswith(("count", "customers", "pursuits", "orders", "months")):
        return "count"
    return "count" if isinstance(value, int) else "number"
