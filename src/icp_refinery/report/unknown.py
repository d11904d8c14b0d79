"""What the data cannot say, in sentences."""

from icp_refinery.report.labels import POLICIES
from icp_refinery.report.tables.model import Company, Marts, Row, rows
from icp_refinery.report.words import isolated, many


def unknown(marts: Marts, facts: Row) -> list[str]:
    """What the data cannot say, in sentences."""
    return [
        *unknown_of_segments(facts["segments"], facts["company"]),
        *unknown_of_value(marts, facts),
        *unknown_of_traits(marts),
        *unknown_of_time(marts, facts),
        "Why: all of this compares what was observed. What happens when accounts are skipped on purpose was not tried.",
    ]


def unknown_of_segments(segments: list[Row], company: Company) -> list[str]:
    if all(segment["tier"] == "tier_3" for segment in segments):
        said = [
            "Whom to prioritize and whom to stop targeting: no segment could be shown to be worth more or less than the others."
        ]
    else:
        said = [
            f"Whether {isolated(row['segment_name'])} is worth more or less than the average: it could be either"
            f" (n = {row['pursuit_count']:,} first deals)."
            for row in segments
            if row["measured_tier"] == "tier_3"
        ]
    if segments and all(row["lift"] is None for row in segments):
        said.append(
            "The lift: the value per first deal of all first deals is not above 0, so that no ratio to it has a meaning."
            " Segments are compared by the difference in value."
        )
    if segments and not company.has_losses:
        said.append("The chance of winning: lost deals are not recorded, so no win rate is shown.")
    said += [
        f"How well {isolated(row['segment_name'])} does on data that did not choose it: {row['new_pursuit_count']:,} of its"
        f" {row['pursuit_count']:,} first deals closed after it was learned."
        for row in segments
        if row["status"] == "adopted"
    ]
    return said


def unknown_of_value(marts: Marts, facts: Row) -> list[str]:
    said, totals = [], facts["totals"]
    without = totals["order_count"] - totals["order_with_margin_count"]
    if unpriced := totals["order_without_amount_count"]:
        said.append(
            f"The amount of {unpriced:,} of {totals['order_count']:,} closed-won orders, which is not recorded: they count as"
            " won, and add nothing to any sum of money."
        )
    if without and facts["company"].value_basis != "wins":
        said.append(
            f"The margin of {without:,} of {totals['order_count']:,} orders, whose cost is not recorded: values are net amounts"
            " unless they say margin."
        )
    said += sorted({f"Value clusters: {row['evidence']}." for row in facts["tables"]["clusters"].rows if row["evidence"]})
    if not facts["tables"]["clusters"].rows:
        said.append("Groups of customers by value: there are too few customers to group.")
    return said


def unknown_of_traits(marts: Marts) -> list[str]:
    [tried] = rows(
        marts,
        """
        select count(*) as n, count(*) filter (where verdict = 'no_evidence') as without,
            count(*) filter (where verdict = 'leak_suspected') as leaks
        from marts.icp_attribute_effects
        """,
    )
    said = []
    if tried["without"]:
        said.append(
            f"Whether {tried['without']:,} of the {tried['n']:,} combinations of trait and outcome that were tried matter:"
            " no evidence, which is not evidence that they do not."
        )
    if tried["leaks"]:
        said.append(
            f"What {tried['leaks']:,} combinations of trait and outcome would say: the trait is a suspected leak (“What raises"
            " value” names them), so that no effect, segment or score uses it."
        )
    if not tried["n"]:
        said.append("What raises value: no trait has enough accounts to be tried.")
    return said


def unknown_of_time(marts: Marts, facts: Row) -> list[str]:
    said = (
        [f"What following the segments would have been worth: {facts['backtest']['note'].rstrip('.')}."]
        if facts["backtest"]["note"]
        else []
    )
    said += [
        f"{facts['company'].says(POLICIES[what_if])}: {row['note'].rstrip('.')}."
        for what_if, row in facts["savings"].items()
        if row["note"] and row["note"].rstrip(".") != (facts["backtest"]["note"] or "").rstrip(".")
    ]
    bands = [row for row in facts["tables"]["calibration"].rows if row["score_band"] != "all"]
    outside = [row["score_band"] for row in bands if row["is_within_interval"] is False]
    if outside:
        said.append(
            f"What a score is worth in money in the bands {', '.join(outside)}: what happened later lies outside the interval."
            " Trust the order of the scores more than the amounts."
        )
    if not bands:
        said.append("Whether the fit score holds on later first deals: there are too few before or after a cut-off.")
    open_verdicts: dict[str, list[str]] = {}
    for row in facts["review"]:
        if row["verdict"] is None:
            open_verdicts.setdefault(row["reason"], []).append(isolated(row["segment_name"]))
    said += [f"This cycle's verdict on {'; '.join(names)}: {reason}." for reason, names in open_verdicts.items()]
    [thin] = rows(
        marts,
        "select count(distinct (dimension, value)) as n from marts.icp_seasonality where verdict = 'not_enough_data'",
    )
    if thin["n"]:
        said.append(
            f"Whether {thin['n']:,} of the groups that were looked at {many(thin['n'], 'has', 'have')} a season: not enough data."
        )
    return said
