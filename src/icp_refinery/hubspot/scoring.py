"""The scorecard as criteria that a person can enter in HubSpot's lead scoring, and what HubSpot cannot say."""

from __future__ import annotations

import json

import duckdb
import pandas as pd

from icp_refinery.hubspot.config import Config

OPERATORS = {
    "=": "is any of",
    "in": "is any of",
    "!=": "is none of, or is unknown",
    "not_in": "is none of, or is unknown",
    ">=": "is greater than or equal to",
    "<": "is less than, or is unknown",
    "between": "is at least the first and below the second",
    "is_missing": "is unknown",
    "is_not_missing": "is known",
}
COLUMNS = ["criterion", "property", "operator", "value", "points", "exact_points", "note"]
LIMITS = (
    "HubSpot's lead scoring takes whole points: each is rounded, and left out where that gives 0, so that sums differ a little"
    " from icp_fit_score.",
    "HubSpot begins at 0: the points that everyone has are a criterion that every company meets.",
    "HubSpot cannot bound the score by the tier of a segment, as the fit score is. Set the score's own limits to 0 and 100.",
    "icp_fit_score is the exact score: prefer it, and score in HubSpot only what cannot wait for the next run.",
)


def score_criteria(marts: duckdb.DuckDBPyConnection, config: Config) -> pd.DataFrame:
    """One row per condition of `icp_scorecard` that is worth a whole point, all as text but the points.

    `points` are whole, `exact_points` those of the warehouse; `property` is empty where HubSpot has none, and `note` says why.
    """
    rows = marts.execute(
        "select s.definition, s.attribute, s.operator, s.value, s.points, s.lowest, s.highest, g.segment_name"
        " from marts.icp_scorecard as s left join marts.icp_segments as g on s.attribute = 'segment' and s.value = g.segment_id"
        " order by s.attribute is not null, s.attribute = 'segment' desc, s.points desc, s.definition"
    ).fetchall()
    # Segments are named all, and what everyone has.
    criteria = [_criterion(config, *row) for row in rows if row[1] in (None, "segment") or round(row[4])]
    return pd.DataFrame(criteria, columns=COLUMNS).astype({"points": "int64", "exact_points": "float64"})


def _criterion(
    config: Config,
    definition: str,
    attribute: str | None,
    operator: str | None,
    value: str | None,
    points: float,
    lowest: float | None,
    highest: float | None,
    segment_name: str | None,
) -> tuple:
    score = (round(points), points)
    if attribute is None:
        return (definition, "hs_object_id", "is known", "", *score, "every company meets it")
    if attribute == "segment":
        bounds = [
            f"{words} {bound:g}"
            for words, bound, free in (("at least", lowest, 0), ("at most", highest, 100))
            if bound is not None and bound != free
        ]
        note = f"the fit score of the segment is {' and '.join(bounds)}, which HubSpot cannot say" if bounds else ""
        return (definition, config.properties["icp_segment"], OPERATORS["="], segment_name or value, *score, note)
    trait = config.lists.traits.get(attribute)
    if trait is None:
        return (definition, "", "", "", *score, f"{attribute} is not a company property in HubSpot: leave it out")
    if operator == "between":
        ends = ["any" if end is None else f"{end:.10g}" for end in json.loads(value)]
        return (definition, trait.property, OPERATORS[operator], "; ".join(ends), *score, "")
    values = json.loads(value) if operator in ("in", "not_in") else [value] if value else []
    unmapped = [one for one in values if trait.values and operator not in (">=", "<") and one not in trait.values]
    if unmapped:
        return (definition, "", "", "", *score, f"{trait.property} has no value for {', '.join(unmapped)}: leave it out")
    names = [name for one in values for name in trait.values.get(one, [one])]
    return (definition, trait.property, OPERATORS[operator], "; ".join(names), *score, "")


def as_markdown(criteria: pd.DataFrame) -> str:
    """The criteria as a Markdown table, and the limits below it."""
    lines = ["| " + " | ".join(name.replace("_", " ") for name in COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    for row in criteria.itertuples(index=False):
        cells = [f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in row]
        lines.append("| " + " | ".join(" ".join(cell.replace("\\", "\\\\").replace("|", "\\|").split()) for cell in cells) + " |")
    return "\n".join([*lines, "", *(f"- {limit}" for limit in LIMITS), ""])
