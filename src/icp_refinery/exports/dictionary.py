"""What the headers of a tool's exports mean: `hubspot.yml` and `salesforce.yml`, and how a file is recognised by them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TOOLS = ("hubspot", "salesforce")


@dataclass(frozen=True)
class Part:
    """One entity out of an export: contract's column -> headers that give it (label: API name), and what else is said of it."""

    entity: str
    columns: dict[str, dict[str, str]]
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    where: dict[str, Any] = field(default_factory=dict)
    skip_if_empty: str | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of export, such as HubSpot's deals: how it is recognised, and what comes out of it."""

    name: str
    file_names: tuple[str, ...]
    marks: tuple[str, ...]
    parts: tuple[Part, ...]
    known: dict[str, str]

    def headers(self) -> set[str]:
        """All labels and API names that it is known to have, in lower case."""
        of_columns = [headers for part in self.parts for headers in part.columns.values()]
        return {name.lower() for headers in [*of_columns, self.known] for pair in headers.items() for name in pair}


@dataclass(frozen=True)
class Dictionary:
    """A tool's kinds of exports, and its standard stages of deals, in lower case."""

    tool: str
    kinds: tuple[Kind, ...]
    closed_stages: dict[str, str]
    open_stages: tuple[str, ...]


def read_dictionary(tool: str) -> Dictionary:
    """The dictionary of `hubspot` or `salesforce`."""
    said = yaml.safe_load((Path(__file__).parent / f"{tool}.yml").read_text(encoding="utf-8"))
    kinds = []
    for name, kind in said["objects"].items():
        parts = [{key: kind[key] for key in ("entity", "columns", "details", "where") if key in kind}, *kind.get("also", [])]
        kinds.append(
            Kind(name, tuple(kind["file_names"]), tuple(kind["marks"]), tuple(Part(**part) for part in parts), kind["known"])
        )
    return Dictionary(said["tool"], tuple(kinds), said["closed_stages"], tuple(said["open_stages"]))


def header_of(names: Sequence[str], headers: dict[str, str]) -> list[str]:
    """Which of a file's `names` are among `headers` (label: API name), the best first. A name that occurs twice is none."""
    found = []
    for pair in headers.items():
        spellings = {name.lower() for name in pair}
        alike = [name for name in names if name.lower() in spellings]
        found += [name for name in alike if len(alike) == 1 and name not in found]
    return found


def recognise(names: Sequence[str], stem: str, dictionary: Dictionary) -> tuple[Kind, int] | None:
    """The kind of export that has a file's `names` and its name without ending, and how many of its headers are known.

    None where two kinds fit alike, or none does: a kind fits if it gives the id of its rows and one of its marks is there.
    """
    present = {name.lower() for name in names}
    fitting = []
    for kind in dictionary.kinds:
        part = kind.parts[0]
        id_of_rows = next(iter(part.columns.values()))
        if header_of(names, id_of_rows) and present & {mark.lower() for mark in kind.marks}:
            in_name = max((len(word) for word in kind.file_names if word in stem.lower()), default=0)
            known = len(present & kind.headers())
            fitting.append((in_name, known, kind))
    fitting.sort(key=lambda fit: fit[:2], reverse=True)
    if not fitting or (len(fitting) > 1 and fitting[0][:2] == fitting[1][:2]):
        return None
    return fitting[0][2], fitting[0][1]
