"""Adoption as code: the agreed segments as readable CSV files, and the proof that they partition all accounts.

`seeds/adopted/` holds three files: `adoption.csv` (who agreed, when and why), `adopted_segments.csv` (tiers and
figures) and `adopted_segment_rules.csv`. Past adoptions stay in them, by number; the highest is in force.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from icp_refinery.project import TIERS

TEXT_OPERATORS = ("=", "!=", "in", "not_in")
NUMBER_OPERATORS = (">=", "<")
BARE_OPERATORS = ("is_missing", "is_not_missing")
OPERATORS = (*TEXT_OPERATORS, *NUMBER_OPERATORS, *BARE_OPERATORS)
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
MOST_TRAITS = 6  # in one rule: a longer one is not readable, and its points cannot be divided among its traits
ASSUMPTIONS = ["profile", "believed_by", "attribute", "operator", "value", "note"]
Row = dict[str, str]


class AdoptionError(Exception):
    """Nothing can be adopted; the message is one sentence that says why."""


class Adopted(NamedTuple):
    """The three files: a list of rows each, every field a text, empty where there is none."""

    adoption: list[Row]
    adopted_segments: list[Row]
    adopted_segment_rules: list[Row]


class Region(NamedTuple):
    """Values of one trait that no rule tells apart: which segments they leave possible, and words for them."""

    possible: frozenset[str]
    words: str


# ---------------------------------------------------------------------------------------------- adopting


def adopt(database: Path, folder: Path, sales: str, marketing: str, reason: str, on: date) -> str:
    """Write what was learned in `database` to the files in `folder`, as the next adoption.

    An override of a tier stays where its segment is in the new definition too. Returns a sentence on what was
    adopted. Raises AdoptionError where there is nothing to adopt, or where a file that is there is broken.
    """
    for what, option, text in (
        ("who agrees for Sales", "sales", sales),
        ("who agrees for Marketing", "marketing", marketing),
        ("why", "reason", reason),
    ):
        if not text.strip():
            raise AdoptionError(f"An adoption says {what}: --{option} is missing.")
    learned, names, as_of = _learned(database)
    before = read_adopted(folder)
    if problems := adopted_problems(before, names):
        raise AdoptionError(problems[0])
    number = str(max((int(row["adoption_number"]) for row in before.adoption), default=0) + 1)
    now = [row for row in before.adopted_segments if row["adoption_number"] == str(int(number) - 1)]
    overrides = {row["segment_id"]: row for row in now if row["tier_override"]}
    segments, rules = [], []
    for row in learned:
        kept = overrides.get(row["segment_id"], {})
        segment = {"adoption_number": number} | {name: _field(row.get(name)) for name in FILES["adopted_segments"][1:]}
        segments.append(segment | {name: kept.get(name, "") for name in ("tier_override", "override_reason")})
        for condition in json.loads(row["rules"]):
            rules.append({"adoption_number": number, "segment_id": row["segment_id"]} | _loadable(condition))
    agreed = dict(zip(FILES["adoption"], [number, str(on), sales, marketing, reason, str(as_of)], strict=True))
    after = Adopted([*before.adoption, agreed], [*before.adopted_segments, *segments], [*before.adopted_segment_rules, *rules])
    if problems := adopted_problems(after, names):
        raise AdoptionError(problems[0])
    write_adopted(folder, after)
    words = [f"Adoption {number}: {len(segments)} segments, learned from the data as of {as_of}, in {folder}."]
    ids = {row["segment_id"] for row in segments}
    for key, row in overrides.items():
        what = "stays" if key in ids else "is gone with its segment"
        words.append(f"The override of {row['segment_name']} ({key}) to {row['tier_override']} {what}.")
    return "\n".join(words)


def known_traits(database: Path) -> dict[str, bool]:
    """The traits that a built database knows, and whether each is a number."""
    return _learned(database)[1]


def _learned(database: Path) -> tuple[list[dict], dict[str, bool], date]:
    if not database.exists():
        raise AdoptionError(f"There is no database {database}: run `dbt build` first.")
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            found = connection.execute("select * from learned.learned_segments order by tier, segment_id")
            names = [column[0] for column in found.description]
            learned = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
            traits = dict(connection.execute("select attribute, is_numeric from intermediate.int_trait_names").fetchall())
            [(as_of,)] = connection.execute("select as_of from intermediate.int_as_of").fetchall()
    except duckdb.CatalogException:
        raise AdoptionError(f"The database {database} holds no learned segments: run `dbt build` first.") from None
    except duckdb.IOException as problem:
        raise AdoptionError(f"The database {database} cannot be read: {str(problem).splitlines()[0]}") from None
    order = {tier: place for place, tier in enumerate(TIERS)}
    learned.sort(key=lambda row: (order[row["tier"]], -(row["value_per_pursuit"] or 0), row["segment_id"]))
    return learned, traits, as_of


def _field(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _loadable(condition: dict[str, str | None]) -> Row:
    """A condition whose value dbt loads as it is: it takes a field that says null, or nothing, for an empty one."""
    operator, value = condition["operator"], condition["value"]
    if operator in ("=", "!=") and str(value).strip().lower() in ("", "null"):
        operator, value = {"=": "in", "!=": "not_in"}[operator], json.dumps([value])
    return {"attribute": str(condition["attribute"]), "operator": str(operator), "value": value or ""}


# ------------------------------------------------------------------------------------------------- files


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


# ---------------------------------------------------------------------------------------------- problems


def rule_problems(tables: dict[str, list[Row]], columns: dict[str, list[str]], traits: dict[str, bool]) -> list[tuple[str, str]]:
    """What is wrong with the seeds that hold rules, as the warehouse loaded them: (`adopted` or `assumptions`, sentence).

    `tables`: rows by the name of the seed, the three adopted ones and `assumptions`; `columns`: the columns of each.
    """
    expected = FILES | {"assumptions": ASSUMPTIONS}
    lacking = [
        ("assumptions" if name == "assumptions" else "adopted", f"{name}.csv lacks the column {column}.")
        for name in expected
        for column in expected[name]
        if column not in columns[name]
    ]
    if lacking:
        return lacking
    adopted = adopted_problems(Adopted(*(tables[name] for name in FILES)), traits)
    return [("adopted", p) for p in adopted] + [("assumptions", p) for p in assumption_problems(tables["assumptions"])]


def adopted_problems(adopted: Adopted, traits: dict[str, bool] | None = None) -> list[str]:
    """What is wrong with the adopted files, a sentence each, the first one first.

    `traits`: every trait that the data know, and whether it is a number; without it a trait's name is not checked. That each
    adoption's rules partition all accounts is proved over all values that a trait can have, not only those of today's accounts.
    """
    found: list[str] = []
    numbers: list[str] = []
    before = ""
    for row in adopted.adoption:
        number = row["adoption_number"]
        name = f"adoption.csv, adoption {number or 'without a number'}"
        if not re.fullmatch("[1-9][0-9]{0,8}", number):
            found.append(f"{name}: adoption_number is a whole number from 1.")
        elif number in numbers:
            found.append(f"{name} is there twice.")
        numbers.append(number)
        for column in ("adopted_on", "as_of"):
            if not _is_date(row[column]):
                found.append(f"{name}: {column} is a day as YYYY-MM-DD, not {row[column] or 'empty'}.")
        for column in ("agreed_by_sales", "agreed_by_marketing", "reason"):
            if not row[column]:
                found.append(f"{name}: {column} is empty.")
    if not found:
        for row in sorted(adopted.adoption, key=lambda r: int(r["adoption_number"])):
            if row["adopted_on"] < before:
                found.append(f"adoption.csv, adoption {row['adoption_number']} is dated before the one it replaces.")
            before = row["adopted_on"]
    for name, rows in (("adopted_segments", adopted.adopted_segments), ("adopted_segment_rules", adopted.adopted_segment_rules)):
        for row in rows:
            if row["adoption_number"] not in numbers:
                number = row["adoption_number"] or "without a number"
                found.append(f"{name}.csv, segment {row['segment_id']}: adoption.csv has no adoption {number}.")
    for number in dict.fromkeys(numbers):
        segments = [row for row in adopted.adopted_segments if row["adoption_number"] == number]
        rules = [row for row in adopted.adopted_segment_rules if row["adoption_number"] == number]
        found += _version_problems(number, segments, rules, traits)
    return found


def _version_problems(number: str, segments: list[Row], rules: list[Row], traits: dict[str, bool] | None) -> list[str]:
    found, ids = [], [row["segment_id"] for row in segments]
    if not segments:
        return [f"adopted_segments.csv has no segment of adoption {number}."]
    for row in segments:
        name = f"adopted_segments.csv, adoption {number}, segment {row['segment_id'] or 'without an id'}"
        if not row["segment_id"] or row["segment_id"] == "all":
            found.append(f"{name}: a segment has an id, and it is not `all`.")
        for column in ("segment_name", "definition"):
            if not row[column]:
                found.append(f"{name}: {column} is empty.")
        if row["tier"] not in TIERS:
            found.append(f"{name}: the tier is one of {', '.join(TIERS)}, not {row['tier'] or 'empty'}.")
        if row["tier_override"] and row["tier_override"] not in TIERS:
            found.append(f"{name}: the tier_override is one of {', '.join(TIERS)}, not {row['tier_override']}.")
        if row["tier_override"] and not row["override_reason"]:
            found.append(f"{name}: the override to {row['tier_override']} has no override_reason.")
        for column in FIGURES:
            if row[column] and not _is_number(row[column]):
                found.append(f"{name}: {column} is a number, not {row[column]}.")
            elif column in ("pursuits", "wins") and row[column] and not row[column].isdecimal():
                found.append(f"{name}: {column} is a whole number, not {row[column]}.")
    for key in sorted({key for key in ids if ids.count(key) > 1}):
        found.append(f"adopted_segments.csv, adoption {number}: segment {key} is there twice.")
    for key in dict.fromkeys(row["segment_id"] for row in rules):
        asked = {row["attribute"] for row in rules if row["segment_id"] == key}
        if len(asked) > MOST_TRAITS:
            found.append(
                f"adopted_segment_rules.csv, adoption {number}, segment {key} asks {len(asked)} traits; {MOST_TRAITS} at most."
            )
    for row in rules:
        name = f"adopted_segment_rules.csv, adoption {number}, segment {row['segment_id']}"
        if row["segment_id"] not in ids:
            found.append(f"{name}: adopted_segments.csv has no such segment in this adoption.")
        found += [f"{name}: {problem}" for problem in condition_problems(row, traits)]
    if found:
        return found
    problem = partition_problem({key: [row for row in rules if row["segment_id"] == key] for key in ids})
    return [f"adopted_segment_rules.csv, adoption {number}: {problem}"] if problem else []


def condition_problems(row: Row, traits: dict[str, bool] | None = None) -> list[str]:
    """What is wrong with one condition (`attribute`, `operator`, `value`)."""
    attribute, operator, value = row["attribute"], row["operator"], row["value"]
    if not attribute:
        return ["a condition has no attribute."]
    if operator not in OPERATORS:
        return [f"there is no operator {operator or 'empty'} (on {attribute}); choose among {', '.join(OPERATORS)}."]
    if traits is not None and attribute not in traits:
        return [f"no account has ever had the trait {attribute}."]
    if operator in BARE_OPERATORS:
        return [f"{attribute} {operator} takes no value, but has {value}."] if value else []
    if not value:
        return [f"{attribute} {operator} needs a value."]
    if operator in NUMBER_OPERATORS and not _is_number(value):
        return [f"{attribute} {operator} needs a number, not {value}."]
    if operator in ("in", "not_in") and not _is_list_of_texts(value):
        return [f"{attribute} {operator} needs a JSON array of texts, not {value}."]
    if traits is not None and (operator in NUMBER_OPERATORS) != traits[attribute]:
        return [f"{attribute} is {'a number' if traits[attribute] else 'text'}, which {operator} cannot be asked of."]
    return []


def assumption_problems(rows: list[Row]) -> list[str]:
    """What is wrong with `assumptions.csv`. A trait that the data do not know is no problem: nothing is known of it."""
    found = []
    believers: dict[str, str] = {}
    for row in rows:
        name = f"assumptions.csv, profile {row['profile'] or 'without a name'}"
        if not row["profile"] or not row["believed_by"]:
            found.append(f"{name}: a profile has a name and somebody who believes in it.")
        if believers.setdefault(row["profile"], row["believed_by"]) != row["believed_by"]:
            found.append(
                f"{name}: is believed by {believers[row['profile']]} and by {row['believed_by']}; give each its own profile."
            )
        found += [f"{name}: {problem}" for problem in condition_problems(row)]
    return found


def _is_date(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text)) and math.isfinite(float(text))


def _is_list_of_texts(text: str) -> bool:
    try:
        listed = json.loads(text)
    except ValueError:
        return False
    return isinstance(listed, list) and bool(listed) and all(isinstance(item, str) for item in listed)


# --------------------------------------------------------------------------------------------- partition


def partition_problem(rules: dict[str, list[Row]]) -> str | None:
    """A kind of account that is in no segment, or in two, in words; None where every possible account is in exactly one.

    `rules`: the conditions of each segment. Each trait's values fall into finitely many regions that no rule tells apart; a
    search over the regions of all traits remembers which sets of segments it has seen, so that each trait takes at most
    2 to the number of segments steps, and usually few.
    """
    attributes = sorted({row["attribute"] for conditions in rules.values() for row in conditions})
    regions = [_regions(attribute, rules) for attribute in attributes]

    @cache
    def search(place: int, possible: frozenset[str]) -> tuple[frozenset[str], tuple[str, ...]] | None:
        if not possible or (place == len(attributes) and len(possible) > 1):
            return possible, ()
        if place == len(attributes):
            return None
        for region in regions[place]:
            if below := search(place + 1, possible & region.possible):
                return below[0], (region.words, *below[1])
        return None

    found = search(0, frozenset(rules))
    if found is None:
        return None
    possible, path = found
    if not possible:
        return f"no segment holds an account with {' and '.join(path)}." if path else "there is no segment."
    first, second = sorted(possible)[:2]
    used = {row["attribute"] for row in [*rules[first], *rules[second]]}
    words = [words for attribute, words in zip(attributes, path, strict=True) if attribute in used]
    return f"segments {first} and {second} both hold an account with {' and '.join(words) or 'anything at all'}."


def _regions(attribute: str, rules: dict[str, list[Row]]) -> list[Region]:
    """The values of a trait, by the segments that they leave possible."""
    asked = {key: [row for row in conditions if row["attribute"] == attribute] for key, conditions in rules.items()}
    conditions = [row for rows in asked.values() for row in rows]
    samples: list[tuple[str | float | None, str]] = [(None, f"{attribute} missing")]
    if any(row["operator"] in NUMBER_OPERATORS for row in conditions):
        edges = sorted({float(row["value"]) for row in conditions if row["operator"] in NUMBER_OPERATORS})
        samples.append((-math.inf, f"{attribute} below {edges[0]:.12g}"))
        for low, high in zip(edges, [*edges[1:], None], strict=True):
            until = "or more" if high is None else f"to below {high:.12g}"
            samples.append((low, f"{attribute} {low:.12g} {until}"))
    else:
        named = sorted({value for row in conditions for value in _listed(row)})
        samples += [(value, f"{attribute} {value}") for value in named]
        samples.append(("\0", f"{attribute} other than those named" if named else f"{attribute} known"))
    found: dict[frozenset[str], str] = {}
    for value, words in samples:
        possible = frozenset(key for key, rows in asked.items() if all(_holds(row, value) for row in rows))
        found.setdefault(possible, words)
    return [Region(possible, words) for possible, words in found.items()]


def _listed(row: Row) -> list[str]:
    if row["operator"] in ("in", "not_in"):
        return json.loads(row["value"])
    return [row["value"]] if row["operator"] in ("=", "!=") else []


def _holds(row: Row, value: str | float | None) -> bool:
    """Whether a condition holds for a value, None being a missing one: what the macro account_conditions does."""
    tests: dict[str, Callable[[], bool]] = {
        "=": lambda: value in _listed(row),
        "in": lambda: value in _listed(row),
        "!=": lambda: value not in _listed(row),
        "not_in": lambda: value not in _listed(row),
        ">=": lambda: value is not None and value >= float(row["value"]),
        "<": lambda: value is None or value < float(row["value"]),
        "is_missing": lambda: value is None,
        "is_not_missing": lambda: value is not None,
    }
    return tests[row["operator"]]()
