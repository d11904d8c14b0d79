"""The first page: each segment beside its last four quarters, where effort and money went, what came of it, what could be won."""

from math import sqrt
from typing import Any

from icp_refinery.project import PRIORITIZED, TIER_NAMES
from icp_refinery.report import words
from icp_refinery.report.labels import VERDICTS
from icp_refinery.report.tables.model import BY_TIER, LEAST_SHOWN, Column, Company, Marts, Row, Table, rows

MEASURES = {"lead": "leads", "opportunity": "opportunities", "spend": "spend", "won_value": "won value", "win": "wins"}
QUARTERS_DRAWN = 12
MOST_TO_STOP = 0.5  # of all accounts: more are never said to be stopped
SPARK_WIDTH, SPARK_HEIGHT = 110, 24
Z = 1.959963984540054  # 95 %


def last_quarters(marts: Marts) -> Row | None:
    """The last four finished quarters of the fiscal year: their first day, and the day after their last."""
    [found] = rows(
        marts,
        """
        with days as (
            select
                date_day,
                max(date_day) over () as last_day,
                (fiscal_year, fiscal_quarter) = max((fiscal_year, fiscal_quarter)) over () as is_current
            from marts.dim_dates
        ),

        quarter as (
            select min(date_day) as first_day, max(last_day) as last_day
            from days
            where is_current
        )

        select
            first_day + interval 3 month as next_day,
            cast(case when last_day + 1 >= next_day then next_day else first_day end as date) as ends_before,
            cast(ends_before - interval 1 year as date) as starts
        from quarter
        """,
    )
    return found if found["ends_before"] else None


def add_review(segments: list[Row], review: list[Row]) -> None:
    """The verdict of the last finished cycle on each segment."""
    verdicts = {row["segment_id"]: row["verdict"] for row in review}
    for segment in segments:
        segment["verdict"] = verdicts.get(segment["segment_id"])
        segment["review"] = VERDICTS.get(segment["verdict"], "not judged")


def add_recent_wins(marts: Marts, segments: list[Row], quarters: Row | None) -> None:
    """The first deals of each segment that closed in the last four finished quarters, before them, and by quarter."""
    found = rows(
        marts,
        """
        select segment_id, closed_quarter, count(*) as n, count(*) filter (where is_won) as won
        from marts.fct_opportunities
        where is_first_deal and closed_quarter < $1
        group by all
        order by all
        """,
        quarters and quarters["ends_before"],
    )
    for segment in segments:
        of = [row for row in found if row["segment_id"] == segment["segment_id"]]
        for when, is_recent in (("recent", True), ("earlier", False)):
            counted = [row for row in of if quarters and (row["closed_quarter"] >= quarters["starts"]) == is_recent]
            n, won = sum(row["n"] for row in counted), sum(row["won"] for row in counted)
            segment |= {f"{when}_count": n, f"{when}_won_count": won, f"{when}_win_rate": won / n if n >= LEAST_SHOWN else None}
        segment["trend"] = spark(of[-QUARTERS_DRAWN:], segment["earlier_win_rate"])


def spark(quarters: list[Row], reference: float | None) -> Row | None:
    """A line of win rates by quarter, from 0 to 1, beside the win rate before: points of an SVG, and the same in words."""
    if len(quarters) < 2:
        return None
    first = quarters[0]["closed_quarter"]
    steps = [12 * (q["closed_quarter"].year - first.year) + q["closed_quarter"].month - first.month for q in quarters]

    def height(rate: float) -> float:
        return round(2 + (SPARK_HEIGHT - 4) * (1 - rate), 1)

    points = [
        (round(3 + (SPARK_WIDTH - 6) * step / steps[-1], 1), height(quarter["won"] / quarter["n"]))
        for step, quarter in zip(steps, quarters, strict=True)
    ]
    said = "; ".join(f"{words.month(quarter['closed_quarter'])}: {quarter['won']} of {quarter['n']}" for quarter in quarters)
    return {
        "points": " ".join(f"{x},{y}" for x, y in points),
        "last": points[-1],
        "reference": None if reference is None else height(reference),
        "says": f"Won of closed first deals, by quarter from: {said}".replace("\u00a0", " "),
    }


