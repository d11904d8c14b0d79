"""The tables of Sales and Marketing."""

from icp_refinery.report.tables.model import BY_TIER, LISTED_ACCOUNTS, SEGMENT, TIER, Column, Definition

TABLES: dict[str, Definition] = {
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
            Column("pipeline_win_rate", "Pipeline win rate", "share"),
            Column("deal_size_count", "Deals (n)", "count"),
            Column("average_deal_size", "Deal size ({currency})", "money"),
            Column("mrr_count", "With MRR (n)", "count"),
            Column("average_mrr", "MRR per win ({currency})", "money"),
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
            Column("spend", "Spend ({currency})", "money"),
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
            Column("kappa", "Agreement beyond chance (0: none)", "number"),
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
            Column("at_stake", "At stake ({value_unit})", "money"),
            Column("fit_score", "Fit score", "number"),
            Column("engagement_score", "Engagement", "number"),
            Column("spend", "Recent spend ({currency})", "money"),
            Column("open_opportunity_count", "Open opportunities", "count"),
            Column("last_targeted_at", "Last targeted", "day"),
            Column("last_opened_at", "Last opened", "day"),
        ],
    ),
    "fit-and-engagement": (
        "Accounts without an opportunity, by fit and engagement score (high: 56.4 or more, low: 43.6 or less)",
        """
        select
            upper(left(fit_band, 1)) || substring(fit_band, 2) as fit,
            count(*) filter (where engagement_band = 'high') as engagement_high,
            count(*) filter (where engagement_band = 'middle') as engagement_middle,
            count(*) filter (where engagement_band = 'low') as engagement_low
        from marts.dim_accounts where engagement_band is not null and fit_band is not null group by fit_band
        order by case fit_band when 'high' then 1 when 'middle' then 2 else 3 end
        """,
        [
            Column("fit", "Fit", "name"),
            Column("engagement_high", "Engagement high (n)", "count"),
            Column("engagement_middle", "middle (n)", "count"),
            Column("engagement_low", "low (n)", "count"),
        ],
    ),
}
