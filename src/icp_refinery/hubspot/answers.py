"""What HubSpot's answers say: their body, their errors in words, the scope that is missing, how long to wait."""

import json
import math
import re
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Required

import httpx
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from icp_refinery.hubspot.errors import Json, Refused

# What a call needs, where HubSpot's answer does not say.
SCOPES = {"properties": "crm.schemas.{}", "objects": "crm.objects.{}", "lists": "crm.lists"}
LETTER = r"[^\s@\"'<>(),;:]"
# Begins only where letters do: else a long text without an address is looked through once for each of its letters.
EMAIL = re.compile(rf"(?<!{LETTER}){LETTER}+(?:@|%40){LETTER}+", re.IGNORECASE)

Text = Annotated[str, Field(coerce_numbers_to_str=True)]


class Value(TypedDict, total=False):
    """A value that a property has had."""

    value: Text | None
    sourceType: Text | None
    timestamp: Text | None


class Record(TypedDict, total=False):
    """A record, as far as it is read."""

    id: Required[Text]
    properties: dict[Text, Text | None] | None
    propertiesWithHistory: dict[Text, list[Value]] | None


class Option(TypedDict, total=False):
    """An option of a property."""

    value: Required[Text]
    label: Text
    displayOrder: int | None
    hidden: bool | None
    description: Text | None


class Property(TypedDict, total=False):
    """A property of an object."""

    name: Required[Text]
    type: Text
    fieldType: Text
    groupName: Text | None
    archived: bool | None
    options: list[Option] | None
    modificationMetadata: dict[Text, Any] | None


class Listed(TypedDict, total=False):
    """A list of records."""

    listId: Required[Text]
    name: Required[Text]
    processingType: Text
    deletedAt: Text | None
    filterBranch: dict[Text, Any] | None


class Flow(TypedDict, total=False):
    """A workflow; what else it has is kept."""

    __pydantic_config__ = ConfigDict(extra="allow")
    id: Required[Text]
    isEnabled: Required[bool]
    revisionId: Required[Text]
    name: Text | None


class Named(TypedDict):
    """Something with a name."""

    name: Text


class Next(TypedDict, total=False):
    """Where the next page begins."""

    after: Text | None


class Paging(TypedDict, total=False):
    """Whether there is a next page."""

    next: Next | None


# What each part of an answer looks like.
SHAPES = {
    name: TypeAdapter(kind)
    for name, kind in {
        "portal": int,
        "groups": list[Named],
        "properties": list[Property],
        "records": list[Record],
        "paging": Paging | None,
        "list": Listed,
        "flow": Flow,
        "flows": list[Flow],
    }.items()
}


def shaped(value: Any, shape: str) -> Any:
    """A part of an answer in its shape. Raises ValueError, which says what is wrong with it, where it has another."""
    try:
        return SHAPES[shape].validate_python(value)
    except ValidationError as problem:
        first = problem.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None


def as_json(text: str, redact: Callable[[str], str]) -> Json | None:
    """The body of an answer, redacted after what is escaped in it was decoded; None where it is no object of JSON.

    Half a letter (of a pair of surrogates) becomes a question mark: no request, file or terminal could hold it.
    """
    try:
        body = json.loads(text)
        decoded = json.dumps(body, ensure_ascii=False)
        if (redacted := redact(decoded).encode(errors="replace").decode()) != decoded:
            body = json.loads(redacted)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def in_words(text: str, body: Json | None) -> str:
    if body is None:
        shown = _without_emails(" ".join(text.split()))[:120]
        return f"(no JSON: {shown!r})" if shown else "(empty)"
    return words_of(body)


def words_of(error: Json) -> str:
    """A person's words for an error, in one line, of bounded length."""
    said = [str(error.get("message") or error.get("category") or "no message")]
    for detail in [error, *errors_of(error)[:3]]:
        context = detail.get("context")
        named = [f"{key} {value}" for key, value in context.items() if key != "ids"] if isinstance(context, dict) else []
        parts = [detail.get("code"), detail.get("message") if detail is not error else None, *named]
        said.append(" ".join(str(part) for part in parts if part))
    text = _without_emails(" ".join("; ".join(filter(None, said)).split()))
    return text if len(text) <= 500 else text[:500] + "…"


def _without_emails(text: str) -> str:
    """HubSpot quotes a contact's e-mail, which is for nobody's screen, log or journal."""
    return EMAIL.sub("[e-mail]", text)


def errors_of(body: Json) -> list[Json]:
    errors = body.get("errors")
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def ids_of(error: Json) -> list[Any]:
    context = error.get("context")
    ids = context.get("ids") if isinstance(context, dict) else None
    return ids if isinstance(ids, list) else []


def names_missing_property(problem: Refused) -> bool:
    codes = {str(error.get("code")) for error in problem.errors}
    return "PROPERTY_DOESNT_EXIST" in codes or "PROPERTY_DOESNT_EXIST" in str(problem)


def scopes_of(body: Json) -> list[str]:
    found: set[str] = set()
    for error in errors_of(body):
        context = error.get("context")
        for key in ("requiredGranularScopes", "requiredScopes", "missingScopes"):
            if isinstance(context, dict) and isinstance(context.get(key), list):
                found |= {str(scope) for scope in context[key]}
    return sorted(found)


def scope_of_path(path: str, reads: bool) -> list[str]:
    _, crm, kind, _, of, *_ = [*path.split("/"), "", "", "", ""]
    scope = SCOPES.get(kind, "").format(of) if crm == "crm" else ""
    return [f"{scope}.{'read' if reads else 'write'}"] if scope else []


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that HubSpot asks to wait, given as a number or as a date; None where it does not say."""
    value = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return None if math.isnan(seconds) else max(seconds, 0.0)
