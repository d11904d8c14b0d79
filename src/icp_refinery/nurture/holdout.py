"""The held-out share of a nurture: how many companies it needs, and after how many weeks it can tell."""

from __future__ import annotations

from math import ceil
from typing import Any

import duckdb

from icp_refinery.hubspot.config import Nurture

NO_EVIDENCE = "no evidence"
ALPHA, POWER = 0.05, 0.8
YEAR = 365
ASSUMES = (
    "a company counts once, from its first entry into the stage before the goal; as many come as in the last year;"
    " those that wait now reach the goal as often as those that come, so rather longer than shorter"
)
Plan = dict[str, Any]


def holdout(marts: duckdb.DuckDBPyConnection, settings: Nurture, segment_id: str, goal: Plan, funnel: list[Plan]) -> Plan:
    """What the held-out share needs for the smallest effect to be seen: two proportions, two-sided.

    `companies_needed`, `companies_waiting` and `weeks` are None where nobody knows; `why` says how they come about, or what is
    missing.
    """
    plan: Plan = {
        "share": settings.holdout_share,
        "how": "at random, by company: colleagues stay together; those left out get what they get today",
        "smallest_effect": settings.smallest_effect,
        "companies_needed": None,
        "companies_waiting": None,
        "companies_a_week": None,
        "weeks": None,
    }
    if goal["from_stage"] is None:
        return plan | {"why": "nobody knows how many reach the goal today"}
    matured, reached, waiting, recent = _companies(marts, segment_id, goal, funnel[0]["as_of"])
    plan |= {"companies_waiting": waiting, "companies_a_week": round(recent * 7 / YEAR, 2)}
    if not matured:
        return plan | {"why": "nobody knows how many reach the goal today"}
    rate = reached / matured
    needed = participants_needed(rate, settings.smallest_effect, settings.holdout_share)
    if needed is None:
        why = (
            f"of companies {rate:.1%} reach the goal today (n = {matured:,}), which cannot grow by {settings.smallest_effect:.0%}"
        )
        return plan | {"why": f"{why}: set another goal_stage, or a smaller smallest_effect"}
    weeks = weeks_to_tell(needed, waiting, recent * 7 / YEAR, goal["within_days"])
    raised = rate * (1 + settings.smallest_effect)
    why = f"to see {rate:.1%} of companies (n = {matured:,}) become {raised:.1%} with a chance of {POWER:.0%}, at {ALPHA:.0%}"
    if weeks is None:
        why += "; too few wait, and none came in the last year: it will not tell"
    return plan | {"companies_needed": needed, "weeks": weeks, "why": why, "assumes": ASSUMES}


def _companies(marts: duckdb.DuckDBPyConnection, segment_id: str, goal: Plan, as_of: object) -> tuple[int, int, int, int]:
    """Of companies that entered the stage before the goal: old enough to judge, of those in time, waiting, of the last year."""
    return marts.execute(
        """
        with entered as (
            select account_id, min(entered_on) as entered_on
            from marts.fct_stage_entries
            where segment_id = $segment and stage = $from_stage
            group by account_id
        ),
        judged as (
            select entered.account_id, entered.entered_on, min(goals.entered_on) as reached_on
            from entered
            left join marts.fct_stage_entries as goals
                on entered.account_id = goals.account_id and goals.stage = $goal and entered.entered_on <= goals.entered_on
            group by entered.account_id, entered.entered_on
        )
        select
            count(*) filter (entered_on + $days <= $as_of),
            count(*) filter (entered_on + $days <= $as_of and reached_on <= entered_on + $days),
            count(*) filter (reached_on is null),
            count(*) filter (entered_on > $as_of - $year)
        from judged
        """,
        {
            "segment": segment_id,
            "from_stage": goal["from_stage"],
            "goal": goal["stage"],
            "days": goal["within_days"],
            "as_of": as_of,
            "year": YEAR,
        },
    ).fetchone()


def weeks_to_tell(needed: int, waiting: int, a_week: float, within_days: int) -> int | None:
    """Weeks until `needed` companies took part for `within_days`: those that wait begin at once, the others come `a_week`.

    None where they would never be enough.
    """
    missing = max(needed - waiting, 0)
    if missing and not a_week:
        return None
    return ceil((missing / a_week if missing else 0) + within_days / 7)


def participants_needed(rate: float, relative_effect: float, holdout_share: float) -> int | None:
    """Participants, those left out included, with which a relative rise of `rate` is found with 80 % power at 5 % (two-sided).

    None where the raised rate would not be below 1, or there is nothing to raise. Normal approximation, pooled variance under the
    null hypothesis, unequal groups (Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions, chapter 4).
    """
    from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

    raised = rate * (1 + relative_effect)
    if not 0 < rate < raised < 1:
        return None
    ratio = holdout_share / (1 - holdout_share)
    treated = samplesize_proportions_2indep_onetail(raised - rate, rate, POWER, ratio=ratio, alpha=ALPHA, alternative="two-sided")
    return ceil(treated) + ceil(treated * ratio)
