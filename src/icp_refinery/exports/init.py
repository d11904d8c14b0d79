"""`icp init`: describe a folder of exports in a mapping.yml."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from icp_refinery.exports.dictionary import TOOLS, Dictionary, Kind, Part, header_of, read_dictionary, recognise
from icp_refinery.exports.file import ExportFile, exports_in
from icp_refinery.exports.forms import Form, date_form, number_form
from icp_refinery.exports.meanings import stage_values, type_values
from icp_refinery.exports.writing import Comment, Unsure, is_as_written, write_mapping
from icp_refinery.input_folder import MAPPING, Column, contract_name, read_contract

# What the form of a column's values is of, by its type in the contract.
KINDS = {
    "integer": "whole",
    **dict.fromkeys(("amount", "number", "rate"), "numbers"),
    **dict.fromkeys(("date", "timestamp"), "dates"),
}
# A column of so many different texts can tell accounts apart; one of more is more likely a name or a note.
MOST_ATTRIBUTE_VALUES = 50
# Salesforce writes an id with 15 characters in reports and with 18 elsewhere: the first 15 are the same.
SHORT_ID, LONG_ID = 15, 18
# Columns of ids that name the same records as another.
SAME_IDS = {"parent_account_id": "account_id"}


class InitError(Exception):
    """No mapping can be written; the message is a sentence that says why."""


@dataclass
class Recognised:
    """A file whose kind is known."""

    file: ExportFile
    kind: Kind


@dataclass
class FolderMapping:
    """The mapping of a folder, and what is to be said about it: `unsure` with the number of the line, `notes` without."""

    tool: str
    text: str
    files: dict[str, str]
    unsure: list[tuple[int, str]]
    notes: list[str] = field(default_factory=list)


def map_folder(folder: Path, tool: str | None = None) -> FolderMapping:
    """Recognise the exports in `folder` as `tool`'s, or as those of the tool whose headers they have.

    Raises InitError where no file is recognised, or no tool fits better than another.
    """
    if not folder.is_dir():
        raise InitError(f"The folder {folder} {'is not a folder' if folder.exists() else 'does not exist'}.")
    notes = []
    exports = []
    for path in exports_in(folder):
        try:
            exports.append(ExportFile(path))
        except ValueError as problem:
            notes.append(f"{path.name} {problem}: it is left out.")
    dictionary, recognised = _recognise_all(folder, exports, tool)
    contract = read_contract()
    for export in exports:
        if not any(one.file is export for one in recognised):
            is_contracts = contract_name(export.path.stem) in contract
            fate = "is read as a file of the input contract" if is_contracts else "is not recognised: it is left out"
            notes.append(f"{export.path.name} {fate}.")
    short_ids = _short_ids(recognised, contract)
    mapping: dict[str, Any] = {"files": {}}
    for one in recognised:
        mapping["files"][one.file.path.name] = _map_file(one, dictionary, contract, short_ids, notes)
    text, unsure = write_mapping(mapping)
    return FolderMapping(dictionary.tool, text, {one.file.path.name: one.kind.name for one in recognised}, unsure, notes)


def _recognise_all(folder: Path, exports: list[ExportFile], tool: str | None) -> tuple[Dictionary, list[Recognised]]:
    """The dictionary in which the most headers of the folder are found, and the files that it knows."""
    tried = []
    for name in [tool] if tool else TOOLS:
        dictionary = read_dictionary(name)
        found = [(export, recognise(export.names, export.path.stem, dictionary)) for export in exports]
        recognised = [Recognised(export, fit[0]) for export, fit in found if fit]
        tried.append((sum(fit[1] for _, fit in found if fit), dictionary, recognised))
    tried.sort(key=lambda one: one[0], reverse=True)
    if not tried[0][0]:
        raise InitError(
            f"No file in {folder} has the headers of an export of {' or '.join(one[1].tool for one in tried)}:"
            " write a mapping.yml by hand, from an example in examples/mappings."
        )
    if len(tried) > 1 and tried[0][0] == tried[1][0]:
        raise InitError(f"The files in {folder} could be HubSpot's or Salesforce's: say --from hubspot or --from salesforce.")
    return tried[0][1], tried[0][2]


def _short_ids(recognised: list[Recognised], contract: dict[str, dict[str, Column]]) -> set[str]:
    """The columns of ids that have 15 characters in one file and 18 in another."""
    lengths: dict[str, set[int]] = {}
    for one in recognised:
        for part in one.kind.parts:
            for column, headers in part.columns.items():
                if contract[part.entity][column].type == "id":
                    for header in header_of(one.file.names, headers)[:1]:
                        named = SAME_IDS.get(column, column)
                        lengths.setdefault(named, set()).update(len(text) for text in one.file.values(header))
    short = {column for column, found in lengths.items() if found == {SHORT_ID, LONG_ID}}
    return short | {column for column, named in SAME_IDS.items() if named in short}


def _map_file(
    one: Recognised, dictionary: Dictionary, contract: dict[str, dict[str, Column]], short_ids: set[str], notes: list[str]
) -> dict[str, Any]:
    """What mapping.yml says of one file: the forms of its dates and numbers, then its entities."""
    entities: dict[str, Any] = {}
    used: dict[str, set[str]] = {"dates": set(), "numbers": set(), "whole": set()}
    for part in one.kind.parts:
        columns = _map_part(part, one.file, dictionary, contract[part.entity], short_ids, notes)
        if part is not one.kind.parts[0] and not _gives(columns, contract[part.entity]):
            continue
        for column, said in columns.items():
            declared = contract[part.entity].get(column)
            kind = KINDS.get(declared.type) if declared else None
            if kind:
                used[kind] |= set(_headers(said))
        before = entities.get(part.entity)
        entities[part.entity] = columns if before is None else [before, columns]
    forms = {
        "dates": _said_form("dates", one.file, used["dates"], date_form(_texts(one.file, used["dates"]))),
        "numbers": _said_form(
            "numbers",
            one.file,
            used["numbers"] | used["whole"],
            number_form(_texts(one.file, used["numbers"]), _texts(one.file, used["whole"])),
        ),
    }
    main = one.kind.parts[0]
    if (
        "amount" in contract[main.entity]
        and "currency_code" in contract[main.entity]
        and "currency_code" not in entities[main.entity]
    ):
        notes.append(
            f"{one.file.path.name} has no column of currencies: its amounts count as being in the reporting currency."
            f" If they are not, write `currency: EUR` (or whatever it is) below its name."
        )
    custom = _possible_attributes(one) if main.entity == "accounts" else []
    if custom:
        notes.append(
            f"{one.file.path.name}: {', '.join(custom)} could be attributes of accounts:"
            " take the comment signs off account_attributes."
        )
        lines = ("account_attributes:", f"  account_id: {_headers(entities['accounts']['account_id'])[0]}", "  columns:")
        entities["#"] = Comment((*lines, *(f"    - {name}" for name in custom)))
    return {**{key: form for key, form in forms.items() if form is not None}, **entities}


def _gives(columns: dict[str, Any], declared: dict[str, Column]) -> bool:
    """Whether a further entity has all that it needs: what a file cannot give to it is no gap."""
    return all(column in columns and not isinstance(columns[column], Unsure) for column in declared if declared[column].required)


def _headers(said: Any) -> list[str]:
    value = said.value if isinstance(said, Unsure) else said
    value = value.get("column", []) if isinstance(value, dict) else value
    return [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str) and name != "?"]


def _texts(file: ExportFile, headers: set[str]) -> Iterator[str]:
    return (text for header in sorted(headers) for text in file.values(header))


def _said_form(kind: str, file: ExportFile, headers: set[str], form: Form) -> Any:
    """What a file's mapping says of the form of its dates or numbers: nothing where it is the contract's own."""
    if form.is_sure:
        return form.form
    one_of = f"{' or '.join(form.fitting)} ({', '.join(sorted(headers))})"
    return Unsure("?", f"{kind} of {file.path.name} can be read in more than one way: write {one_of}")


def _map_part(
    part: Part, file: ExportFile, dictionary: Dictionary, declared: dict[str, Column], short_ids: set[str], notes: list[str]
) -> dict[str, Any]:
    """What mapping.yml says of one entity out of one file."""
    columns: dict[str, Any] = {}
    for column, constant in part.constants.items():
        columns[column] = {"constant": constant}
    for column, headers in part.columns.items():
        details = dict(part.details.get(column, {}))
        found = header_of(file.names, headers)
        if not found:
            continue
        chosen = found if details.pop("all", False) else found[:1]
        said: dict[str, Any] = {"column": chosen[0] if len(chosen) == 1 else chosen}
        if "first" in details and all("(primary)" in name.lower() for name in chosen):
            details.pop("first")
        several = sum(count for text, count in file.values(*chosen).items() if details.get("first", "\0") in text)
        if several:
            notes.append(f"{file.path.name}: {several:,} rows have several ids in {' or '.join(chosen)}; the first counts.")
        if column in short_ids:
            said["characters"] = SHORT_ID
        if "values" in details:
            details["values"] = _known_values(file, chosen[0], details["values"], declared[column])
        said |= details
        columns[column] = said if len(said) > 1 else said["column"]
    if part.entity == "opportunities":
        _add_meanings(columns, file, dictionary)
    for column, of in declared.items():
        if of.required and column not in columns and part.columns.get(column) is not None:
            labels = " or ".join(part.columns[column])
            columns[column] = Unsure("?", f"{file.path.name} has no column for {part.entity}.{column}: export it with {labels}")
    ordered = {column: columns[column] for column in declared if column in columns}
    where = {header: kept for name, kept in part.where.items() for header in file.names if header.lower() == name.lower()}
    if where:
        ordered = {"where": where, **ordered}
    if part.skip_if_empty and (filled := _headers(columns.get(part.skip_if_empty))):
        ordered["skip_if_empty"] = filled[0]
    return ordered


def _known_values(file: ExportFile, header: str, values: dict[str, str], declared: Column) -> dict[str, Any]:
    known = {text.lower(): meaning for text, meaning in values.items()}
    asked = f"which of {', '.join(declared.allowed)} is"
    return {text: known.get(text.lower()) or Unsure("?", f"{asked} {header} `{text}`?") for text in file.values(header)}


def _add_meanings(columns: dict[str, Any], file: ExportFile, dictionary: Dictionary) -> None:
    """Whether a deal is closed and won, from its stage where the export has no column for it, and its type."""
    stage = _headers(columns.get("stage"))
    if stage and not {"is_closed", "is_won"} <= columns.keys():
        closed, won = stage_values(file.values(stage[0]), dictionary)
        columns["is_closed"] = {"column": stage[0], "values": closed}
        if "is_won" not in columns:
            columns["is_won"] = {"column": stage[0], "values": won}
    for header in _headers(columns.get("opportunity_type"))[:1]:
        if values := type_values(file.values(header)):
            columns["opportunity_type"] = {"column": header, "values": values}


def _possible_attributes(one: Recognised) -> list[str]:
    """The columns that the tool does not bring along itself, with few different values: custom fields of the company's own."""
    known = one.kind.headers()
    unknown = [name for name in one.file.names if name.lower() not in known and not re.search(r"\b(ids?|date|url)\b", name, re.I)]
    return [name for name in unknown if 2 <= len(one.file.values(name)) <= MOST_ATTRIBUTE_VALUES]


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of a CRM's exports, as CSV (or Parquet).")],
    tool: Annotated[str | None, typer.Option("--from", help="hubspot or salesforce; default: what the headers say.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a mapping.yml that was edited.")] = False,
) -> None:
    """Describe a folder of HubSpot's or Salesforce's own exports in a mapping.yml, which `icp check` and the build read."""
    try:
        if tool is not None and tool not in TOOLS:
            raise InitError(f"--from is {' or '.join(TOOLS)}, not {tool}. For other tools see examples/mappings.")
        mapping = map_folder(folder, tool)
        path = folder / MAPPING
        if path.exists() and not overwrite and not is_as_written(path.read_text(encoding="utf-8")):
            raise InitError(f"{path} was edited, or written by hand: --overwrite replaces it.")
        path.write_text(mapping.text, encoding="utf-8")
    except (InitError, OSError, UnicodeDecodeError) as problem:
        typer.secho(str(problem), err=True, fg="red")
        raise typer.Exit(1) from None
    typer.echo(f"{path}: exports of {mapping.tool}")
    for name, kind in mapping.files.items():
        typer.echo(f"  {name}: {kind}")
    for note in mapping.notes:
        typer.echo(f"Note: {note}")
    for line, says in mapping.unsure:
        typer.secho(f"Not sure, line {line}: {says}.", fg="yellow")
    left = " once no `?` is left" if ': "?"  # not sure' in mapping.text else ""
    typer.echo(f"Next{left}: icp check {folder}")
