"""The lists that the segments want, as HubSpot filters: which, by what name, and what each asks for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, NamedTuple

import duckdb

from icp_refinery.hubspot.config import Config, Trait
from icp_refinery.hubspot.objects import COMPANIES, CONTACTS, ObjectType
from icp_refinery.project import PRIORITIZED, TIER_WORDS

LONGEST_NAME = 200

Json = dict[str, Any]
Filters = list[list[Json]]  # an OR of ANDs


class Rule(NamedTuple):
    """A condition of a segment, as in icp_segment_rules."""

    attribute: str
    operator: str
    value: str | None


class Wanted(NamedTuple):
    """A list that there should be; one that cannot be, or not yet, has no filters and says why."""

    key: str
    name: str
    filters: Filters
    reason: str = ""
    kind: ObjectType = COMPANIES
    is_later: bool = False


class CannotSay(Exception):
    """HubSpot cannot be asked for this; the message says why."""


class NotYet(CannotSay):
    """HubSpot cannot be asked for this before the next apply."""


ROLES = {"decision_maker": "decision makers", "influencer": "influencers", "user": "users"}
DISAGREEMENTS = {
    "nobody": "nobody works them",
    "only_marketing": "only Marketing works them",
    "only_sales": "only Sales works them",
    "deprioritized_costs_money": "low fit, but cost money",
}


def wanted_lists(
    marts: duckdb.DuckDBPyConnection, config: Config, properties: dict[str, Json], of_contacts: dict[str, Json] | None = None
) -> list[Wanted]:
    """The lists of companies: by prioritized segment, tier 3, the deprioritized, and what Marketing and Sales disagree about.

    With `of_contacts` also those of contacts, by tier and role. `properties` are the portal's company properties by name,
    `of_contacts` those of contacts. A look-alike list filters on the traits themselves, so that it finds a company that was never
    written to; all others filter on what was written.
    """
    rows = marts.execute(
        "select segment_id, segment_name, tier from marts.icp_segments order by tier desc, segment_id"
    ).fetchall()
    tiers = {tier for _, _, tier in rows}
    wanted = _of_segments(marts, config, properties, rows) if "companies" in config.objects else []

    def add(kind: ObjectType, key: str, words: str, **values: str) -> None:
        there = properties if kind is COMPANIES else of_contacts or {}
        made = _filters(lambda: [[_written(ours, value, config, there) for ours, value in values.items()]])
        wanted.append(made(key, list_name(config, words), kind))

    if "companies" in config.objects:
        if "tier_3" in tiers:
            add(COMPANIES, "tier_3", TIER_WORDS["tier_3"], icp_tier="tier_3")
        for reason, words in DISAGREEMENTS.items() if _is_known_who_works(marts) else ():
            add(COMPANIES, f"disagreement_{reason}", words, icp_disagreement=reason)
    if of_contacts is not None:
        for tier in sorted(tiers & set(PRIORITIZED)):
            for role, words in ROLES.items():
                key, words = f"contacts_{tier}_{role}", f"contacts: {words}, {TIER_WORDS[tier]}"
                add(CONTACTS, key, words, icp_tier=tier, icp_role=role)
        if "deprioritized" in tiers:
            add(CONTACTS, "contacts_suppress", "contacts: low fit, leave out of campaigns", icp_tier="deprioritized")
        if _is_known_who_works(marts):
            add(CONTACTS, "contacts_nobody", "contacts: nobody works them", icp_disagreement="nobody")
    names = Counter(one.name for one in wanted)
    return [one._replace(name=_cut(one.name, f" [{one.key}]")) if names[one.name] > 1 else one for one in wanted]


def _of_segments(
    marts: duckdb.DuckDBPyConnection, config: Config, properties: dict[str, Json], rows: list[tuple[str, str, str]]
) -> list[Wanted]:
    rules: dict[str, list[Rule]] = {segment_id: [] for segment_id, *_ in rows}
    for segment_id, *rule in marts.execute(
        "select segment_id, attribute, operator, value from marts.icp_segment_rules order by segment_id, condition_number"
    ).fetchall():
        if segment_id in rules:
            rules[segment_id].append(Rule(*rule))
    wanted: list[Wanted] = []
    for segment_id, name, tier in rows:
        if tier in PRIORITIZED:
            words = TIER_WORDS[tier]
            written = _filters(lambda i=segment_id: [[_written("icp_segment", i, config, properties)]])
            wanted.append(written(segment_id, list_name(config, words, name, segment_id)))
            if config.lists.look_alikes:
                alike = _filters(lambda i=segment_id: look_alike([rules[i]], config, properties))
                wanted.append(alike(f"like {segment_id}", list_name(config, f"like {words}", name, segment_id)))
    low = [segment_id for segment_id, _, tier in rows if tier == "deprioritized"]
    if low:
        written = _filters(lambda: [[_written("icp_tier", "deprioritized", config, properties)]])
        wanted.append(written("deprioritized", list_name(config, TIER_WORDS["deprioritized"])))
        if config.lists.look_alikes:
            alike = _filters(lambda: look_alike([rules[segment_id] for segment_id in low], config, properties))
            wanted.append(alike("like deprioritized", list_name(config, f"like {TIER_WORDS['deprioritized']}")))
    return wanted


def _is_known_who_works(marts: duckdb.DuckDBPyConnection) -> bool:
    return bool(marts.execute("select exists (select 1 from marts.icp_disagreements)").fetchone()[0])


def list_name(config: Config, words: str, segment_name: str = "", segment_id: str = "") -> str:
    """A list's name, in one line; a segment without a name has its id."""
    segment = segment_name or segment_id
    start = f"{config.lists.prefix} {words}"
    return _cut(" ".join(f"{start}: {segment}".split()) if segment else start)


