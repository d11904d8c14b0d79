"""The files in `seeds/adopted/`: `adoption.csv` (who agreed, when and why), `adopted_segments.csv` (tiers and figures) and
`adopted_segment_rules.csv`. Past adoptions stay in them, by number; the highest is in force.
"""

import csv
import io
import json
import os
from pathlib import Path
from typing import NamedTuple

FIGURES = ["pursuits", "wins", "win_rate", "value_per_pursuit", "lift", "lift_low", "lift_high"]
FILES = {
    "adoption": ["adoption_number", "adopted_on", "agreed_by_sales", "agreed_by_marketing", "reason", "as_of", "learned_from"],
    "adopted_segments": [
        "adoption_number",
        "segment_id",
        "segment_name",
        "definition",
        "tier",
        "tier_override",
        "override_reason",
        *FIGURES,
    ],
    "adopted_segment_rules": ["adoption_number", "segment_id", "attribute", "operator", "value"],
}
OPTIONAL = ["learned_from"]  # files of an earlier release lack it
DEMO = "sample"  # what the demo company's adoptions say in learned_from
UNFINISHED = "adoption.unfinished"  # the texts of an adoption that is being written
Row = dict[str, str]


class AdoptionError(Exception):
    """Nothing can be adopted; the message is one sentence that says why."""


class Adopted(NamedTuple):
    """The three files: a list of rows each, every field a text, empty where there is none."""

    adoption: list[Row]
    adopted_segments: list[Row]
    adopted_segment_rules: list[Row]


def read_adopted(folder: Path) -> Adopted:
    """Read the three files; one that is not there is empty. Raises AdoptionError where one is not such a table."""
    finish_writing(folder)
    texts = {name: (folder / f"{name}.csv") for name in FILES}
    return Adopted(*(parse(name, path.read_bytes() if path.exists() else b"") for name, path in texts.items()))


def applies(adoption: Row, is_demo: bool) -> bool:
    """Whether an adoption is of the company at hand: the demo company's is nobody else's, nor another's its own.

    One that does not say what it was learned from applies to both.
    """
    learned_from = adoption.get("learned_from")
    return not learned_from or (learned_from == DEMO) == is_demo


def parse(name: str, content: bytes) -> list[Row]:
    """The rows of one of the files, as dbt loads them: a field that says null, or only blanks, is empty."""
    if not content:
        return []
    try:
        records = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (csv.Error, UnicodeDecodeError) as problem:
        raise AdoptionError(f"{name}.csv is not a CSV file in UTF-8: {problem}.") from None
    header = records[0] if records else []
    if lacking := [column for column in FILES[name] if column not in [*header, *OPTIONAL]]:
        raise AdoptionError(f"{name}.csv lacks the column {lacking[0]}.")
    rows = []
    for number, record in enumerate(records[1:], start=1):
        if not record:
            continue
        if len(record) != len(header):
            raise AdoptionError(f"{name}.csv, row {number}: {len(record)} fields where the header has {len(header)}.")
        row = dict.fromkeys(FILES[name], "") | dict(zip(header, record, strict=True))
        rows.append({column: "" if row[column].strip().lower() in ("", "null") else row[column] for column in FILES[name]})
    return rows


def write_adopted(folder: Path, adopted: Adopted) -> None:
    """Write the three files, all or none: where this is killed, the next `read_adopted` does the rest.

    Raises AdoptionError, with nothing written, where a text would not come back as it is.
    """
    texts = {}
    for name, rows in zip(FILES, adopted, strict=True):
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, FILES[name], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        texts[name] = text.getvalue()
        for row, back in zip(rows, parse(name, texts[name].encode()), strict=True):
            for column, value in row.items():
                if back[column] != value:
                    raise AdoptionError(f"{name}.csv cannot hold {value!r} as {column}: dbt reads it as empty.")
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / UNFINISHED, json.dumps(texts, ensure_ascii=False))
    finish_writing(folder)
    if (back := read_adopted(folder)) != adopted:
        raise AdoptionError(f"The files in {folder} do not hold what was written: {back}.")


def finish_writing(folder: Path) -> None:
    """Does what a killed `write_adopted` left to do: the three texts are on disk before one of the files is touched.

    Raises AdoptionError, with nothing written, where what was left is not what `write_adopted` leaves.
    """
    unfinished = folder / UNFINISHED
    if unfinished.exists():
        try:
            texts = json.loads(unfinished.read_text(encoding="utf-8"))
            if texts.keys() != FILES.keys():
                raise ValueError
            for name in FILES:
                parse(name, texts[name].encode())
        except (ValueError, AttributeError, AdoptionError):
            raise AdoptionError(
                f"{unfinished} is damaged: bring the three files beside it back from version control, delete it, adopt again."
            ) from None
        for name, text in texts.items():
            _put(folder / f"{name}.csv", text)
        unfinished.unlink()


def _put(path: Path, text: str) -> None:
    """A file with this text, in one step, on disk."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
