"""The files in `seeds/adopted/`: `adoption.csv` (who agreed, when and why), `adopted_segments.csv` (tiers and figures) and
`adopted_segment_rules.csv`. Past adoptions stay in them, by number; the highest is in force.
"""

import csv
import io
from pathlib import Path
from typing import NamedTuple

FIGURES = ["pursuits", "wins", "win_rate", "value_per_pursuit", "lift", "lift_low", "lift_high"]
FILES = {
    "adoption": ["adoption_number", "adopted_on", "agreed_by_sales", "agreed_by_marketing", "reason", "as_of"],
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
    return Adopted(*(_read(folder / f"{name}.csv", columns) for name, columns in FILES.items()))


def _read(path: Path, columns: list[str]) -> list[Row]:
    if not path.exists():
        return []
    try:
        records = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True))
    except (csv.Error, UnicodeDecodeError) as problem:
        raise AdoptionError(f"{path.name} is not a CSV file in UTF-8: {problem}.") from None
    header = records[0] if records else []
    if lacking := [name for name in columns if name not in header]:
        raise AdoptionError(f"{path.name} lacks the column {lacking[0]}.")
    rows = []
    for number, record in enumerate(records[1:], start=1):
        if not record:
            continue
        if len(record) != len(header):
            raise AdoptionError(f"{path.name}, row {number}: {len(record)} fields where the header has {len(header)}.")
        row = dict(zip(header, record, strict=True))
        rows.append({name: "" if row[name].strip().lower() in ("", "null") else row[name] for name in columns})
    return rows


def write_adopted(folder: Path, adopted: Adopted) -> None:
    """Write the three files, each in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in zip(FILES, adopted, strict=True):
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, FILES[name], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        part = folder / f"{name}.csv.part"
        part.write_bytes(text.getvalue().encode())
        part.replace(folder / f"{name}.csv")