def _cut(name: str, end: str = "") -> str:
    return name[: LONGEST_NAME - len(end)] + end


def look_alike(segments: Iterable[list[Rule]], config: Config, properties: dict[str, Json]) -> Filters:
    """The filters that find who meets the rules of any of the segments. Raises CannotSay."""
    filters: Filters = []
    for rules in segments:
        if not rules:
            raise CannotSay("its rule holds every company")
        for choice in product(*(_condition(rule, config.lists.traits, properties) for rule in rules)):
            filters.append(list({_key(part): part for group in choice for part in group}.values()))
    filters = list({json.dumps(sorted(map(_key, group))): group for group in filters if not _contradicts(group)}.values())
    if not filters:
        raise CannotSay("its rule holds no company")
    return filters


def _filters(made: Callable[[], Filters]) -> Callable[..., Wanted]:
    """What makes the list of these filters from its key and name."""

    def wanted(key: str, name: str, kind: ObjectType = COMPANIES) -> Wanted:
        try:
            return Wanted(key, name, made(), kind=kind)
        except CannotSay as problem:
            return Wanted(key, name, [], str(problem), kind, isinstance(problem, NotYet))

    return wanted


def _contradicts(group: list[Json]) -> bool:
    unknown = {part["property"] for part in group if part["operation"]["operator"] == "IS_UNKNOWN"}
    return any(part["property"] in unknown and part["operation"]["operator"] != "IS_UNKNOWN" for part in group)


def _condition(rule: Rule, traits: dict[str, Trait], properties: dict[str, Json]) -> Filters:
    """A condition as an OR of ANDs. A missing value is on the side of `not_in`, `!=` and `<`, in a branch of its own: HubSpot's
    flag for it is not documented for every operator."""
    trait = traits.get(rule.attribute)
    if trait is None:
        raise CannotSay(f"{rule.attribute} is not mapped to a company property (lists.traits)")
    known = properties.get(trait.property)
    if known is None:
        raise CannotSay(f"HubSpot has no company property {trait.property}")
    name = trait.property
    missing = [_part(name, "ALL_PROPERTY", "IS_UNKNOWN")]
    match rule.operator:
        case "is_missing":
            return [missing]
        case "is_not_missing":
            return [[_part(name, "ALL_PROPERTY", "IS_KNOWN")]]
        case ">=":
            return [[_part(name, "NUMBER", "IS_GREATER_THAN_OR_EQUAL_TO", value=_number(rule, known))]]
        case "<":
            return [[_part(name, "NUMBER", "IS_LESS_THAN", value=_number(rule, known))], missing]
    values = json.loads(rule.value) if rule.operator in ("in", "not_in") else [rule.value]
    among = _among(known, values, trait, rule)
    return [among] if rule.operator in ("=", "in") else [among, missing]


