"""What people read in place of the marts' codes."""

TIERS = {
    "tier_1": ("Tier 1", "▲▲", "clearly worth more than the average"),
    "tier_2": ("Tier 2", "▲", "worth more than the average"),
    "tier_3": ("Tier 3", "○", "no evidence of a difference"),
    "deprioritized": ("Deprioritized", "▼", "worth less than the average"),
    "unassigned": ("Unassigned", "–", "without an account"),
    "all": ("All", "", "all tiers together"),
}
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
