"""A nurture plan per prioritized segment, from what the marts know; a person turns it into a workflow.

What the data do not say is written as `no evidence`, never filled in.
"""

from __future__ import annotations

import json
from math import ceil
from typing import Any

import duckdb

from icp_refinery.hubspot.config import Config, Nurture, load_config
from icp_refinery.hubspot.filters import list_name
from icp_refinery.nurture.holdout import NO_EVIDENCE, holdout
from icp_refinery.project import PRIORITIZED, TIER_WORDS, project_directory

ROLES = 3  # of each kind
USUAL_DELAY = 7  # days between e-mails where nothing is known
UNITS = {"lead": "contacts", "mql": "contacts", "sql": "contacts", "opportunity": "opportunities"}
BEHAVIOURS = {"topics": "topic_", "formats": "engagement_"}
DIMENSIONS = {"topics": "topic", "formats": "engagement_type"}
Plan = dict[str, Any]


def plans(marts: duckdb.DuckDBPyConnection, config: Config | None = None) -> list[Plan]:
    """A plan for each `tier_1` and `tier_2` segment, best first; empty where nothing is prioritized.

    `marts` has the published marts in the schema `marts`; without `config` the project's activation/hubspot.yml is read, if
    there is one. Shares and rates lie between 0 and 1, each with its n; durations are days. Raises ConfigError.
    """
    path = project_directory() / "activation" / "hubspot.yml"
    config = config or (load_config(path) if path.exists() else Config())
    segments = _rows(
        marts,
        "select segment_id, segment_name, tier, definition, pursuit_count, lift, lift_low, lift_high from marts.icp_segments"
        f" where tier in {PRIORITIZED} order by tier, lift desc nulls last, segment_id",
    )
    return [_plan(marts, config, segment) for segment in segments]


def _plan(marts: duckdb.DuckDBPyConnection, config: Config, segment: Plan) -> Plan:
    segment_id, words = segment["segment_id"], TIER_WORDS[segment["tier"]]
    settings = config.nurture
    funnel = _rows(
        marts,
        "select * from marts.icp_funnel where segment_id = ? order by stage_number",
        segment_id,
    )
    goal = _goal(config, funnel)
    rules = _rows(marts, "select attribute, operator, value from marts.icp_segment_rules where segment_id = ?", segment_id)
    look_alike = list_name(config, f"like {words}", segment["segment_name"], segment_id)
    content = {what: _content(marts, what, segment_id, rules, settings.topics) for what in BEHAVIOURS}
    return {
        "segment": {
            "id": segment_id,
            "name": segment["segment_name"],
            "tier": segment["tier"],
            "rule": segment["definition"],
            "value_per_pursuit_against_all": _interval(segment, "lift"),
            "pursuits": segment["pursuit_count"],
        },
        "owner": settings.owners.get(segment_id, settings.owner),
        "goal": goal,
        "entry": {
            "list": list_name(config, words, segment["segment_name"], segment_id),
            "before_the_next_run": look_alike if config.lists.look_alikes else None,
            "contacts": _contacts(marts, segment_id, settings.roles),
        },
        "exit": _exits(goal, funnel),
        "audience": _audience(marts, segment_id),
        **content,
        "products": _products(marts, segment_id, settings.topics),
        "timing": {"stages": [_stage(row) for row in funnel if row["stage"] != "won"], "season": _season(marts, segment_id)},
        "steps": _steps(settings, segment_id, goal, funnel, content["topics"]),
        "holdout": holdout(marts, config.nurture, segment_id, goal, funnel),
    }


def _goal(config: Config, funnel: list[Plan]) -> Plan:
    """The stage to reach, from the stage before it, and how many reach it today."""
    stages = [row["stage"] for row in funnel]
    settings = config.nurture
    days = settings.goal_within_days
    goal: Plan = {
        "stage": settings.goal_stage,
        "within_days": days,
        "from_stage": None,
        "rate_today": NO_EVIDENCE,
        "waiting_now": None,
    }
    if settings.goal_stage not in stages[1:]:
        return goal
    row = funnel[stages.index(settings.goal_stage) - 1]
    goal |= {"from_stage": row["stage"], "unit": UNITS[row["stage"]], "waiting_now": row["entered_count"] - row["reached_count"]}
    if row["stage"] == "opportunity":
        goal["waiting_now"] = row["open_count"]
    if row[f"matured_{days}_days_count"]:
        goal["rate_today"] = _interval(row, f"conversion_{days}_days", "_rate") | {"n": row[f"matured_{days}_days_count"]}
    return goal


