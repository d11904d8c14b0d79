"""What the texts of an export mean: stages that are won or lost, types of deals."""

import re
from collections.abc import Iterable

from icp_refinery.exports.dictionary import Dictionary
from icp_refinery.exports.writing import Unsure

WON = re.compile(r"\bwon\b", re.IGNORECASE)
LOST = re.compile(r"\blost\b", re.IGNORECASE)
# Words of a stage that may well be the end of a deal.
ENDING = re.compile(
    r"sign|clos|paid|dead|disqual|abandon|reject|cancel|churn|complet|live|active|customer|onboard|implement|no decision|deliver",
    re.IGNORECASE,
)
# In this order: "Renewal" has "new" in it.
TYPES = (
    ("renewal", re.compile(r"renew", re.IGNORECASE)),
    ("expansion", re.compile(r"existing|upsell|up-sell|upgrade|downgrade|replacement|expan|add-?\s?on|cross", re.IGNORECASE)),
    ("new_business", re.compile(r"new", re.IGNORECASE)),
)


def stage_values(stages: Iterable[str], dictionary: Dictionary) -> tuple[dict, dict]:
    """For each stage whether it is closed, and whether it is won; what is not sure is marked so.

    A stage is won or lost if the tool or its name says so. Any other is open, and surely so if it is one of the tool's own. Where
    it sounds like an end, or no stage is won by its name, it is left undecided.
    """
    ends: dict[str, str | None] = {}
    for stage in sorted(stages, key=str.lower):
        known = dictionary.closed_stages.get(stage.lower())
        ends[stage] = known or ("lost" if LOST.search(stage) else "won" if WON.search(stage) else None)
    has_won = "won" in ends.values()
    closed: dict[str, object] = {}
    won: dict[str, object] = {}
    for stage, end in ends.items():
        if end:
            closed[stage], won[stage] = True, end == "won"
        elif stage.lower() in dictionary.open_stages:
            closed[stage], won[stage] = False, False
        elif has_won and not ENDING.search(stage):
            closed[stage] = Unsure(False, f"stage `{stage}` is taken as open")
            won[stage] = False
        else:
            closed[stage] = Unsure("?", f"is stage `{stage}` closed? Write true or false")
            won[stage] = Unsure("?", f"is stage `{stage}` won? Write true or false")
    return closed, won


def type_values(types: Iterable[str]) -> dict:
    """The contract's type for each type of deal; one that is not recognised has none."""
    values: dict[str, object] = {}
    for text in sorted(types, key=str.lower):
        meant = next((meaning for meaning, pattern in TYPES if pattern.search(text)), None)
        values[text] = meant or Unsure(None, f"type `{text}` is taken as none of new_business, expansion, renewal")
    return values
