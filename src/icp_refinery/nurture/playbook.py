"""A nurture plan as a page that a person reads: who, why, what to send when, what to say, when to stop, how it is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from icp_refinery.nurture.holdout import NO_EVIDENCE
from icp_refinery.nurture.plan import Plan
from icp_refinery.project import TIER_NAMES

TELLS = "say nothing about"
LONG = 104  # weeks


def as_markdown(plan: Plan) -> str:
    """The plan in Markdown. Every figure has its n; what the data do not say is said to be unknown."""
    segment, goal = plan["segment"], plan["goal"]
    parts = [
        f"# Nurture: {_plain(segment['name'])}",
        f"{TIER_NAMES[segment['tier']]} (`{segment['tier']}`, `{segment['id']}`). Responsible: {_plain(plan['owner'])}.",
        *_section("Who", [f"Companies whose {_plain(segment['rule'])}.", *_roles(plan["audience"])]),
        *_section("Why", [_why(segment), _today(goal)]),
        *_section("What raises conversion here", [*_moves(plan["topics"], "topic"), *_moves(plan["formats"], "format")]),
        *_section("What to send when", [_steps(plan["steps"]), _pace(plan["timing"], goal), _season(plan["timing"]["season"])]),
        *_section("What to say", [_usual(plan["topics"], "topic"), _usual(plan["formats"], "format"), _bought(plan["products"])]),
        *_section("When it ends", plan["exit"]),
        *_section("How it is measured", _measured(plan["holdout"], goal)),
    ]
    return "\n".join(parts) + "\n"


def as_yaml(plan: Plan) -> str:
    """The plan as YAML, in the order in which it is read."""
    return yaml.safe_dump(plan, sort_keys=False, allow_unicode=True, width=120)


def write(found: list[Plan], folder: Path) -> list[Path]:
    """Two files per plan in `folder`, `<segment_id>.md` and `<segment_id>.yml`; returns their paths. Other files are left."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for plan in found:
        for suffix, text in ((".md", as_markdown(plan)), (".yml", as_yaml(plan))):
            path = folder / f"{plan['segment']['id']}{suffix}"
            path.write_text(text, encoding="utf-8")
            paths.append(path)
    return paths


def _section(title: str, lines: list[str]) -> list[str]:
    body = [line if line.startswith("|") else f"- {line[:1].upper()}{line[1:]}" for line in lines]
    return ["", f"## {title}", "", *body]


def _why(segment: Plan) -> str:
    value = segment["value_per_pursuit_against_all"]
    if value == NO_EVIDENCE:
        return f"the data {TELLS} what a first deal here is worth."
    interval = f"{value['low']:g} to {value['high']:g}"
    return f"a first deal here is worth {value['value']:g} times that of all ({interval}; n = {segment['pursuits']:,})."


def _today(goal: Plan) -> str:
    if goal["rate_today"] == NO_EVIDENCE:
        return f"the data {TELLS} how many reach the goal ({goal['stage']}) today."
    rate = goal["rate_today"]
    return (
        f"of {goal['unit']} at {goal['from_stage']}, {_share(rate)} reach {goal['stage']} within {goal['within_days']} days"
        f" ({_share(rate, 'low')} to {_share(rate, 'high')}; n = {rate['n']:,}); {goal['waiting_now']:,} wait now."
    )


def _roles(audience: Plan) -> list[str]:
    lines = []
    for kind, roles in audience.items():
        typical = [_frequent(role, "role") for role in roles if role["more_than_elsewhere"]] if roles != NO_EVIDENCE else []
        told = ", ".join(typical) or f"the data {TELLS} whom to address"
        lines.append(f"{kind}, more often than elsewhere: {told}." if typical else f"{kind}: {told}.")
    return lines


def _moves(content: Plan, what: str) -> list[str]:
    if content["moves"] == NO_EVIDENCE:
        return [f"no {what} is shown to change an outcome, here or among all accounts."]
    return [
        f"{what} {_plain(move['what'])} ({_plain(move['times'])}) {move['verdict'].replace('_', ' ')}: {_lift(move['lift'])}"
        f" (n = {move['n']:,}, {_plain(move['of'])})."
        for move in content["moves"]
    ]


def _lift(lift: Any) -> str:
    return NO_EVIDENCE if lift == NO_EVIDENCE else f"{lift['value']:g} times ({lift['low']:g} to {lift['high']:g})"


def _usual(content: Plan, what: str) -> str:
    usual = content["usual_here"]
    typical = [_frequent(one, "what") for one in usual if one["more_than_elsewhere"]] if usual != NO_EVIDENCE else []
    if not typical:
        return f"no {what} is more usual here than elsewhere."
    return f"{what}s that are more usual here than elsewhere (which does not mean that they sell): {', '.join(typical)}."


def _bought(products: list[Plan] | str) -> str:
    if products == NO_EVIDENCE:
        return "no product is bought more often here than elsewhere."
    return f"customers here buy more often than others: {', '.join(_frequent(one, 'what') for one in products)}."


def _frequent(one: Plan, name: str) -> str:
    return f"{_plain(one[name])} ({one['share']:.0%} against {one['share_of_all']:.0%} of all; n = {one['n']:,})"


def _steps(steps: list[Plan]) -> str:
    rows = [
        f"| {step['day']} | {step['step']} | {'your choice: ' if step['about'] == NO_EVIDENCE else ''}{_plain(step['about'])} |"
        f" {step['hubspot_email'] or ''} |"
        for step in steps
    ]
    return "\n".join(["| day | step | about | e-mail in HubSpot |", "|---|---|---|---|", *rows]) + "\n"


def _pace(timing: Plan, goal: Plan) -> str:
    stage = next((stage for stage in timing["stages"] if stage["stage"] == goal["from_stage"]), None)
    if stage is None or stage["median_days_to_next"] == NO_EVIDENCE:
        return f"the data {TELLS} how long it takes."
    half, most = stage["median_days_to_next"], stage["three_of_four_within_days"]
    told = f"of those that go on from {stage['stage']}, half have done so after {half:g} days, three of four after {most:g}"
    return f"{told} (n = {stage['n']:,})."


def _season(season: Plan | str) -> str:
    if season == NO_EVIDENCE:
        return "no month is shown to be better than others."
    return f"{_plain(season['reason'])} (months {', '.join(map(str, season['months']))})."


def _measured(held: Plan, goal: Plan) -> list[str]:
    lines = [
        f"{held['share']:.0%} of companies are held out, {held['how']}.",
        f"compared: the share of companies that reach {goal['stage']}, with `icp hubspot outcome`.",
        f"{held['why']}.",
    ]
    if held["companies_needed"] is not None:
        lines.append(
            f"{held['companies_needed']:,} companies are needed, held out included; {held['companies_waiting']:,} wait now,"
            f" {held['companies_a_week']:g} come a week."
        )
    if held["weeks"] is None:
        lines.append("so the number of weeks until it can tell is not known.")
        return lines
    too_long = " That is long to wait for: take a larger smallest_effect, or several segments." * (held["weeks"] > LONG)
    return [*lines, f"**after {held['weeks']:,} weeks** it can tell; assumed: {held['assumes']}.{too_long}"]


def _share(rate: Plan, part: str = "value") -> str:
    return f"{rate[part]:.1%}"


def _plain(text: object) -> str:
    """A text from outside, in one line, without what Markdown would make something of."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in " ".join(str(text).split()))
