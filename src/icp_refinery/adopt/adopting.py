"""Writing down what was learned as the next adoption."""

import json
import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb

from icp_refinery.adopt.files import DEMO, FILES, Adopted, AdoptionError, Row, applies, read_adopted, write_adopted
from icp_refinery.adopt.problems import adopted_problems
from icp_refinery.project import TIER_NAMES, TIERS
from icp_refinery.spreadsheet import as_cell, is_formula


class Learned(NamedTuple):
    """What a built database learned, and from what: `traits` are all that it knows, and whether each is a number.

    `segments`: of one that the latest deals or the review contradict the `tier` is `tier_3`, `lost_tier` the one that it had.
    """

    segments: list[dict]
    traits: dict[str, bool]
    as_of: date
    learned_from: str

    @property
    def is_demo(self) -> bool:
        return self.learned_from == DEMO


def adopt(
    database: Path,
    folder: Path,
    sales: str,
    marketing: str,
    reason: str,
    on: date,
    names: Mapping[str, str] | None = None,
) -> str:
    """Write what was learned in `database` to the files in `folder`, as the next adoption.

    An override of a tier in the same company's adoption before stays where its segment is in the new definition too. `names` are
    names for segments, by id.
    Returns a sentence on what was adopted. Raises AdoptionError where there is nothing to adopt, or where a file is broken.
    """
    for what, option, text in (
        ("who agrees for Sales", "sales", sales),
        ("who agrees for Marketing", "marketing", marketing),
        ("why", "reason", reason),
    ):
        if not text.strip():
            raise AdoptionError(f"An adoption says {what}: --{option} is missing.")
    learned = read_learned(database)
    names = dict(names or {})
    if unknown := names.keys() - {row["segment_id"] for row in learned.segments}:
        known = ", ".join(row["segment_id"] for row in learned.segments)
        raise AdoptionError(f"There is no segment {sorted(unknown)[0]} to name; there are {known}.")
    if any(not name.strip() for name in names.values()):
        raise AdoptionError("A segment's name is not empty.")
    before = read_adopted(folder)
    if problems := adopted_problems(before, learned.traits, learned.is_demo):
        raise AdoptionError(problems[0])
    number = str(max((int(row["adoption_number"]) for row in before.adoption), default=0) + 1)
    latest = max((int(row["adoption_number"]) for row in before.adoption if applies(row, learned.is_demo)), default=0)
    now = [row for row in before.adopted_segments if row["adoption_number"] == str(latest)]
    overrides = {row["segment_id"]: row for row in now if row["tier_override"]}
    segments, rules = [], []
    for row in learned.segments:
        kept = overrides.get(row["segment_id"], {})
        segment = {"adoption_number": number} | {name: _field(row.get(name)) for name in FILES["adopted_segments"][1:]}
        segment = {name: as_cell(text) for name, text in segment.items()}
        segment["segment_name"] = as_cell(names.get(row["segment_id"], segment["segment_name"]))
        segments.append(segment | {name: kept.get(name, "") for name in ("tier_override", "override_reason")})
        for condition in json.loads(row["rules"]):
            rules.append({"adoption_number": number, "segment_id": row["segment_id"]} | _loadable(condition))
    agreed = dict(
        zip(FILES["adoption"], [number, str(on), sales, marketing, reason, str(learned.as_of), learned.learned_from], strict=True)
    )
    agreed = {name: as_cell(text) for name, text in agreed.items()}
    after = Adopted([*before.adoption, agreed], [*before.adopted_segments, *segments], [*before.adopted_segment_rules, *rules])
    if problems := adopted_problems(after, learned.traits, learned.is_demo):
        raise AdoptionError(problems[0])
    write_adopted(folder, after)
    words = [f"Adoption {number}: {len(segments)} segments, learned from the data as of {learned.as_of}, in {folder}."]
    words += [
        f"{row['segment_name']} ({row['segment_id']}) is adopted as {TIER_NAMES['tier_3']}: late deals contradict that it is "
        f"{TIER_NAMES[row['lost_tier']]}."
        for row in learned.segments
        if row["lost_tier"]
    ]
    ids = {row["segment_id"] for row in segments}
    for key, row in overrides.items():
        what = "stays" if key in ids else "is gone with its segment"
        words.append(f"The override of {row['segment_name']} ({key}) to {TIER_NAMES[row['tier_override']]} {what}.")
    return "\n".join(words)


def read_learned(database: Path) -> Learned:
    """What a built database learned. Raises AdoptionError where it is none."""
    if not database.exists():
        raise AdoptionError(f"There is no database {database}: run `dbt build` first.")
    try:
        with duckdb.connect(str(database), read_only=True) as connection:
            found = connection.execute(f"""
                select
                    learned.* replace (if(is_lost, 'tier_3', learned.tier) as tier),
                    case when is_lost and learned.tier <> 'tier_3' then learned.tier end as lost_tier
                from {_place(connection, "learned_segments")} as learned
                left join lateral (
                    select is_contradicted and tier in (learned.tier, 'tier_3') as is_lost
                    from {_place(connection, "learned_segments_in_force")}
                    where segment_id = learned.segment_id
                ) on true
                order by learned.segment_id
            """)
            names = [column[0] for column in found.description]
            learned = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
            traits = dict(
                connection.execute(f"select attribute, is_numeric from {_place(connection, 'int_trait_names')}").fetchall()
            )
            [(as_of,)] = connection.execute(f"select as_of from {_place(connection, 'int_as_of')}").fetchall()
            connectors = connection.execute(f"select connector from {_place(connection, 'int_connectors')} order by 1").fetchall()
    except duckdb.CatalogException:
        raise AdoptionError(f"The database {database} holds no learned segments: run `dbt build` first.") from None
    except duckdb.BinderException:
        raise AdoptionError(f"The database {database} was built by another version: run `dbt build` again.") from None
    except duckdb.IOException as problem:
        raise AdoptionError(f"The database {database} cannot be read: {str(problem).splitlines()[0]}") from None
    order = {tier: place for place, tier in enumerate(TIERS)}
    learned.sort(key=lambda row: (order[row["tier"]], -(row["value_per_pursuit"] or 0), row["segment_id"]))
    return Learned(learned, traits, as_of, ", ".join(connector for (connector,) in connectors))


def _field(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _loadable(condition: dict[str, str | None]) -> Row:
    """A condition whose value dbt loads as it is, not as an empty one, and that no spreadsheet takes for a formula."""
    operator, value = condition["operator"], condition["value"]
    if is_formula(str(condition["attribute"])):
        raise AdoptionError(f"A spreadsheet would take the trait {condition['attribute']} for a formula: give it another name.")
    if operator in ("=", "!=") and (str(value).strip().lower() in ("", "null") or is_formula(str(value))):
        operator, value = {"=": "in", "!=": "not_in"}[operator], json.dumps([value])
    return {"attribute": str(condition["attribute"]), "operator": str(operator), "value": value or ""}


def _place(connection: duckdb.DuckDBPyConnection, model: str) -> str:
    """A model's relation: another dbt project that has this one as a package names schemas by its own convention."""
    query = "select table_schema from information_schema.tables where table_name = ? and table_catalog = current_database()"
    found = [schema for (schema,) in connection.execute(query, [model]).fetchall()]
    if len(found) > 1:
        raise AdoptionError(f"The database has {model} in several schemas ({', '.join(sorted(found))}): keep one of them.")
    return f'"{found[0]}".{model}' if found else model
