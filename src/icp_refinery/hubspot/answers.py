"""What HubSpot's answers say: their body, their errors in words, the scope that is missing, how long to wait."""

import json
import math
import time
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from icp_refinery.hubspot.errors import Json, Refused

# What a call needs, where HubSpot's answer does not say.
SCOPES = (
    ("/crm/properties/", "crm.schemas.companies"),
    ("/crm/objects/", "crm.objects.companies"),
    ("/crm/lists/", "crm.lists"),
)


def as_json(text: str) -> Json | None:
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def in_words(text: str, body: Json | None) -> str:
    if body is None:
        shown = " ".join(text.split())[:120]
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
    text = " ".join("; ".join(filter(None, said)).split())
    return text if len(text) <= 500 else text[:500] + "…"


def errors_of(body: Json) -> list[Json]:
    errors = body.get("errors")
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def ids_of(error: Json) -> list[Any]:
    context = error.get("context")
    return context.get("ids") or [] if isinstance(context, dict) else []


def names_missing_property(problem: Refused) -> bool:
    codes = {error.get("code") for error in problem.errors}
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
    return [f"{scope}.{'read' if reads else 'write'}" for start, scope in SCOPES if path.startswith(start)]


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that HubSpot asks to wait, given as a number or as a date; None where it does not say."""
    value = response.headers.get("Retry-After", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return None if math.isnan(seconds) else max(seconds, 0.0)