def glance(segments: list[Row], company: Company) -> Table:
    """A row per segment: what it is worth, whether it wins of late, whether its tier still holds."""
    columns = [
        Column("segment_name", "Segment", "name"),
        Column("tier", "Tier", "tier"),
        Column("lift", "First deal's worth, × average", "number")
        if len(segments) > 1 and any(segment["lift"] is not None for segment in segments)
        else Column("value_per_pursuit", company.says("First deal's value ({value_unit})"), "money"),
        Column("recent_win_rate", "Win rate, last four quarters", "share"),
        Column("recent_count", "of (n)", "count"),
        Column("earlier_win_rate", "Win rate before", "share"),
        Column("earlier_count", "of (n)", "count"),
        Column("trend", "Win rate by quarter", "spark"),
        Column("review", "Does its tier hold?", "text"),
    ]
    of_deals = ("recent", "earlier", "trend")
    shown = [column for column in columns if company.has_losses or not column.key.startswith(of_deals)]
    return Table("glance", "Each segment, and whether it is still what it was", shown, segments)


def tier_shares(marts: Marts, quarters: Row | None) -> Row | None:
    """What each tier got and brought in the reporting cycles of the last four quarters, as counts, amounts and shares of all.

    `tiers` has a row per tier, `good` and `poor` are those to prioritize and the low fit; None without a finished cycle.
    """
    found = rows(
        marts,
        f"""
        select tier, min(cycle_start) as starts, max(cycle_end) as ends, sum(lead_count) as lead,
            sum(opportunity_count) as opportunity, sum(spend) as spend, sum(won_value) as won_value, sum(win_count) as win
        from marts.icp_alignment
        where is_finished and cycle_start >= $1 and cycle_end < $2
        group by tier
        order by {BY_TIER}
        """,
        *((quarters["starts"], quarters["ends_before"]) if quarters else (None, None)),
    )
    if not found:
        return None
    totals = {measure: sum(row[measure] for row in found) for measure in MEASURES}

    def shares(tiers: Any) -> Row:
        of = {measure: sum(row[measure] for row in found if row["tier"] in tiers) for measure in MEASURES}
        return of | {f"{measure}_share": float(of[measure] / total) if total else None for measure, total in totals.items()}

    return {
        "starts": min(row["starts"] for row in found),
        "ends": max(row["ends"] for row in found),
        "totals": totals,
        "recorded": [measure for measure, total in totals.items() if total],
        "tiers": [{"tier": row["tier"]} | shares([row["tier"]]) for row in found],
        "good": shares(PRIORITIZED),
        "poor": shares(["deprioritized"]),
        "good_names": " and ".join(TIER_NAMES[tier] for tier in PRIORITIZED if any(row["tier"] == tier for row in found)),
        "poor_name": TIER_NAMES["deprioritized"],
    }


def upside(segments: list[Row], company: Company) -> list[Row]:
    """Of each segment to prioritize with accounts that nobody works: what one of them would bring, the best first.

    A scenario: the win rate of the last four quarters (Wilson's interval) × what a won first deal brings.
    """
    found = []
    for segment in segments:
        is_known = (
            company.has_losses and segment["recent_win_rate"] is not None and segment["win_rate"] and segment["value_per_pursuit"]
        )
        if segment["tier"] in PRIORITIZED and segment["unworked_count"] and is_known:
            per_win = segment["value_per_pursuit"] / segment["win_rate"]
            low, high = wilson(segment["recent_won_count"], segment["recent_count"])
            found.append(
                {
                    "segment_id": segment["segment_id"],
                    "accounts": segment["unworked_count"],
                    "per_win": per_win,
                    "each": segment["recent_win_rate"] * per_win,
                    "each_low": low * per_win,
                    "each_high": high * per_win,
                }
            )
    return sorted(found, key=lambda row: -row["each"])


def wilson(won: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    middle, spread = won + Z**2 / 2, Z * sqrt(won * (n - won) / n + Z**2 / 4)
    return (middle - spread) / (n + Z**2), (middle + spread) / (n + Z**2)
