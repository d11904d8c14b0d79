"""The scorecard as criteria for a person to enter in HubSpot's lead scoring, what that cannot say, and what scores to expect."""

from __future__ import annotations

import json
from collections.abc import Iterable

import duckdb
import pandas as pd

from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.filters import CannotSay, Rule
from icp_refinery.project import TIERS

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
COLUMNS = ["score", "criterion", "property", "operator", "value", "points", "exact_points", "note"]
BEHAVIOURS = ("engagement_", "topic_")
ALL_OF = "all of these"
# What an account has of the traits in dim_accounts, by which the expected scores are counted.
KNOWN = ("industry", "country", "region", "employee_count", "annual_revenue")
BANDS = ((0, 20), (20, 40), (40, 60), (60, 80), (80, 101))
LIMITS = (
    "Fit and engagement are two scores in HubSpot: of companies, and of what their contacts did.",
    "HubSpot's lead scoring takes whole points: each is rounded, and left out where that gives 0, so that sums differ a little"
    " from icp_fit_score.",
    "HubSpot begins at 0: the points that everyone has are a criterion that every company meets.",
    "HubSpot cannot bound the score by the tier of a segment, as the fit score is. Set the score's own limits to 0 and 100.",
    "icp_fit_score is the exact score: prefer it, and score in HubSpot only what cannot wait for the next run.",
    "HubSpot's API for lead scores is a beta whose documentation does not say how a rule names a property: no score is created.",
)


def score_criteria(marts: duckdb.DuckDBPyConnection, config: Config) -> pd.DataFrame:
    """One row per condition of `icp_scorecard` that is worth a whole point, all as text but the points.

    A criterion asks for properties of HubSpot's own, as `lists.traits` maps them; a segment's for those of its rule. `points` are
    whole, `exact_points` those of the warehouse; `property` is empty where HubSpot has none, and `note` says why.
    """
    rules = _rules(marts)
    criteria = [_criterion(config, rules, *row) for row in _scorecard(marts)]
    return pd.DataFrame(criteria, columns=COLUMNS).astype({"points": "int64", "exact_points": "float64"})


def expected_scores(marts: duckdb.DuckDBPyConnection, config: Config) -> pd.DataFrame:
    """How many accounts have a fit score in each band, in all and by tier, where every criterion that can be said is entered.

    Counted are the published accounts; a criterion about a trait that `dim_accounts` does not have is left out.
    """
    rules = _rules(marts)
    terms = ["0"]
    for _, attribute, operator, value, points, *_ in _scorecard(marts):
        asked = rules[value] if attribute == "segment" else [Rule(attribute, operator, value)] if attribute else []
        if all(rule.attribute in KNOWN for rule in asked) and _can_say(config, asked):
            terms.append(f"case when {' and '.join(map(_sql, asked)) or 'true'} then {round(points)} else 0 end")
    counts = "".join(f", count(*) filter (where tier = '{tier}') as {tier}" for tier in TIERS)
    rows = marts.execute(
        f"""
        with scored as (select tier, greatest(0, least(100, {" + ".join(terms)})) as score from marts.dim_accounts)
        select count(score) as companies {counts} from unnest({[list(band) for band in BANDS]}) as bands(band)
        left join scored on score >= band[1] and score < band[2]
        group by band order by band
        """
    ).fetchall()
    bands = [f"{low} to {high - 1}" for low, high in BANDS]
    return pd.DataFrame([(band, *row) for band, row in zip(bands, rows, strict=True)], columns=["score", "companies", *TIERS])


def _scorecard(marts: duckdb.DuckDBPyConnection) -> list[tuple]:
    rows = marts.execute(
        "select s.definition, s.attribute, s.operator, s.value, s.points, s.lowest, s.highest from marts.icp_scorecard as s"
        " order by s.attribute is not null, s.attribute = 'segment' desc, s.points desc, s.definition"
    ).fetchall()
    # Segments are named all, and what everyone has.
    return [row for row in rows if row[1] in (None, "segment") or round(row[4])]


def _rules(marts: duckdb.DuckDBPyConnection) -> dict[str, list[Rule]]:
    rules: dict[str, list[Rule]] = {i: [] for (i,) in marts.execute("select segment_id from marts.icp_segments").fetchall()}
    for segment, *rule in marts.execute(
        "select segment_id, attribute, operator, value from marts.icp_segment_rules order by segment_id, condition_number"
    ).fetchall():
        rules[segment].append(Rule(*rule))
    return rules


