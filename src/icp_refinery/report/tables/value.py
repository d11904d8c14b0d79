"""The tables of what raises value: traits, points, and whether they held."""

from icp_refinery.report.tables.model import LIFT, LISTED_EFFECTS, WIN_RATE, Column, Definition

TABLES: dict[str, Definition] = {
    "effects": (
        "Traits with a verdict",
        f"""
        select * from (
            select * from marts.icp_attribute_effects where verdict in ('raises', 'lowers')
            order by q_value, outcome, attribute, value
            limit {LISTED_EFFECTS}
        ) as effects
        order by case outcome when 'won' then 0 else 1 end, outcome, lift desc nulls last, attribute, value
        """,
        [
            Column("outcome", "Outcome", "code"),
            Column("attribute", "Trait", "code"),
            Column("value", "Value", "code"),
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
            Column("definition", "Condition", "code"),
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
            Column("value_per_pursuit", "Value per first deal ({value_unit})", "money"),
            Column("predicted_value", "Predicted ({value_unit})", "money"),
            Column("is_within_interval", "Within the interval", "yes"),
            Column("window_months", "Months since the win", "count"),
            Column("cutoff_on", "Learned before", "day"),
        ],
    ),
    "assumptions": (
        "What people believe, and what the data say",
        "select * from marts.icp_assumptions order by verdict desc, profile",
        [
            Column("profile", "Profile", "name"),
            Column("believed_by", "Believed by"),
            Column("definition", "Definition", "code"),
            Column("verdict", "Verdict"),
            *WIN_RATE,
            Column("value_per_pursuit", "Value per first deal ({value_unit})", "money"),
            LIFT,
            Column("share_of_tier_1", "Share of best fit", "share"),
            Column("reason", "Why not"),
        ],
    ),
}
