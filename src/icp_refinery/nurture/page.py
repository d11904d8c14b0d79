"""Nurture plans as sections of a page."""

from html import escape
from typing import Any

from icp_refinery.nurture.plan import Plan


def as_html(found: list[Plan]) -> str:
    """The plans as sections of a page, every text escaped; with `data-segment` and `data-tier` to filter by."""
    if not found:
        return "<p>No segment is prioritized, so there is nothing to nurture: no evidence that any is better than the others.</p>"
    return "\n".join(_section(plan) for plan in found)


def _section(plan: Plan) -> str:
    segment = plan["segment"]
    attributes = f'data-segment="{escape(segment["id"])}" data-tier="{escape(segment["tier"])}"'
    rest = {name: part for name, part in plan.items() if name != "segment"} | {"rule": segment["rule"]}
    return f'<section class="nurture-plan" {attributes}>\n<h3>{escape(segment["name"])}</h3>\n{_html(rest)}\n</section>'


def _html(part: Any) -> str:
    if isinstance(part, dict) and not _is_interval(part):
        rows = "".join(f"<dt>{escape(str(name).replace('_', ' '))}</dt><dd>{_html(value)}</dd>" for name, value in part.items())
        return f"<dl>{rows}</dl>"
    if isinstance(part, list):
        if part and all(isinstance(item, dict) for item in part):
            return _table(part)
        return "<ul>" + "".join(f"<li>{_html(item)}</li>" for item in part) + "</ul>"
    return escape(_said(part))


def _table(rows: list[Plan]) -> str:
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(_said(value))}</td>" for value in row.values()) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _is_interval(value: Any) -> bool:
    return isinstance(value, dict) and {"value", "low", "high"} <= value.keys()


def _said(value: Any) -> str:
    if _is_interval(value):
        return f"{value['value']:g} ({value['low']:g} to {value['high']:g})" + (f", n = {value['n']:,}" if "n" in value else "")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