def _exits(goal: Plan, funnel: list[Plan]) -> list[str]:
    exits = [
        f"the {goal['stage']} stage is reached",
        "the company becomes a customer" + ", or an opportunity is opened" * (goal["stage"] in ("mql", "sql")),
        "the company leaves the entry list: its segment or tier changed",
        "the contact unsubscribes, or Sales asks for it",
    ]
    slow = next((row["p75_days_to_next"] for row in funnel if row["stage"] == goal["from_stage"]), None)
    if slow is not None:
        exits.append(f"{ceil(slow)} days without the goal: three of four that reach it have done so by then")
    return exits


def _audience(marts: duckdb.DuckDBPyConnection, segment_id: str) -> Plan:
    """The roles of known contacts: first those that are more frequent here than elsewhere, beyond chance."""
    roles: Plan = {}
    for kind in ("function", "seniority"):
        rows = _profile(marts, segment_id, "people", kind)
        roles[kind] = [_frequency(row, "role") for row in rows[:ROLES]] or NO_EVIDENCE
    return roles


def _contacts(marts: duckdb.DuckDBPyConnection, segment_id: str, roles: list[str]) -> list[Plan] | str:
    """How many known contacts of the segment the workflow may take, by role, and of how many companies."""
    return (
        _rows(
            marts,
            "select icp_role as role, count(*) as contacts, count(distinct account_id) as companies"
            " from marts.sync_hubspot_contacts where icp_segment = ? and list_contains(?, icp_role)"
            " group by icp_role order by icp_role",
            segment_id,
            list(roles),
        )
        or NO_EVIDENCE
    )


def _content(marts: duckdb.DuckDBPyConnection, what: str, segment_id: str, rules: list[Plan], most: int) -> Plan:
    """What changes outcomes, of all accounts or of those with a trait of the segment's rule; then what is merely usual here."""
    prefix = BEHAVIOURS[what]
    effects = _rows(
        marts,
        "select outcome, attribute, value, verdict, accounts, lift, lift_low, lift_high from marts.icp_attribute_effects"
        " where verdict in ('raises', 'lowers') and (attribute like ? or attribute like ?)"
        " order by verdict desc, q_value, outcome, attribute, value",
        f"{prefix}%",
        f"% & {prefix}%",
    )
    moves: list[Plan] = []
    for effect in effects:
        scope = _scope(effect, prefix, rules)
        if scope:
            behaviour, value, where = scope
            found = {"what": behaviour, "times": value, "verdict": f"{effect['verdict']} {effect['outcome']}", "of": where}
            moves.append(found | {"lift": _interval(effect, "lift"), "n": effect["accounts"]})
    usual = _profile(marts, segment_id, "engagement", DIMENSIONS[what])
    return {
        "moves": moves[:most] or NO_EVIDENCE,
        "usual_here": [_frequency(row, "what") for row in usual[:most]] or NO_EVIDENCE,
    }


def _scope(effect: Plan, prefix: str, rules: list[Plan]) -> tuple[str, str, str] | None:
    """Behaviour, its value, and whose effect it is; None where the effect is that of accounts outside the segment."""
    attributes, values = effect["attribute"].split(" & "), str(effect["value"]).split(" & ")
    if len(attributes) == 1:
        return attributes[0].removeprefix(prefix), str(effect["value"]), "all accounts"
    if len(attributes) != 2 or len(values) != 2:
        return None
    pairs = list(zip(attributes, values, strict=True))
    behaviours = [pair for pair in pairs if pair[0].startswith(prefix)]
    traits = [pair for pair in pairs if not pair[0].startswith(prefix)]
    if len(behaviours) == 1 and len(traits) == 1 and any(_asks_for(rule, *traits[0]) for rule in rules):
        return behaviours[0][0].removeprefix(prefix), behaviours[0][1], f"{traits[0][0]} {traits[0][1]}"
    return None


def _asks_for(rule: Plan, attribute: str, value: str) -> bool:
    if rule["attribute"] != attribute or rule["operator"] not in ("=", "in"):
        return False
    return value in (json.loads(rule["value"]) if rule["operator"] == "in" else [rule["value"]])


