"""What each chart shows, in a sentence with its figures: the title. Where nothing is shown, it says that."""

from collections.abc import Callable

import pandas as pd

from icp_refinery.project import PRIORITIZED
from icp_refinery.report import words
from icp_refinery.report.charts.builder import short
from icp_refinery.report.labels import OUTCOMES, STAGES, TRENDS
from icp_refinery.report.tables.model import LEAST_SHOWN, Company, Marts, rows

Table = pd.DataFrame


def per_cent(share: float) -> str:
    return words.share(share).replace("\u00a0", " ")


def tier_name(tier: str) -> str:
    return words.TIERS[tier][0].split(":")[0]


def money(table: Table, company: Company, marts: Marts) -> str:
    shares = table[table["tier"] != "unassigned"].pivot(index="tier", columns="series", values="share")
    brought = shares.pop(company.won_value)
    gain = (brought - shares.max(axis=1)).dropna()
    if gain.empty or gain.max() <= 0:
        return "No tier brings more than its share of effort"
    best = gain.idxmax()
    got = shares.loc[best].dropna()
    name = "spend" if "spend" in got else got.index[0]
    return f"{tier_name(best)}: {per_cent(brought[best])} of {company.won_value} for {per_cent(got[name])} of {name}"


def segment_lifts(table: Table, company: Company, marts: Marts) -> str:
    more, less = table[table["lift_low"] > 1], table[table["lift_high"] < 1]
    if len(more) and pd.notna(more["lift"].iloc[0]):
        best = more.iloc[0]
        return f"A first deal in {words.isolated(best['segment_name'])} is worth {best['lift']:.1f} times the average"
    if len(more) + len(less):
        name, word = (more["segment_name"].iloc[0], "more") if len(more) else (less["segment_name"].iloc[-1], "less")
        return f"A first deal in {words.isolated(name)} is worth {word} than the average"
    return "No segment is shown to be worth more or less than the average"


def effects(table: Table, company: Company, marts: Marts) -> str:
    plain = table[~table["attribute"].str.contains("&")]  # one trait is told in a title, a pair is not
    of_winning = plain[plain["outcome"] == "won"]
    told = next(rows for rows in (of_winning, plain, table) if len(rows))
    surest = told.sort_values("q_value", kind="stable").iloc[0]
    trait = f"{words.code(surest['attribute'])} {words.isolated(words.code(surest['value']))}"
    outcome = OUTCOMES[surest["outcome"]]
    return f"{outcome}: {per_cent(surest['rate'])} with {trait}, where it is {per_cent(surest['baseline_rate'])}"


def scorecard(table: Table, company: Company, marts: Marts) -> str:
    conditions = table[~table["definition"].str.startswith("everyone")]
    most = conditions.loc[conditions["points"].astype(float).abs().idxmax()]
    return f"Nothing moves the fit score more than {words.code(most['definition'])}: {most['points']:+.0f} points"


def score_calibration(table: Table, company: Company, marts: Marts) -> str:
    judged = table[(table["score_band"] != "all") & table["is_within_interval"].notna()]
    missed = int((judged["is_within_interval"] == False).sum())  # noqa: E712
    if judged.empty:
        return "Whether scores hold cannot be told yet"
    if missed:
        return f"In {missed} of {len(judged)} score bands what happened is not what was predicted"
    return f"What was predicted held in {'the one score band' if len(judged) == 1 else f'all {len(judged)} score bands'}"


def retained(column: str, n: str, what: str) -> Callable[[Table, Company, Marts], str]:
    """The share that is left after a year, over all customers who began a year ago or earlier."""

    def finding(table: Table, company: Company, marts: Marts) -> str:
        found = rows(
            marts,
            f"""
            select {column} as share from marts.retention_by_tier
            where tier = 'all' and {n} >= {LEAST_SHOWN} order by month desc limit 1
            """,
        )
        if not found or found[0]["share"] is None:
            return "Not enough customers are a year old yet"
        return f"After a year {per_cent(found[0]['share'])} of {what}"

    return finding


def retention(table: Table, company: Company, marts: Marts) -> str:
    known = table.dropna(subset="net_revenue_retention_low")
    grows, shrinks = known[known["net_revenue_retention_low"] > 1], known[known["net_revenue_retention_high"] < 1]
    if grows.empty and shrinks.empty:
        return "Whether revenue grows or shrinks after the first year is not shown for any segment"
    told = grows if len(grows) else shrinks
    best = told.loc[(told["net_revenue_retention"] - 1).abs().idxmax()]
    return (
        f"{words.isolated(best['segment_name'])}: {per_cent(best['net_revenue_retention'])} of the starting revenue a year later"
    )


def mrr_movements(table: Table, company: Company, marts: Marts) -> str:
    months = pd.to_datetime(table["month"])
    latest = table[months > months.max() - pd.DateOffset(years=1)]
    change = float(latest["net"].sum())
    lost = -float(latest.filter(["churn", "contraction"]).sum().sum())
    word = "grew" if change > 0 else "shrank" if change < 0 else "changed"
    lost_too = f"; {company.currency} {short(lost)} was lost" if lost > 0 and change > 0 else ""
    return f"MRR {word} by {company.currency} {short(abs(change))} in the year to {months.max():%b %Y}{lost_too}"


