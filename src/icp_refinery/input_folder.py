"""A folder of the `files` connector, as names and headers show it: which file is which entity, and what is missing."""

import csv
import io
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import yaml

from icp_refinery.project import project_directory

HEADER_BYTES = 1_000_000
MAPPING = "mapping.yml"


@dataclass(frozen=True)
class Column:
    """A column of the contract: its type, whether a row needs it, and the values allowed where it is a list of them."""

    type: str
    required: bool
    allowed: tuple[str, ...] = ()


@dataclass
class InputFile:
    """The file of an entity, or its files: columns of the contract that they have and lack, and headers that are not used."""

    paths: list[Path]
    used: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return " + ".join(path.name for path in self.paths)


@dataclass
class InputFolder:
    """What the names and headers of a folder say; `problems` are sentences, each of which stops a build."""

    files: dict[str, InputFile] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_contract() -> dict[str, dict[str, Column]]:
    """The input contract, entity -> column, from the macro that the build reads it from."""
    macro = (project_directory() / "macros" / "contract.sql").read_text(encoding="utf-8")
    text = re.search(r"set entities -%}(.*?){%- endset", macro, re.DOTALL).group(1)
    return {
        entity: {name: _column(declared) for name, declared in columns.items()}
        for entity, columns in yaml.safe_load(text).items()
    }


def _column(declared: str | list[str]) -> Column:
    if isinstance(declared, str):
        return Column(declared.rstrip("!~"), "!" in declared)
    return Column("choice", "!" in declared, tuple(value for value in declared if value not in "!~"))


