"""The tables of what changed, and what was agreed."""

from icp_refinery.report.tables.model import BY_TIER, LIFT, SEGMENT, TIER, WIN_RATE, Column, Definition

TABLES: dict[str, Definition] = {
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
            Column("reason", "Why", "code"),
            Column("pursuit_count", "Closed first deals (n)", "count"),
            Column("win_rate", "Win rate", "share"),
            Column("previous_pursuit_count", "Cycle before (n)", "count"),
            Column("previous_win_rate", "Cycle before", "share"),
            Column("reference_pursuit_count", "Reference (n)", "count"),
            Column("reference_win_rate", "Reference", "share"),
            Column("p_value", "Chance of such a change by accident, over a year", "p"),
        ],
    ),
    "emerging": (
        "Traits that emerged or faded in the last year",
        "select * from marts.icp_emerging_attributes order by cycle_start desc, attribute, value, trend",
        [
            Column("cycle_start", "Cycle from", "day"),
            Column("attribute", "Trait", "code"),
            Column("value", "Value", "code"),
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
}