def clusters(table: Table, company: Company, marts: Marts) -> str:
    known = table.dropna(subset=["net_amount_share"])
    if known.empty:
        return "What the groups bring is not known"
    best = known.loc[(known["net_amount_share"] / known["customer_share"]).idxmax()]
    return f"{per_cent(best['customer_share'])} of customers bring {per_cent(best['net_amount_share'])} of the net amount"


def funnel(table: Table, company: Company, marts: Marts) -> str:
    known = table[(table["segment_id"] == "all") & (table["tier"] == "all")].dropna(subset=["conversion_180_days_rate"])
    if known.empty:
        return "No stage has entries that are old enough"
    narrow = known.loc[known["conversion_180_days_rate"].idxmin()]
    return f"Fewest get from {STAGES[narrow['stage']]}: {per_cent(narrow['conversion_180_days_rate'])} within 180 days"


def alignment(table: Table, company: Company, marts: Marts) -> str:
    best = table[table["tier"].isin(PRIORITIZED)].groupby("measure", sort=False)["share"].sum(min_count=1).dropna()
    if best.empty:
        return "No tier is to be prioritized"
    return "The best tiers have " + ", ".join(f"{per_cent(share)} of {name.lower()}" for name, share in best.items())


def agreement(table: Table, company: Company, marts: Marts) -> str:
    latest = table[table["cycle_end"] == table["cycle_end"].max()].set_index("pair")["overlap"]
    share = latest.get("marketing_sales")
    if share is None or pd.isna(share):
        return "Whom both teams choose is not known in the latest cycle"
    return f"Of the accounts that Marketing or Sales chose last, both chose {per_cent(share)}"


def spend(table: Table, company: Company, marts: Marts) -> str:
    by_tier = table.groupby("tier")["spend"].sum() / table["spend"].sum()
    if "deprioritized" not in by_tier:
        by_channel = table.groupby("channel")["spend"].sum()
        return (
            f"Most goes to {words.code(by_channel.idxmax())}: {per_cent(by_channel.max() / by_channel.sum())} of campaign spend"
        )
    return f"{per_cent(by_tier['deprioritized'])} of campaign spend goes to {tier_name('deprioritized').lower()}"


def spend_saving(table: Table, company: Company, marts: Marts) -> str:
    kept = table.set_index("what_if")["saved_share"].get("keep_95")
    if kept is None or pd.isna(kept):
        return "What could be saved at little loss is not known"
    return f"{per_cent(kept)} of spend could be saved while keeping 95 % of {company.won_value}"


def seasonality(table: Table, company: Company, marts: Marts) -> str:
    seasons = table[(table["verdict"] == "seasonal") & table["is_season"].fillna(False).astype(bool)]
    if seasons.empty:
        return "No season is shown"
    most = seasons.loc[seasons["order_index"].idxmax()]
    month = words.calendar_month(most["calendar_month"])
    return f"{words.isolated(most['name'])} buys most in {month}: {most['order_index']:.1f} times an even spread"


def backtest(table: Table, company: Company, marts: Marts) -> str:
    at = table[table["share"].round(2) == 0.2].set_index("scorer")["value_share"].dropna()
    followed = at.get("adopted", at.get("segments"))
    if followed is None:
        return "How well the ranking does is not known"
    chance = f", where chance gives {per_cent(at['random'])}" if "random" in at else ""
    return f"The best 20 % of first deals bring {per_cent(followed)} of {company.won_value}{chance}"


def cycle_review(table: Table, company: Company, marts: Marts) -> str:
    latest = table[(table["cycle_start"] == table["cycle_start"].max()) & (table["segment_id"] != "all")]
    revised = list(latest.loc[latest["verdict"] == "revise", "segment_name"])
    return f"To be revised: {', '.join(map(words.isolated, revised))}" if revised else "No segment is to be revised"


def emerging(table: Table, company: Company, marts: Marts) -> str:
    first = table.iloc[0]
    word = TRENDS[first["trend"]]
    trait = f"{words.code(first['attribute'])} {words.isolated(words.code(first['trait_value']))}"
    return f"{word}: {trait}, won {per_cent(first['latest_win_rate'])} after {per_cent(first['before_win_rate'])}"


DRAWN = (money, segment_lifts, effects, scorecard, score_calibration, retention, mrr_movements, clusters, funnel)
DRAWN += (alignment, agreement, spend, spend_saving, seasonality, backtest, cycle_review, emerging)
FINDINGS: dict[str, Callable[[Table, Company, Marts], str]] = {finding.__name__: finding for finding in DRAWN} | {
    "cohort_retention": retained("customer_retention", "customer_count", "all customers are still there"),
    "cohort_retention_net_revenue": retained(
        "net_revenue_retention", "starting_mrr_customer_count", "all starting revenue is there, growth included"
    ),
    "cohort_retention_gross_revenue": retained(
        "gross_revenue_retention", "starting_mrr_customer_count", "all starting revenue is left, growth aside"
    ),
}
