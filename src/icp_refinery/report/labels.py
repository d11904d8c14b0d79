"""What people read in place of the marts' codes."""

from icp_refinery.project import TIER_NAMES, TIER_WORDS

# By tier: sign and meaning, so that it never hangs on a colour or on its name alone.
SIGNS = {
    "tier_1": ("▲▲", "a first deal is worth clearly more than the average"),
    "tier_2": ("▲", "a first deal is worth more than the average"),
    "tier_3": ("○", "no difference from the average could be shown"),
    "deprioritized": ("▼", "a first deal is worth less than the average"),
    "unassigned": ("–", "without an account"),
    "all": ("", "all tiers together"),
}
TIERS = {tier: (TIER_NAMES.get(tier, tier.capitalize()), sign, meaning) for tier, (sign, meaning) in SIGNS.items()}
DISAGREEMENTS = {
    "nobody": "Fits, and nobody works it",
    "only_marketing": "Fits; only Marketing works it",
    "only_sales": "Fits; only Sales works it",
    "deprioritized_costs_money": "Low fit, and costs money",
}
# What people read for the names, operators and terms that stand in texts of the marts.
TERMS = TIER_WORDS | {
    "employee_count": "employees",
    "first_order_add_on": "add-on in the first order",
    "first_order_multi_year": "multi-year first order",
    "mql": "MQL",
    "sql": "SQL",
    "pursuit": "first deal",
    "pursuits": "first deals",
}
OPERATORS = {">=": "at least", "<=": "at most", ">": "above", "<": "below", "!=": "is not", "=": "is"}
VERDICTS = {
    "keep": "holds",
    "watch": "watch",
    "revise": "to be revised",
}
TRENDS = {"emerged": "Rising", "faded": "Fading"}
PAIRS = {
    "marketing_sales": "Marketing and Sales",
    "marketing_icp": "Marketing and the ICP",
    "sales_icp": "Sales and the ICP",
}
POLICIES = {
    "skip_deprioritized": "Spend nothing on low-fit accounts",
    "keep_95": "Skip the lowest segments, keep 95 % of {won_value}",
    "keep_90": "Skip the lowest segments, keep 90 % of {won_value}",
}
MEASURES = {
    ("value_captured", 0.2): "Share of {won_value} in the best 20 % of first deals",
    ("pursuits_skippable", 0.9): "First deals to skip, keeping 90 % of {won_value}",
    ("pursuits_skippable", 0.95): "First deals to skip, keeping 95 % of {won_value}",
    ("spend_skippable", 0.9): "Spend to skip, keeping 90 % of {won_value}",
    ("spend_skippable", 0.95): "Spend to skip, keeping 95 % of {won_value}",
}
BACKTESTED = {
    "value_captured": "Share of {won_value} in the best of the first deals",
    "pursuits_skippable": "First deals to skip, keeping this share of {won_value}",
    "spend_skippable": "Spend to skip, keeping this share of {won_value}",
    "deprioritized_pursuits": "First deals of low-fit accounts",
    "deprioritized_spend": "Spend on low-fit accounts",
    "deprioritized_value": "Share of {won_value} of low-fit accounts",
    "opportunities_captured": "Opportunities of the next 90 days, at the accounts with the highest engagement",
}
SCORERS = ["adopted", "segments", "scorecard", "boosting", "random"]
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
OUTCOMES = {
    "won": "Won",
    "high_value": "High value: upper quarter of wins",
    "multi_year": "Multi-year first order",
    "add_on": "Add-on in the first order",
    "retained": "Still a customer after a year",
    "expanded": "Expanded within a year",
}
STAGES = {"lead": "Lead → MQL", "mql": "MQL → SQL", "sql": "SQL → opportunity", "opportunity": "Opportunity → won"}
ALIGNED = {
    "lead": "Leads",
    "opportunity": "Opportunities",
    "win": "Wins",
    "won_value": "Won value",
    "spend": "Campaign spend",
}
CHOICES = {
    "marketing_sales": "Marketing targets, Sales works",
    "marketing_icp": "Marketing targets, the ICP wants",
    "sales_icp": "Sales works, the ICP wants",
}
RETENTIONS = {
    "customers": (
        "Customers that stay",
        "Share of the cohort's customers with MRR or an order in the month",
        "retained_customers",
        "cohort_customers",
    ),
    "net_revenue": ("Revenue that stays and grows (NRR)", "Share of the cohort's starting MRR", "retained_mrr", "starting_mrr"),
    "gross_revenue": ("Revenue that stays (GRR)", "Share of the cohort's starting MRR", "kept_mrr", "starting_mrr"),
}
