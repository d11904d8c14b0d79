"""The tables of campaign spend."""

from icp_refinery.report.tables.model import BY_TIER, TIER, Column, Definition

TABLES: dict[str, Definition] = {
    "what-if": (
        "What campaigns would have cost and kept, by policy",
        "select * from marts.icp_spend_saving order by what_if desc",
        [
            Column("said", "Policy", "name"),
            Column("saved_share", "Spend saved", "share"),
            Column("value_kept_share", "Won value kept", "share"),
            Column("yearly_saving", "A year's saving ({currency})", "money"),
            Column("yearly_spend", "Of a year's spend ({currency})", "money"),
            Column("pursuit_count", "First deals (n)", "count"),
            Column("note", "Limits"),
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
            Column("channel", "Channel", "code"),
            Column("spend", "Spend ({currency})", "money"),
            Column("spend_share", "Share", "share"),
            Column("opportunity_count", "Opportunities (n)", "count"),
            Column("cost_per_opportunity", "Per opportunity ({currency})", "money"),
            Column("win_count", "Wins (n)", "count"),
            Column("cost_per_win", "Per win ({currency})", "money"),
        ],
    ),
}
