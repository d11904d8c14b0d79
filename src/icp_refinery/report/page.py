"""The page: what the marts say, in one file that needs no network and lets nothing in."""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import jinja2
from markupsafe import Markup

from icp_refinery.report import facts, labels, words

FOLDER = Path(__file__).parent


def render(marts: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any], stop_share: float = 0.25) -> str:
    """The report as one HTML document.

    `marts` is a connection to the published marts (schema `marts`), `manifest` what was published: `as_of`, `published_at`,
    `project_version`, `reporting_currency`, `reporting_cycle` and `files` (name, bytes). `stop_share` is the share of won value
    up to which the report says of low-fit segments to stop targeting them. Everything that comes from the data is escaped;
    scripts and styles run by their hash only, and nothing may be loaded.
    """
    script, style = read("page.js"), read("page.css")
    vega = vega_bundle()
    return (
        environment()
        .get_template("page.html")
        .render(
            **facts.read(marts, manifest),
            stop_share=stop_share,
            policy=policy([vega, script], [style]),
            vega=Markup(vega),
            script=Markup(script),
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
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = folder / f"{secrets.token_hex(4)}.part"
        unfinished.write_text(bundle, encoding="utf-8")
        unfinished.replace(kept)
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
        "sentence": words.sentence,
        "difference": words.difference,
    }
    made.globals |= {
        "TIERS": labels.TIERS,
        "TEXTS": words.TEXTS,
        "DISAGREEMENTS": labels.DISAGREEMENTS,
        "is_missing": words.is_missing,
        "many": words.many,
        "write": write,
    }
    return made


def write(value: Any, kind: str) -> str:
    return words.KINDS[kind](value)
