"""The pages: what the marts say, in files that need no network and let nothing in."""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import jinja2
from markupsafe import Markup

from icp_refinery import permissions
from icp_refinery.report import facts, labels, words

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """A page: its title, what links to it say, its parts by id, and the scripts that it runs."""

    title: str
    label: str
    skips_to: str
    sections: dict[str, str]
    scripts: tuple[str, ...]
    is_charted: bool = True


PAGES = {
    "report": Page(
        "Ideal Customer Profile",
        "Answer",
        "the answer",
        {
            "answer": "The answer",
            "segments": "Segments",
            "raises": "What raises value",
            "customers": "Retention",
            "funnel": "Funnel",
            "spend": "Spend",
            "changed": "What changed",
            "unknown": "What is not known",
        },
        ("tables.js", "page.js"),
    ),
    "accounts": Page(
        "Accounts to talk about",
        "Accounts",
        "the accounts",
        {"accounts": "Accounts", "nurture": "How to nurture"},
        ("tables.js", "accounts.js"),
        is_charted=False,
    ),
    "analyst": Page(
        "Figures and methods",
        "For analysts",
        "the segments",
        {
            "compared": "Segments side by side",
            "score": "Effects and score",
            "cohorts": "Cohorts and clusters",
            "teams": "Do teams agree?",
            "seasons": "Seasons",
            "proof": "Backtest",
            "quality": "Data quality",
            "missing": "Not in the input",
            "terms": "Terms",
        },
        ("tables.js", "page.js"),
    ),
}


def render(
    marts: Path | duckdb.DuckDBPyConnection,
    manifest: Mapping[str, Any],
    stop_share: float = 0.25,
    hubspot_record_url: str | None = None,
) -> dict[str, str]:
    """The pages of the report as HTML documents by file name: `report.html`, `accounts.html` and `analyst.html`.

    `marts` is the file of the published marts, or a connection to them (schema `marts`), `manifest` what was published: `as_of`,
    `published_at`, `project_version`, `reporting_currency`, `reporting_cycle` and `files` (name, bytes). `stop_share` is the
    share of won value up to which the report says of low-fit segments to stop targeting them. `hubspot_record_url` is the address
    of a company in HubSpot, with `{id}` for its record id. Everything that comes from the data is escaped; scripts and styles run
    by their hash only, and nothing may be loaded.
    """
    if isinstance(marts, Path):
        with duckdb.connect(str(marts), read_only=True) as opened:
            return render(opened, manifest, stop_share, hubspot_record_url)
    told = facts.read(marts, manifest, hubspot_record_url) | {"stop_share": stop_share, "PAGES": PAGES}
    return {f"{name}.html": render_page(name, told) for name in PAGES}


def render_page(name: str, told: Mapping[str, Any]) -> str:
    page, style = PAGES[name], read("page.css")
    scripts = [*([vega_bundle()] if page.is_charted else []), *map(read, page.scripts)]
    sections = {id: title for id, title in page.sections.items() if id != "missing" or told["missing"]}
    return (
        environment()
        .get_template(f"{name}.html")
        .render(
            **told,
            page=name,
            sections=sections,
            first=next(iter(sections)),
            policy=policy(scripts, [style]),
            scripts=[Markup(script) for script in scripts],
            style=Markup(style),
        )
    )


def policy(scripts: list[str], styles: list[str]) -> str:
    """A Content-Security-Policy that allows these scripts and styles by their hash, and nothing else."""
    allowed = {"script-src": scripts, "style-src": styles}
    sources = [f"{kind} {' '.join(map(digest, items))}" for kind, items in allowed.items()]
    return "; ".join(["default-src 'none'", *sources, "base-uri 'none'", "form-action 'none'"])


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def vega_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, without what could end the script element that holds it.

    Putting it together takes seconds: it is kept in the user's cache.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "icp-refinery"
    kept = folder / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError):
        return kept.read_text(encoding="utf-8")
    import vl_convert

    bundle = vl_convert.javascript_bundle().replace("</script", "<\\/script").replace("<!--", "<\\!--")
    with suppress(OSError):
        permissions.keep(kept, bundle.encode())
    return bundle


def embedded_json(value: Any) -> Markup:
    """JSON for a script element of a data type: no character in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=words.plain)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@cache
def environment() -> jinja2.Environment:
    """The templates; what they are given is escaped unless it is `Markup`."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= words.KINDS | {
        "embedded_json": embedded_json,
        "plain": words.plain,
        "isolated": words.isolated,
        "sentence": words.sentence,
        "difference": words.difference,
    }
    made.globals |= {
        "TIERS": labels.TIERS,
        "TEXTS": words.TEXTS,
        "DISAGREEMENTS": labels.DISAGREEMENTS,
        "TRENDS": labels.TRENDS,
        "is_missing": words.is_missing,
        "many": words.many,
        "write": write,
    }
    return made


def write(value: Any, kind: str) -> str:
    return words.KINDS[kind](value)
