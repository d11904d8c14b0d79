"""`activation/hubspot.yml`: what is written to HubSpot, and how; checked before anything is asked of HubSpot.

The token is not in it, and no message repeats a value, so that a token in the wrong place stays unseen.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from icp_refinery.project import TIERS

TOKEN_VARIABLE = "HUBSPOT_TOKEN"
OWN_PROPERTIES = (
    "icp_tier",
    "icp_segment",
    "icp_fit_score",
    "icp_reasons",
    "icp_role",
    "icp_role_fit",
    "icp_nurture_group",
    "icp_nurture_entered_on",
    "icp_disagreement",
    "icp_changed_on",
)
# What `--native-icp-tier` writes to HubSpot's own property, of Tier 1 to Tier 3. Our tier_3 is neutral, not a third best: it and
# what fits badly are left empty.
NATIVE_ICP_TIER = {"hs_ideal_customer_profile": {"tier_1": "tier_1", "tier_2": "tier_2"}}
PROPERTY_NAME = re.compile(r"[a-z][a-z0-9_]*")
SECRETS = re.compile(r"token|secret|password|api_?key|service_?key|hapikey|authorization|bearer|credential", re.IGNORECASE)
# A key of HubSpot's, under whatever name: it would be written to HubSpot, as a label perhaps.
KEY = re.compile(r"pat-[a-z0-9]+-[0-9a-f]{8}-", re.IGNORECASE)
STAGES = Literal["mql", "sql", "opportunity", "won"]
Object = Literal["companies", "contacts", "deals"]


class ConfigError(ValueError):
    """The file cannot be used; one line for each thing that is wrong, with its file and line."""


def _property(name: str) -> str:
    if not PROPERTY_NAME.fullmatch(name):
        raise ValueError("a HubSpot property's name has small letters, digits and _, and begins with a letter")
    return name


def _own_property(name: str) -> str:
    if name.startswith("hs_"):
        raise ValueError("names with hs_ are HubSpot's own: opt in under `native`")
    return _property(name)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


PropertyName = Annotated[str, AfterValidator(_property)]
OwnPropertyName = Annotated[str, AfterValidator(_own_property)]
Words = Annotated[str, AfterValidator(_not_blank)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trait(_Strict):
    """The company property that holds a trait of the warehouse; its type and options are read from HubSpot."""

    property: PropertyName
    values: dict[str, list[Words]] = Field({}, description="the trait's value: [HubSpot's values]; left out, they are the same")

    @model_validator(mode="after")
    def _no_value_twice(self) -> Trait:
        owner: dict[str, str] = {}
        for value, names in self.values.items():
            for name in names:
                if owner.setdefault(name, value) != value:
                    raise ValueError("one HubSpot value stands for two values of the trait: a company would be in two segments")
            if not names:
                raise ValueError("a value of the trait has no HubSpot value: name one, or leave its line out")
        return self


class Lists(_Strict):
    """The lists, and which company properties can find who is like a segment."""

    prefix: Words = Field("ICP", max_length=40, description="1 to 40 characters, with which the lists' names begin")
    look_alikes: bool = Field(True, description="true or false")
    traits: dict[str, Trait] = {}


class Nurture(_Strict):
    """What a nurture plan cannot know from the data."""

    owner: Words = Field("Marketing Operations", description="who is responsible")
    owners: dict[str, Words] = Field({}, description="segment_id: who is responsible for it instead")
    goal_stage: STAGES = Field("sql", description="mql, sql, opportunity or won")
    goal_within_days: Literal[30, 90, 180] = Field(90, description="30, 90 or 180")
    smallest_effect: float = Field(0.2, ge=0.01, le=2, description="0.01 to 2: 0.2 is a rate that grows by a fifth")
    holdout_share: float = Field(0.2, ge=0.05, le=0.5, description="0.05 to 0.5")
    topics: int = Field(3, ge=1, le=10, description="1 to 10")
    roles: list[Literal["decision_maker", "influencer", "user"]] = Field(
        ["decision_maker", "influencer"], min_length=1, description="a list of decision_maker, influencer, user"
    )
    emails: dict[str, list[Annotated[int, Field(gt=0)]]] = Field(
        {}, description="segment_id, or all: [HubSpot's ids of automated e-mails, in order]"
    )
    delay_days: int | None = Field(None, ge=1, le=90, description="1 to 90, or null")
    owner_task: bool = Field(True, description="true or false")
    switched_on: dict[str, date] = Field({}, description="segment_id: day, as 2026-11-30")


class Config(_Strict):
    """All settings; the defaults are those of the file in the repository, traits apart."""

    api_version: str = Field("2026-09", pattern=r"^20\d\d-(0[1-9]|1[0-2])$", description="a year and month, as 2026-09")
    portal_id: int | None = Field(None, gt=0, description="HubSpot's number of the portal, or null")
    requests_per_10_seconds: int = Field(100, ge=1, le=190, description="1 to 190")
    calls_at_once: int = Field(8, ge=1, le=32, description="1 to 32")
    objects: list[Object] = Field(["companies"], min_length=1, description="a list of companies, contacts and deals")
    id_properties: dict[Literal["contacts", "deals"], PropertyName] = Field({}, description="contacts or deals: a property")
    group_name: OwnPropertyName = "icp"
    group_label: Words = "Ideal customer profile"
    properties: dict[str, OwnPropertyName] = Field({}, validate_default=True)
    native: dict[str, dict[str, Words]] = Field({}, description="hs_property: {tier: option}")
    max_changes: int = Field(2000, ge=1, description="a whole number from 1")
    max_clears: int = Field(100, ge=0, description="a whole number from 0")
    clearing: Literal["clear", "keep"] = Field("clear", description="clear or keep")
    human_edits: Literal["keep", "overwrite"] = Field("keep", description="keep or overwrite")
    lists: Lists = Lists()
    nurture: Nurture = Nurture()

    @field_validator("properties")
    @classmethod
    def _others_keep_their_names(cls, names: dict[str, str]) -> dict[str, str]:
        if not set(names) <= set(OWN_PROPERTIES):
            raise ValueError(f"there are {', '.join(OWN_PROPERTIES)}, and nothing else")
        return {name: names.get(name, name) for name in OWN_PROPERTIES}

    @model_validator(mode="after")
    def _properties_are_ours_and_distinct(self) -> Config:
        if len(set(self.properties.values())) < len(self.properties):
            raise ValueError("`properties` writes two of its values to the same property")
        if len(set(self.objects)) < len(self.objects):
            raise ValueError("`objects` names one twice")
        if "email" in self.id_properties.values():
            raise ValueError("`id_properties` names an id: records are never found by e-mail")
        for name, options in self.native.items():
            if not name.startswith("hs_") or not PROPERTY_NAME.fullmatch(name):
                raise ValueError("`native` names properties of HubSpot's own, which begin with hs_")
            if not set(options) <= set(TIERS):
                raise ValueError(f"`native` maps tiers to options; a tier is one of {', '.join(TIERS)}")
        return self


def load_config(path: Path) -> Config:
    """Read and check the file. Raises ConfigError where it cannot be used."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise ConfigError(f"{path}: cannot be read") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise ConfigError(f"{place}: is not YAML: {getattr(problem, 'problem', None) or 'it cannot be read'}") from None
    if content is None:
        return Config()
    if not isinstance(content, dict):
        raise ConfigError(f"{path}, line 1: settings are lines of `name: value`")
    problems = _forbidden(root, ())
    if not problems:
        try:
            return Config.model_validate(content)
        except ValidationError as error:
            problems = [(detail["loc"], _said(detail)) for detail in error.errors(include_input=False, include_url=False)]
    lines = {f"{path}, line {_line(root, place)}: {_dotted(place)}{what}" for place, what in problems}
    raise ConfigError("\n".join(sorted(lines, key=lambda line: int(re.search(r", line (\d+):", line)[1]))))