def _profile(marts: duckdb.DuckDBPyConnection, segment_id: str, aspect: str, dimension: str) -> list[Plan]:
    return _rows(
        marts,
        "select value, share, overall_share, accounts, share_low > overall_share as is_typical from marts.icp_segment_profiles"
        " where segment_id = ? and aspect = ? and dimension = ? and accounts_with > 0"
        " order by is_typical desc, share desc, value",
        segment_id,
        aspect,
        dimension,
    )


def _products(marts: duckdb.DuckDBPyConnection, segment_id: str, most: int) -> list[Plan] | str:
    """What the segment's customers buy more often than others, beyond chance."""
    rows = _rows(
        marts,
        "select item_name as value, attach_rate as share, overall_attach_rate as overall_share, customer_count as accounts,"
        " true as is_typical from marts.icp_product_mix where segment_id = ? and item_type = 'product' and item_name is not null"
        " and attach_rate_low > overall_attach_rate order by attach_rate / overall_attach_rate desc, item_name limit ?",
        segment_id,
        most,
    )
    return [_frequency(row, "what") for row in rows] or NO_EVIDENCE


def _steps(settings: Nurture, segment_id: str, goal: Plan, funnel: list[Plan], topics: Plan) -> list[Plan]:
    """What is sent on which day, and about what: first what raises an outcome, then what is more usual here than elsewhere."""
    moves = [] if topics["moves"] == NO_EVIDENCE else topics["moves"]
    usual = [] if topics["usual_here"] == NO_EVIDENCE else topics["usual_here"]
    raises = [move["what"] for move in moves if move["verdict"].startswith("raises")]
    typical = [topic["what"] for topic in usual if topic["more_than_elsewhere"]]
    about = list(dict.fromkeys([*raises, *typical]))
    chosen = emails_of(settings, segment_id)
    count = len(chosen) or settings.topics
    delay = delay_days(settings, goal, funnel, count)
    steps: list[Plan] = [
        {
            "day": number * delay,
            "step": f"e-mail {number + 1}",
            "about": about[number] if number < len(about) else NO_EVIDENCE,
            "hubspot_email": chosen[number] if chosen else "to choose: nurture.emails",
        }
        for number in range(count)
    ]
    if settings.owner_task:
        steps.append({"day": count * delay, "step": "task for the contact's owner", "about": "a call", "hubspot_email": None})
    return steps


def emails_of(settings: Nurture, segment_id: str) -> list[int]:
    """The e-mails that are chosen for a segment, in order; empty where none are."""
    return settings.emails.get(segment_id, settings.emails.get("all", []))


def delay_days(settings: Nurture, goal: Plan, funnel: list[Plan], count: int) -> int:
    """Days between e-mails: as set, else so that the last is over when three of four that reach the goal have reached it."""
    slow = next((row["p75_days_to_next"] for row in funnel if row["stage"] == goal["from_stage"]), None)
    return settings.delay_days or (ceil(slow / count) if slow else USUAL_DELAY)


def _frequency(row: Plan, name: str) -> Plan:
    return {
        name: row["value"],
        "share": round(row["share"], 3),
        "share_of_all": round(row["overall_share"], 3),
        "more_than_elsewhere": bool(row["is_typical"]),
        "n": row["accounts"],
    }


def _stage(row: Plan) -> Plan:
    return {
        "stage": row["stage"],
        "median_days_to_next": row["median_days_to_next"] if row["reached_count"] else NO_EVIDENCE,
        "three_of_four_within_days": row["p75_days_to_next"] if row["reached_count"] else NO_EVIDENCE,
        "n": row["reached_count"],
    }


def _season(marts: duckdb.DuckDBPyConnection, segment_id: str) -> Plan | str:
    rows = _rows(
        marts,
        "select reason, calendar_month from marts.icp_seasonality"
        " where dimension = 'segment' and value = ? and verdict = 'seasonal' and is_season order by calendar_month",
        segment_id,
    )
    return {"months": [row["calendar_month"] for row in rows], "reason": rows[0]["reason"]} if rows else NO_EVIDENCE


def _interval(row: Plan, name: str, suffix: str = "") -> Plan | str:
    value = row[f"{name}{suffix}"]
    if value is None:
        return NO_EVIDENCE
    return {"value": round(value, 3), "low": round(row[f"{name}_low"], 3), "high": round(row[f"{name}_high"], 3)}


def _rows(marts: duckdb.DuckDBPyConnection, query: str, *values: object) -> list[Plan]:
    cursor = marts.execute(query, list(values))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