def _among(known: Json, values: list[str], trait: Trait, rule: Rule) -> list[Json]:
    name, is_in = known["name"], rule.operator in ("=", "in")
    there: list[str] = []
    for value in values:
        if trait.values and value not in trait.values:
            raise CannotSay(f"the {rule.attribute} {value!r} has no value of {name} (lists.traits.{rule.attribute}.values)")
        there += trait.values.get(value, [value])
    if not there:
        raise CannotSay(f"its condition on {rule.attribute} names no value")
    if known.get("type") == "enumeration":
        if known.get("fieldType") == "checkbox":
            raise CannotSay(f"{name} holds several values at once")
        unknown = sorted(set(there) - {option["value"] for option in known.get("options", [])})
        if unknown:
            raise CannotSay(f"{name} has no option {', '.join(unknown)} in HubSpot")
        return [_part(name, "ENUMERATION", "IS_ANY_OF" if is_in else "IS_NONE_OF", values=there)]
    if known.get("type") == "string":
        return [_part(name, "MULTISTRING", "IS_EQUAL_TO" if is_in else "IS_NOT_EQUAL_TO", values=there)]
    raise CannotSay(f"{name} is of type {known.get('type')} in HubSpot, where `{rule.operator}` needs a text or a choice")


def _number(rule: Rule, known: Json) -> float | int:
    if known.get("type") != "number":
        raise CannotSay(f"{known['name']} is of type {known.get('type')} in HubSpot, where `{rule.operator}` needs a number")
    try:
        number = float(rule.value)
    except (TypeError, ValueError):
        raise CannotSay(f"{rule.value!r} is not a number") from None
    return int(number) if number.is_integer() else number


def _written(ours: str, value: str, config: Config, properties: dict[str, Json]) -> Json:
    name = config.properties[ours]
    known = properties.get(name)
    if known is None or value not in {option["value"] for option in known.get("options", [])}:
        raise NotYet(f"will be created after `icp hubspot apply --apply`, which makes {value} of {name}")
    return _part(name, "ENUMERATION", "IS_ANY_OF", values=[value])


def _part(name: str, kind: str, operator: str, **value: Any) -> Json:
    operation = {"operationType": kind, "operator": operator, **value, "includeObjectsWithNoValueSet": operator == "IS_UNKNOWN"}
    return {"filterType": "PROPERTY", "property": name, "operation": operation}


def filter_branch(filters: Filters) -> Json:
    """The filters in HubSpot's form."""
    groups = [
        {"filterBranchType": "AND", "filterBranchOperator": "AND", "filterBranches": [], "filters": group} for group in filters
    ]
    return {"filterBranchType": "OR", "filterBranchOperator": "OR", "filterBranches": groups, "filters": []}


def meaning(branch: Json | None) -> list[list[str]] | None:
    """What filters in HubSpot's form ask for, whatever their order; None for any that this project does not make."""
    try:
        return _meaning(branch or {})
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _meaning(branch: Json) -> list[list[str]] | None:
    if branch.get("filterBranchType") != "OR" or branch.get("filters"):
        return None
    groups: set[tuple[str, ...]] = set()
    for group in branch.get("filterBranches") or []:
        parts = group.get("filters") or []
        is_plain = group.get("filterBranchType") == "AND" and not group.get("filterBranches")
        if not is_plain or any(part.get("filterType") != "PROPERTY" for part in parts):
            return None
        groups.add(tuple(sorted({_key(part) for part in parts})))
    return sorted(map(list, groups))


def _key(part: Json) -> str:
    asked = part["operation"]
    kind = asked.get("operationType")
    values = sorted({str(value) for value in asked.get("values") or []})
    value = float(asked["value"]) if kind == "NUMBER" and "value" in asked else asked.get("value")
    # Whether a company without a value is asked for is said by the operator, where every type of property has it.
    blank = kind != "ALL_PROPERTY" and bool(asked.get("includeObjectsWithNoValueSet"))
    refined = {name: asked[name] for name in ("pruningRefineBy", "coalescingRefineBy") if asked.get(name)}
    return json.dumps([part.get("property"), kind, asked.get("operator"), values, value, blank, refined], ensure_ascii=False)


def in_words(filters: Filters) -> str:
    """The filters as a person reads them in HubSpot."""
    return " OR ".join(" AND ".join(map(_words, group)) for group in filters)


def _words(part: Json) -> str:
    asked = part["operation"]
    values = asked.get("values") or ([asked["value"]] if "value" in asked else [])
    return " ".join([part["property"], asked["operator"].lower().replace("_", " "), ", ".join(map(str, values))]).strip()
