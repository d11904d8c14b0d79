"""The text of a mapping.yml: plain YAML, in which each line that is not sure is known by its number."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import yaml

SIGNED = re.compile(r"# Written by `icp init` \(([0-9a-f]{12})\)\..*\n")
SIGNATURE = "# Written by `icp init` ({}). What you edit here stays: `icp init` then needs --overwrite.\n"


@dataclass(frozen=True)
class Unsure:
    """A value of which the writer is not sure, and a sentence about it."""

    value: Any
    says: str


@dataclass(frozen=True)
class Comment:
    """Lines that are written as a comment."""

    lines: tuple[str, ...]


def scalar(value: Any) -> str:
    """A value as YAML on one line: as it is where that reads back as the same text, else in double quotes."""
    if value is None:
        return "~"
    if isinstance(value, bool | int):
        return json.dumps(value)
    try:
        if yaml.safe_load(f"- {value}\n- {value}: 1\n") == [value, {value: 1}] and value.isprintable():
            return value
    except yaml.YAMLError:
        pass
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'


def write_mapping(mapping: dict[str, Any]) -> tuple[str, list[tuple[int, str]]]:
    """The text of a mapping, signed, and for each line that is not sure its number and what is not sure."""
    lines: list[str] = ["# What each file of this folder holds. docs/exports.md says what can be written here.\n"]
    unsure: list[tuple[int, str]] = []
    _write(mapping, "", lines, unsure)
    body = "".join(lines)
    return SIGNATURE.format(_checksum(body)) + body, [(line + 1, says) for line, says in unsure]


def is_as_written(text: str) -> bool:
    """Whether a text is one of `write_mapping`'s that nobody has edited."""
    match = SIGNED.match(text)
    return bool(match) and match[1] == _checksum(text[match.end() :])


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()[:12]


def _write(node: dict[str, Any], indent: str, lines: list[str], unsure: list[tuple[int, str]], first: str | None = None) -> None:
    for key, said in node.items():
        start, first = first if first is not None else indent, None
        if isinstance(said, Comment):
            lines += [f"{indent}# {line}\n" for line in said.lines]
            continue
        value, mark = (said.value, "  # not sure") if isinstance(said, Unsure) else (said, "")
        if isinstance(value, dict | list):
            lines.append(f"{start}{scalar(key)}:{mark}\n")
        else:
            lines.append(f"{start}{scalar(key)}: {scalar(value)}{mark}\n")
        if isinstance(said, Unsure):
            unsure.append((len(lines), said.says))
        if isinstance(value, dict):
            _write(value, indent + "  ", lines, unsure)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    _write(item, indent + "    ", lines, unsure, first=indent + "  - ")
                else:
                    lines.append(f"{indent}  - {scalar(item)}\n")
