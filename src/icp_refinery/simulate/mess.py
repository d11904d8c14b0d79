"""The mess of a real CRM, planted in a simulated world, and the rejects that it must lead to.

Every faulty row is new (a copy of a sound one under an id of its own) and breaks one rule, so that the
planted effects stay as they are and the rejects, knock-on ones included, can be counted as they are planted.
"""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from icp_refinery.simulate.faults import CONFLICTS, EXACT_COPIES, FAULTS, NOBODY, Row
from icp_refinery.simulate.files import rows_of, write_csv

Rows = dict[str, list[Row]]

MISSING_SHARE = 0.06
ID_COLUMNS = {
    "accounts": "account_id",
    "contacts": "contact_id",
    "opportunities": "opportunity_id",
    "orders": "order_id",
    "order_lines": "order_line_id",
    "products": "product_id",
    "engagements": "engagement_id",
    "campaigns": "campaign_id",
}
TOO_SMALL = "the world is too small for the mess: more accounts or months are needed"


def add_mess(tables: dict[str, pa.Table], seed: int) -> tuple[Rows, Counter[tuple[str, str]]]:
    """Plant the mess.

    Parameters
    ----------
    tables : the contract's entities of a simulated world of at least a few hundred accounts.
    seed : decides which rows are hit.

    Returns
    -------
    The rows of each entity as texts by column name, and the number of rejects to expect by (entity, rule).

    Raises
    ------
    ValueError
        If the world is too small to find a sound row for each kind of mess.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,)))
    world = {entity: [dict(zip(data.column_names, row, strict=True)) for row in rows_of(data)] for entity, data in tables.items()}
    sound = {entity: _templates(world, entity) for entity in world}
    rejects: Counter[tuple[str, str]] = Counter()
    extra: Rows = {entity: [] for entity in world}

    for entity, faults in FAULTS.items():
        for number, (rule, wrong) in enumerate(faults):
            row = _copy(rng, sound, entity, number) | wrong
            rejects[entity, rule] += 1
            if entity == "order_lines":
                _add_order_of(rng, sound, extra, rejects, row)
            else:
                extra[entity].append(row)
                _add_dependents(rng, sound, extra, rejects, entity, row)
    for entity, (column, *versions) in CONFLICTS.items():
        for number in (90, 91):
            row = _copy(rng, sound, entity, number)
            extra[entity] += [row | {column: version} for version in versions]
            rejects[entity, "conflicting_duplicate"] += len(versions)
            _add_dependents(rng, sound, extra, rejects, entity, row)
    for number in range(4):
        line = _copy(rng, sound, "order_lines", 80 + number)
        extra["order_lines"].append(line | {"order_id": f"O990000{number:02d}"})
        rejects["order_lines", "unknown_order"] += 1
    _conflicting_line(rng, sound, extra, rejects)

    _untidy(rng, world)
    _duplicate_accounts(rng, world, extra)
    for entity, copies in EXACT_COPIES.items():
        extra[entity] += [dict(row) for row in _sample(rng, world[entity], copies)]
        rejects[entity, "exact_duplicate"] += copies
    for entity, rows in extra.items():
        for row in rows:
            world[entity].insert(int(rng.integers(0, len(world[entity]) + 1)), row)
    return world, rejects


def write_messy_world(
    out: Path, tables: dict[str, pa.Table], seed: int, rejects_file: Path | None = None
) -> Counter[tuple[str, str]]:
    """Write one CSV per entity into `out`, and `rejects_file` with the columns `entity,rule,rows`.

    Returns the rejects to expect by (entity, rule). Errors as in `add_mess`.
    """
    world, rejects = add_mess(tables, seed)
    out.mkdir(parents=True, exist_ok=True)
    for entity, rows in world.items():
        header = tables[entity].column_names
        write_csv(out / f"{entity}.csv", header, ([row[name] for name in header] for row in rows))
    if rejects_file:
        rejects_file.parent.mkdir(parents=True, exist_ok=True)
        counted = ([*key, str(rows)] for key, rows in sorted(rejects.items()))
        write_csv(rejects_file, ["entity", "rule", "rows"], counted)
    return rejects


def read_rejects(path: Path) -> Counter[tuple[str, str]]:
    """The rejects to expect by (entity, rule), as written by `write_messy_world`."""
    with path.open(encoding="utf-8", newline="") as file:
        return Counter({(row["entity"], row["rule"]): int(row["rows"]) for row in csv.DictReader(file)})


def _sample(rng: np.random.Generator, rows: list[Row], size: int) -> list[Row]:
    if len(rows) < size:
        raise ValueError(TOO_SMALL)
    return [rows[k] for k in rng.choice(len(rows), size, replace=False)]


def _templates(world: Rows, entity: str) -> list[Row]:
    """Sound rows that a faulty copy may start from: nothing else about them is unusual."""
    rows = world[entity]
    if entity == "orders":
        lines = Counter(line["order_id"] for line in world["order_lines"] if not line["starts_on"])
        full = ("starts_on", "ends_on", "term_months", "amount", "currency_code")
        empty = ("opportunity_id", "replaces_order_id", "terminated_on")
        return [
            row | {"currency_code": "USD"}
            for row in rows
            if row["order_status"] == "closed_won"
            and row["term_months"] in ("1", "12")
            and lines[row["order_id"]] >= 2
            and all(row[name] for name in full)
            and not any(row[name] for name in empty)
        ]
    if entity == "order_lines":
        return [row for row in rows if row["product_id"] and row["line_type"] == "recurring" and not row["starts_on"]]
    if entity == "opportunities":
        return [row for row in rows if row["stage"] == "Closed Lost" and row["amount"]]
    if entity in ("engagements", "campaign_members"):
        return [row for row in rows if row["account_id"] and not row["contact_id"]]
    if entity == "contacts":
        # only an account's first contact is ever named by an engagement or a campaign
        return [row for row in rows if row["account_id"] and not row["contact_id"].endswith("-0")]
    if entity == "campaign_spend":
        return [row for row in rows if row["currency_code"] == "USD"]
    return rows


def _copy(rng: np.random.Generator, sound: Rows, entity: str, number: int) -> Row:
    """A copy of a sound row under a new id."""
    if not sound[entity]:
        raise ValueError(TOO_SMALL)
    row = dict(sound[entity][rng.integers(0, len(sound[entity]))])
    if entity in ID_COLUMNS:
        old = row[ID_COLUMNS[entity]]
        width = {"orders": 8, "engagements": 8, "campaigns": 4, "products": 3}.get(entity, 7)
        row[ID_COLUMNS[entity]] = f"{'X' if entity == 'products' else old[0]}{9 * 10 ** (width - 1) + number}"
    return row


def _add_dependents(
    rng: np.random.Generator,
    sound: Rows,
    extra: Rows,
    rejects: Counter[tuple[str, str]],
    entity: str,
    row: Row,
) -> None:
    """Rows that hang on a rejected one, and are rejected with it."""
    if entity == "orders":
        for number in (1, 2):
            line = _copy(rng, sound, "order_lines", 0)
            line |= {"order_id": row["order_id"], "order_line_id": f"{row['order_id']}-{number}"}
            extra["order_lines"].append(line)
            rejects["order_lines", "order_rejected"] += 1
    elif entity == "opportunities":
        for order, stage in enumerate(("Discovery", "Closed Lost")):
            stage_row = dict(sound["opportunity_stages"][0])
            stage_row |= {
                "opportunity_id": row["opportunity_id"],
                "stage": stage,
                "stage_order": str(4 * order + 1),
            }
            extra["opportunity_stages"].append(stage_row)
            rejects["opportunity_stages", "unknown_opportunity"] += 1
    elif entity == "accounts" and row["account_id"]:
        contact = _copy(rng, sound, "contacts", 0)
        contact |= {"account_id": row["account_id"], "contact_id": f"C{row['account_id'][1:]}-0"}
        extra["contacts"].append(contact)
        rejects["contacts", "unknown_account"] += 1


def _add_order_of(rng: np.random.Generator, sound: Rows, extra: Rows, rejects: Counter[tuple[str, str]], line: Row) -> None:
    """An order with this rejected line and two sound ones: all of it is rejected."""
    number = 50 + rejects["orders", "rejected_line"]
    order = _copy(rng, sound, "orders", number)
    extra["orders"].append(order)
    rejects["orders", "rejected_line"] += 1
    _add_dependents(rng, sound, extra, rejects, "orders", order)
    own_id = f"{order['order_id']}-3" if line["order_line_id"] else ""
    extra["order_lines"].append(line | {"order_id": order["order_id"], "order_line_id": own_id})


def _conflicting_line(rng: np.random.Generator, sound: Rows, extra: Rows, rejects: Counter[tuple[str, str]]) -> None:
    """A line id with two amounts: both are rejected, and with them their order."""
    for _ in range(2):
        line = _copy(rng, sound, "order_lines", 0)
        _add_order_of(rng, sound, extra, rejects, line | {"amount": "500.00"})
        extra["order_lines"].append(extra["order_lines"][-1] | {"amount": "550.00"})
        rejects["order_lines", "conflicting_duplicate"] += 2


def _untidy(rng: np.random.Generator, world: Rows) -> None:
    """What is untidy but not wrong: gaps, codes spelt otherwise, references to nothing where they may be."""
    for row in world["accounts"]:
        for name in ("industry", "employee_count"):
            if rng.random() < MISSING_SHARE:
                row[name] = ""
    for row in _sample(rng, world["orders"], 8):
        row["order_status"] = row["order_status"].upper()
    for row in _sample(rng, world["orders"], 8):
        row["currency_code"] = f" {row['currency_code'].lower()}" if row["currency_code"] else ""
    for row in _sample(rng, [row for row in world["orders"] if row["opportunity_id"] and row["term_months"] == ""], 2):
        row["opportunity_id"] = "D9900001"
    for row in _sample(rng, world["accounts"], 2):
        row["parent_account_id"] = NOBODY


def _duplicate_accounts(rng: np.random.Generator, world: Rows, extra: Rows) -> None:
    """Second accounts of a company: some unmerged, some merged, with a chain, a cycle and facts on either."""
    owners = {row["account_id"] for row in world["orders"] if row["order_status"] == "closed_won"}
    chosen = _sample(rng, [row for row in world["accounts"] if row["account_id"] in owners], 15)
    for number, first in enumerate(chosen):
        second = first | {
            "account_id": f"A8{number:06d}",
            "account_name": first["account_name"].upper(),
            "parent_account_id": "",
        }
        extra["accounts"].append(second)
        if number >= 6:
            second["merged_into_account_id"] = first["account_id"]
            _move(rng, world, first["account_id"], second["account_id"])
        if number == 12:  # a chain: the last one's rows have two steps to go
            third = second | {"account_id": "A8100000", "merged_into_account_id": second["account_id"]}
            extra["accounts"].append(third)
            _move(rng, world, first["account_id"], third["account_id"])
        if number == 13:  # a cycle: each says it was merged into the other
            first["merged_into_account_id"] = second["account_id"]
        if number == 14:  # merged into an account that nobody knows: it stays itself
            first["merged_into_account_id"] = NOBODY


def _move(rng: np.random.Generator, world: Rows, first: str, second: str) -> None:
    """Give about half of an account's rows, at least one, to its second id."""
    for entity in ("orders", "contacts", "engagements", "opportunities", "campaign_members"):
        rows = [row for row in world[entity] if row["account_id"] == first]
        for row in rows[: -(-len(rows) // 2)]:
            row["account_id"] = second
