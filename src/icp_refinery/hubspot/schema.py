"""The properties that we write, and their options: what they are, what of them a portal lacks, and creating that."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

import duckdb

from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.errors import Json, PlanError, Unreachable, Unsure
from icp_refinery.hubspot.journal import Journal, utc_now
from icp_refinery.hubspot.objects import ObjectType, types_of
from icp_refinery.project import TIER_WORDS

ATTEMPTS = 5
TYPES = {
    "icp_tier": (
        "enumeration",
        "select",
        "ICP tier",
        "How good the customers of its segment are, as learned from orders.",
    ),
    "icp_segment": ("enumeration", "select", "ICP segment", "The segment of the ideal customer profile that its company is in."),
    "icp_fit_score": (
        "number",
        "number",
        "ICP fit score",
        "0 to 100: how much it is like those that became good customers.",
    ),
    "icp_reasons": ("string", "textarea", "ICP reasons", "What moves the fit score most, in words and points."),
    "icp_role": (
        "enumeration",
        "select",
        "ICP role",
        "What the contact's job title stands for when its company buys: who decides, who influences, who uses.",
    ),
    "icp_role_fit": (
        "enumeration",
        "select",
        "ICP role fit",
        "Whether companies of its segment have such contacts more often than others.",
    ),
    "icp_nurture_group": (
        "enumeration",
        "select",
        "ICP nurture group",
        "Whether its company takes part in the nurture or is held out, to see what it does. Drawn by company.",
    ),
    "icp_nurture_entered_on": (
        "date",
        "date",
        "ICP nurture entered on",
        "The day on which a nurture workflow took the contact.",
    ),
    "icp_disagreement": (
        "enumeration",
        "select",
        "ICP disagreement",
        "What Marketing and Sales should talk about: who works a company that fits well, or what one that fits badly costs.",
    ),
    "icp_changed_on": ("date", "date", "ICP changed on", "The day (UTC) on which one of the ICP properties last changed."),
}
OPTIONS = {
    "icp_tier": {tier: words.capitalize() for tier, words in TIER_WORDS.items()},
    "icp_role": {role: role.replace("_", " ").capitalize() for role in ("decision_maker", "influencer", "user")},
    "icp_nurture_group": {"nurture": "Nurture", "held_out": "Held out"},
    "icp_role_fit": {"high": "More often than elsewhere", "usual": "As often as elsewhere", "low": "Less often than elsewhere"},
    "icp_disagreement": {
        "nobody": "Nobody works it",
        "only_marketing": "Only Marketing works it",
        "only_sales": "Only Sales works it",
        "deprioritized_costs_money": "Low fit, but costs money",
    },
}


@dataclass
class Natives:
    """HubSpot's own properties that are opted in: the option of each tier, as far as the portal has it."""

    options: dict[str, dict[str, str]]
    missing: list[str] = field(default_factory=list)


def same(name: str, one: str | None, other: str | None) -> bool:
    """Whether two values are the same to HubSpot: 72 and 72.0 are, null and empty, and texts that differ in blanks."""
    first, second = " ".join((one or "").split()), " ".join((other or "").split())
    if first == second:
        return True
    if TYPES.get(name, ("",))[0] == "number" and first and second:
        with suppress(InvalidOperation):
            return Decimal(first) == Decimal(second)
    return False


def differs(config: Config, name: str, one: str | None, other: str | None) -> bool:
    """As `same`, for a property by its name in HubSpot."""
    ours = {there: here for here, there in config.properties.items()}
    return not same(ours.get(name, name), one, other)


def schema_steps(
    kind: ObjectType, portal_properties: dict[str, Json], groups: Iterable[str], config: Config, segments: dict[str, str]
) -> list[Json]:
    """What has to be created before values can be written: a group, properties, options. Nothing is changed or taken away.

    Raises PlanError where a property of that name is of another type, or in another group than ours: others made it.
    """
    steps: list[Json] = []
    if config.group_name not in groups:
        steps.append(_step(kind, "create_group", config.group_name) | {"label": config.group_label})
    wanted_options = OPTIONS | {"icp_segment": segments}
    for ours in (*kind.values, *kind.also, "icp_changed_on"):
        type_, field_type, label, description = TYPES[ours]
        name = config.properties[ours]
        known = portal_properties.get(name)
        options = wanted_options.get(ours, {})
        if known is None:
            body = {"name": name, "label": label, "description": description, "groupName": config.group_name}
            body |= {"type": type_, "fieldType": field_type}
            if ours in wanted_options:
                body["options"] = _options(options, [])
            steps.append(_step(kind, "create_property", name) | {"body": body})
            continue
        if known.get("type") != type_:
            raise PlanError(
                f"The {kind.singular} property {name} is there already, as {known.get('type')} in place of {type_}. "
                "Give ours another name in activation/hubspot.yml (properties), or archive that one."
            )
        if known.get("groupName") != config.group_name:
            raise PlanError(
                f"The {kind.singular} property {name} is there already, in the group {known.get('groupName')}: it is not taken "
                f"for ours. If it is, move it into the group {config.group_name}; else give ours another name in "
                "activation/hubspot.yml."
            )
        if (known.get("modificationMetadata") or {}).get("readOnlyValue"):
            raise PlanError(f"The {kind.singular} property {name} is read-only in HubSpot.")
        missing = {value: text for value, text in options.items() if value not in _values(known)}
        if missing:
            options_there = known.get("options") or []
            added = _options(missing, options_there)
            steps.append(_step(kind, "add_options", name) | {"options": added})
    return steps


