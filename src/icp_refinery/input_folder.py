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


@dataclass(frozen=True)
class Column:
    """A column of the contract: its type, whether a row needs it, and the values allowed where it is a list of them."""

    type: str
    required: bool
    allowed: tuple[str, ...] = ()


@dataclass
class InputFile:
    """A file of an entity: columns of the contract that it has and lacks, and headers that the contract does not know."""

    path: Path
    used: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)


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
    for path in sorted(folder.iterdir()):
        entity = contract_name(path.stem)
        if path.suffix.lower() not in (".csv", ".parquet") or entity not in contract or path.is_dir():
            found.others.append(path.name)
        elif not stat.S_ISREG(path.stat().st_mode):
            found.problems.append(f"{path.name} is not a regular file (a pipe or a device): copy its content into a file.")
        elif entity in found.files:
            found.problems.append(f"The folder has {entity} twice: keep one of {found.files[entity].path.name} and {path.name}.")
        else:
            found.files[entity] = InputFile(path)
    if not found.files and not found.problems:
        found.problems.append(f"The folder {folder} has no file of the input contract (accounts.csv, orders.parquet, ...).")
        return found
    for entity, file in found.files.items():
        _match_header(entity, file, contract[entity], found.problems)
    if "accounts" not in found.files:
        found.problems.append(f"The folder {folder} lacks the required entity accounts (accounts.csv or accounts.parquet).")
    if not {"orders", "opportunities"} & set(found.files):
        found.problems.append(f"The folder {folder} lacks orders and opportunities: one of the two is required.")
    return found


def _match_header(entity: str, file: InputFile, columns: dict[str, Column], problems: list[str]) -> None:
    try:
        header = _header(file.path)
    except ValueError as error:
        problems.append(f"{file.path.name} {error}.")
        return
    for name in header:
        known = contract_name(name)
        if known not in columns:
            file.ignored.append(name)
        elif known in file.used:
            problems.append(
                f"{file.path.name} has the column {known} twice ({', '.join(n for n in header if contract_name(n) == known)}):"
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
            f"{file.path.name} lacks the required column{'s' if len(required) > 1 else ''} {', '.join(required)}"
            f" (it has {', '.join(header)})."
        )


def _header(path: Path) -> list[str]:
    """The names in a file's header. Raises ValueError, which says why there are none."""
    if path.stat().st_size == 0:
        raise ValueError("is an empty file: it has not even a header")
    if path.suffix.lower() == ".parquet":
        try:
            return [
                row[0]
                for row in duckdb.execute(
                    "describe from read_parquet([?], hive_partitioning = false)", [_glob_free(path)]
                ).fetchall()
            ]
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
    return names


def _glob_free(path: Path) -> str:
    """A path in which no character is taken for a pattern."""
    return re.sub(r"([\[*?])", r"[\1]", str(path))