def contract_name(name: str) -> str:
    """A file's or column's name as the contract writes it."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def look_at(folder: Path) -> InputFolder:
    """Match the files of `folder` with the contract by name and header; every problem is said, not only the first."""
    contract = read_contract()
    found = InputFolder()
    if not folder.is_dir():
        found.problems.append(f"The folder {folder} {'is not a folder' if folder.exists() else 'does not exist'}.")
        return found
    mapped = _look_at_mapping(folder / MAPPING, contract, found)
    for path in sorted(folder.iterdir()):
        entity = contract_name(path.stem)
        if path.name in mapped:
            continue
        if path.suffix.lower() not in (".csv", ".parquet") or entity not in contract or path.is_dir():
            found.others.append(path.name)
        elif not stat.S_ISREG(path.stat().st_mode):
            found.problems.append(f"{path.name} is not a regular file (a pipe or a device): copy its content into a file.")
        elif entity in found.files:
            found.problems.append(f"The folder has {entity} twice: keep one of {found.files[entity].name} and {path.name}.")
        else:
            found.files[entity] = InputFile([path])
    if not found.files and not found.problems and not mapped:
        hint = " `icp init` writes a mapping.yml for the exports of HubSpot or Salesforce." if found.others else ""
        found.problems.append(f"The folder {folder} has no file of the input contract (accounts.csv, orders.parquet, ...).{hint}")
        return found
    for entity, file in found.files.items():
        if file.paths[0].name not in mapped:
            _match_header(entity, file, contract[entity], found.problems)
    if mapped:
        return found
    if "accounts" not in found.files:
        found.problems.append(f"The folder {folder} lacks the required entity accounts (accounts.csv or accounts.parquet).")
    if not {"orders", "opportunities"} & set(found.files):
        found.problems.append(f"The folder {folder} lacks orders and opportunities: one of the two is required.")
    return found


def _look_at_mapping(path: Path, contract: dict[str, dict[str, Column]], found: InputFolder) -> set[str]:
    """Add the files that mapping.yml gives to entities; answers the names that it takes care of.

    What is wrong with the mapping beyond its being YAML, the build says.
    """
    if not path.is_file():
        return set()
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f": line {mark.line + 1}, {error.problem}" if mark else ""
        found.problems.append(f"{path.name} is not YAML in UTF-8{where}.")
        return {path.name}
    files = said.get("files") if isinstance(said, dict) else None
    files = files if isinstance(files, dict) else {}
    for name, entities in files.items():
        file = path.parent / str(name)
        if not isinstance(entities, dict) or not file.exists():
            continue
        try:
            header = read_header(file).names
        except ValueError as error:
            found.problems.append(f"{file.name} {error}.")
            continue
        named = {contract_name(text) for text in _texts(entities)}
        for entity in (name for name in entities if name in contract):
            of_entity = found.files.setdefault(entity, InputFile([]))
            of_entity.paths.append(file)
            said_of = entities[entity] if isinstance(entities[entity], list) else [entities[entity]]
            columns = {column for part in said_of if isinstance(part, dict) for column in part}
            columns |= {"attribute", "value"} if "columns" in columns else set()
            of_entity.used = [column for column in contract[entity] if column in columns | set(of_entity.used)]
            of_entity.missing = [column for column in contract[entity] if column not in of_entity.used]
            of_entity.ignored += [text for text in header if contract_name(text) not in named]
    return {path.name, *(str(name) for name in files)}


def _texts(node: object) -> set[str]:
    """Every key and value in a piece of YAML, as text."""
    if isinstance(node, dict):
        return _texts([*node.keys(), *node.values()])
    return set().union(*map(_texts, node)) if isinstance(node, list) else {str(node)}


def _match_header(entity: str, file: InputFile, columns: dict[str, Column], problems: list[str]) -> None:
    try:
        header = read_header(file.paths[0]).names
    except ValueError as error:
        problems.append(f"{file.name} {error}.")
        return
    for name in header:
        known = contract_name(name)
        if known not in columns:
            file.ignored.append(name)
        elif known in file.used:
            problems.append(
                f"{file.name} has the column {known} twice ({', '.join(n for n in header if contract_name(n) == known)}):"
                " case, and blank or - for _, do not count."
            )
        else:
            file.used.append(known)
    file.missing = [name for name in columns if name not in file.used]
    required = [name for name in file.missing if columns[name].required]
    if entity == "order_lines" and not {"order_id", "opportunity_id"} & set(file.used):
        required.append("order_id (or opportunity_id)")
    if required:
        problems.append(
            f"{file.name} lacks the required column{'s' if len(required) > 1 else ''} {', '.join(required)}"
            f" (it has {', '.join(header)})."
        )


@dataclass(frozen=True)
class Header:
    """The names in a file's header, and what separates them (nothing in Parquet)."""

    names: list[str]
    delimiter: str = ""


def read_header(path: Path) -> Header:
    """The header of a CSV or Parquet file. Raises ValueError, which says why there is none."""
    if not path.is_file():
        raise ValueError("is not a regular file (a folder, a pipe or a device)")
    if path.stat().st_size == 0:
        raise ValueError("is an empty file: it has not even a header")
    if path.suffix.lower() == ".parquet":
        try:
            rows = duckdb.execute("describe from read_parquet([?], hive_partitioning = false)", [glob_free(path)]).fetchall()
            return Header([row[0] for row in rows])
        except duckdb.Error:
            raise ValueError("is not a Parquet file, or was cut off") from None
    with path.open("rb") as file:
        start = file.read(HEADER_BYTES)
    try:
        text = start.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(re.split(rb"[\r\n]", start)[0]):
            raise ValueError("is not a CSV file in UTF-8") from None
        text = start[: error.start].decode("utf-8-sig")
    text = text.lstrip("\r\n").replace("\r\n", "\n").replace("\r", "\n")
    line = text.split("\n")[0]
    delimiter = next((mark for mark in ",;\t|" if mark in line), ",")
    names = [name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter), [])]
    if not names or not "".join(names).isprintable():
        raise ValueError("is not a CSV file in UTF-8")
    return Header(names, delimiter)


def glob_free(path: Path) -> str:
    """A path in which no character is taken for a pattern."""
    return re.sub(r"([\[*?])", r"[\1]", str(path))