def _step(kind: ObjectType, action: str, name: str) -> Json:
    return {"kind": "schema", "object": kind.name, "action": action, "name": name}


def _values(known: Json) -> set[str]:
    return {option["value"] for option in known.get("options") or []}


def _options(wanted: dict[str, str], there: Sequence[Json]) -> list[Json]:
    """Options to add; HubSpot wants their labels to differ."""
    labels = {str(option.get("label", "")).casefold() for option in there}
    added = []
    for order, (value, text) in enumerate(wanted.items(), start=len(there)):
        label = " ".join(text.split()) or value
        if label.casefold() in labels:
            label = f"{label} ({value})"
        labels.add(label.casefold())
        added.append({"label": label, "value": value, "displayOrder": order, "hidden": False})
    return added


def natives(portal_properties: dict[str, Json], config: Config) -> Natives:
    """The native properties that are opted in, with the options that this portal has."""
    found = Natives({})
    for name, options in config.native.items():
        known = portal_properties.get(name)
        if known is None:
            found.missing.append(f"{name}: this portal has no such property")
            continue
        there = _values(known)
        found.options[name] = {tier: option for tier, option in options.items() if option in there}
        found.missing += [
            f"{name}: this portal has no option {option} (for {tier})" for tier, option in options.items() if option not in there
        ]
    return found


def segment_names(marts: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The name of each segment that a company may be in."""
    rows = marts.execute("select segment_id, segment_name from marts.icp_segments order by segment_id").fetchall()
    return {segment: name or segment for segment, name in rows}


def prepare_schema(
    portal: Portal, marts: duckdb.DuckDBPyConnection, config: Config, journal: Journal, planned: list[Json]
) -> None:
    """Creates the group, properties and options that are missing. Raises PlanError where some are that the plan does not name."""
    names = segment_names(marts)
    known = {key for step in planned for key in _keys(step)}
    for kind in types_of(config):
        _prepare(portal, kind, config, journal, known, names)


def _prepare(
    portal: Portal, kind: ObjectType, config: Config, journal: Journal, known: set[tuple[str, ...]], names: dict[str, str]
) -> None:
    for _ in range(ATTEMPTS):
        properties = portal.properties(kind.name)
        steps = schema_steps(kind, properties, portal.groups(kind.name), config, names)
        if not steps:
            return
        unplanned = sorted({step["name"] for step in steps if not set(_keys(step)) <= known})
        if unplanned:
            raise PlanError(
                f"Since the plan somebody took away in HubSpot, or from it: {', '.join(unplanned)}. Nothing is written. "
                "Run `icp hubspot diff` again to see what would be created."
            )
        try:
            for step in steps:
                journal.put({key: step[key] for key in ("kind", "object", "action", "name")} | {"at": utc_now()})
                if step["action"] == "create_group":
                    portal.create_group(kind.name, step["name"], step["label"])
                elif step["action"] == "create_property":
                    portal.create_property(kind.name, step["body"])
                else:
                    options = [*_kept_options(properties[step["name"]]), *step["options"]]
                    portal.set_options(kind.name, step["name"], options)
        except Unsure:
            continue
    raise Unreachable("HubSpot does not show the properties that were created. Run the same command again later.")


def _keys(step: Json) -> list[tuple[str, ...]]:
    """What a step creates: itself, and each of its options."""
    options = step.get("options") or step.get("body", {}).get("options") or []
    of = step["object"]
    itself = [] if step["action"] == "add_options" else [(of, step["action"], step["name"])]
    return itself + [(of, "option", step["name"], option["value"]) for option in options]


def _kept_options(known: Json) -> list[Json]:
    keys = ("label", "value", "displayOrder", "hidden", "description")
    return [{key: option[key] for key in keys if option.get(key) is not None} for option in known.get("options") or []]