def _criterion(
    config: Config,
    rules: dict[str, list[Rule]],
    definition: str,
    attribute: str | None,
    operator: str | None,
    value: str | None,
    points: float,
    lowest: float | None,
    highest: float | None,
) -> tuple:
    score = (round(points), points)
    if attribute is None:
        return ("fit", definition, "hs_object_id", "is known", "", *score, "every company meets it")
    if attribute.startswith(BEHAVIOURS):
        often = OPERATORS[operator]
        numbers = "; ".join(_numbers(value)) if operator == "between" else value or ""
        note = "choose the event in HubSpot that stands for it; the properties say how many"
        return ("engagement", definition, "", f"happened: {often}", numbers, *score, note)
    asked = rules[value] if attribute == "segment" else [Rule(attribute, operator, value)]
    try:
        said = [_said(config, rule) for rule in asked]
    except CannotSay as problem:
        return ("fit", definition, "", "", "", *score, f"{problem}: leave it out")
    bounds = [
        f"{words} {bound:g}"
        for words, bound, free in (("at least", lowest, 0), ("at most", highest, 100))
        if bound is not None and bound != free
    ]
    note = f"the fit score of the segment is {' and '.join(bounds)}, which HubSpot cannot say" if bounds else ""
    if len(said) == 1:
        return ("fit", definition, *said[0], *score, note)
    if not said:
        return ("fit", definition, "hs_object_id", "is known", "", *score, note or "every company meets it")
    names = " and ".join(dict.fromkeys(name for name, *_ in said))
    conditions = " AND ".join(map(_in_one, said))
    return ("fit", definition, names, ALL_OF, conditions, *score, note)


def _said(config: Config, rule: Rule) -> tuple[str, str, str]:
    """A condition as property, operator and values of HubSpot's. Raises CannotSay."""
    trait = config.lists.traits.get(rule.attribute)
    if trait is None:
        raise CannotSay(f"{rule.attribute} is not a company property in HubSpot")
    if rule.operator == "between":
        return trait.property, OPERATORS[rule.operator], "; ".join(_numbers(rule.value))
    unmapped = [one for one in _values(rule) if trait.values and rule.operator not in (">=", "<") and one not in trait.values]
    if unmapped:
        raise CannotSay(f"{trait.property} has no value for {', '.join(unmapped)}")
    names = [name for one in _values(rule) for name in trait.values.get(one, [one])]
    return trait.property, OPERATORS[rule.operator], "; ".join(names)


def _in_one(said: tuple[str, str, str]) -> str:
    """A condition in one text, with the value before `or is unknown`."""
    name, operator, value = said
    asked, _, also = operator.partition(", ")
    return " ".join(filter(None, [name, asked, f"{value}, {also}" if also else value]))


def _can_say(config: Config, rules: Iterable[Rule]) -> bool:
    try:
        for rule in rules:
            _said(config, rule)
    except CannotSay:
        return False
    return True


def _sql(rule: Rule) -> str:
    """A condition on `dim_accounts`; a missing value is on the side of `not_in`, `!=` and `<`."""
    name = rule.attribute
    match rule.operator:
        case "is_missing":
            return f"{name} is null"
        case "is_not_missing":
            return f"{name} is not null"
        case "between":
            low, high = json.loads(rule.value)
            ends = [f"{name} {sign} {end}" for sign, end in ((">=", low), ("<", high)) if end is not None]
            return " and ".join([f"{name} is not null", *ends])
        case ">=":
            return f"coalesce({name} >= {float(rule.value)}, false)"
        case "<":
            return f"coalesce({name} < {float(rule.value)}, true)"
    values = ", ".join("'" + value.replace("'", "''") + "'" for value in _values(rule))
    is_in = rule.operator in ("=", "in")
    return f"coalesce(cast({name} as varchar) {'in' if is_in else 'not in'} ({values}), {'false' if is_in else 'true'})"


def _values(rule: Rule) -> list[str]:
    return json.loads(rule.value) if rule.operator in ("in", "not_in") else [rule.value] if rule.value else []


def _numbers(value: str) -> list[str]:
    return ["any" if end is None else f"{end:.10g}" for end in json.loads(value)]


def as_markdown(criteria: pd.DataFrame, expected: pd.DataFrame) -> str:
    """The criteria as a Markdown table, the limits below it, and the scores to check it by."""
    limits = [f"- {limit}" for limit in LIMITS]
    check = "Expected fit scores, of the published accounts; companies that only HubSpot knows come on top:"
    return "\n".join([*_table(criteria), "", *limits, "", check, "", *_table(expected), ""])


def _table(rows: pd.DataFrame) -> list[str]:
    lines = ["| " + " | ".join(name.replace("_", " ") for name in rows.columns) + " |", "|" + "---|" * len(rows.columns)]
    for row in rows.itertuples(index=False):
        cells = [f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in row]
        lines.append("| " + " | ".join(" ".join(cell.replace("\\", "\\\\").replace("|", "\\|").split()) for cell in cells) + " |")
    return lines