def _forbidden(node: yaml.Node, place: tuple) -> list[tuple[tuple, str]]:
    """Secrets, and names that are there twice, of which YAML would silently take the last."""
    problems: list[tuple[tuple, str]] = []
    if isinstance(node, yaml.ScalarNode) and KEY.search(node.value):
        problems.append((place, f"a secret does not belong into this file: set the environment variable {TOKEN_VARIABLE}"))
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            problems += _forbidden(item, (*place, number))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = (*place, key.value)
            if SECRETS.search(str(key.value)) and place[:2] != ("lists", "traits"):
                problems.append((here, f"a secret does not belong into this file: set the environment variable {TOKEN_VARIABLE}"))
            if key.value in seen:
                problems.append((here, "is there twice"))
            seen.add(key.value)
            problems += _forbidden(value, here)
    return problems


def _said(detail: dict) -> str:
    if detail["type"] == "extra_forbidden":
        return "there is no such setting; " + _known(detail["loc"][:-1])
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    allowed = _allowed(detail["loc"])
    return f"allowed is {allowed}" if allowed else detail["msg"]


def _model(place: tuple) -> tuple[type[BaseModel] | None, str | None]:
    """The model that the setting at `place` belongs to, and its name there."""
    model: type[BaseModel] | None = Config
    name = None
    for part in place:
        if model is None or part not in model.model_fields:
            return model if name is None else None, None
        name = part
        kind = model.model_fields[part].annotation
        if part != place[-1]:
            model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    return model, name


def _allowed(place: tuple) -> str | None:
    for end in range(len(place), 0, -1):
        model, name = _model(place[:end])
        if model and name:
            return model.model_fields[name].description
    return None


def _known(place: tuple) -> str:
    if not place:
        return "there are " + ", ".join(Config.model_fields)
    if place[:2] == ("lists", "traits"):
        return "there are " + ", ".join(Trait.model_fields)
    kind = Config.model_fields[place[0]].annotation
    return "there are " + ", ".join(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else ""


def _line(node: yaml.Node, place: tuple) -> int:
    """The line of the setting at `place`, or of the nearest one around it that the file has."""
    line = node.start_mark.line + 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _dotted(place: tuple) -> str:
    names = ("..." if str(part).startswith("pat-") else str(part) for part in place)
    return f"`{'.'.join(names)}`: " if place else ""
