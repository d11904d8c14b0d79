"""The mess of a real CRM, planted in a simulated world, and the rejects that it must lead to.

Every faulty row is new (a copy of a sound one under an id of its own) and breaks one rule, so that the
planted effects stay as they are and the rejects, knock-on ones included, can be counted as they are planted.
"""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from icp_refinery.simulate.files import rows_of, write_csv

Row = dict[str, str]
Rows = dict[str, list[Row]]

MISSING_SHARE = 0.06
NOBODY = "A9900001"
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
LONG_AGO = "0203-05-01"

# entity: (rule, what is wrong in the row)
FAULTS: dict[str, tuple[tuple[str, Row], ...]] = {
    "accounts": (
        ("missing_value", {"account_id": ""}),
        ("missing_value", {"account_id": ""}),
        ("unreadable_value", {"employee_count": "about 200"}),
        ("unreadable_value", {"annual_revenue": "1.2M"}),
        ("unreadable_value", {"created_at": "31.12.2023"}),
        ("implausible_date", {"created_at": f"{LONG_AGO}T00:00:00"}),
        ("implausible_date", {"created_at": "9999-12-31T00:00:00"}),
    ),
    "account_external_ids": (
        ("missing_value", {"external_id": ""}),
        ("missing_value", {"system": ""}),
        ("unknown_account", {"account_id": NOBODY}),
        ("unknown_account", {"account_id": "test"}),
    ),
    "account_attributes": (
        ("missing_value", {"value": ""}),
        ("missing_value", {"attribute": ""}),
        ("unreadable_value", {"known_from": "last spring"}),
        ("unreadable_value", {"known_from": "2024-02-30T00:00:00"}),
        ("unknown_account", {"account_id": NOBODY}),
        ("unknown_account", {"account_id": "A9900002"}),
        ("unknown_account", {"account_id": "test"}),
    ),
    "contacts": (
        ("missing_value", {"contact_id": ""}),
        ("missing_value", {"contact_id": ""}),
        ("unreadable_value", {"became_mql_at": "yesterday"}),
        ("unreadable_value", {"became_lead_at": "2023-13-45T00:00:00"}),
        ("unreadable_value", {"created_at": "#REF!"}),
        ("implausible_date", {"created_at": f"{LONG_AGO}T00:00:00"}),
        ("implausible_date", {"became_lead_at": "1066-10-14T00:00:00"}),
        ("unknown_account", {"account_id": NOBODY}),
        ("unknown_account", {"account_id": NOBODY}),
        ("unknown_account", {"account_id": "A9900002"}),
        ("unknown_account", {"account_id": "a0000001"}),
    ),
    "opportunities": (
        ("missing_value", {"is_closed": ""}),
        ("missing_value", {"created_at": ""}),
        ("unreadable_value", {"amount": "EUR 12.000"}),
        ("unreadable_value", {"closed_at": "2024-02-30T10:00:00"}),
        ("unreadable_value", {"is_won": "maybe"}),
        ("implausible_date", {"created_at": f"{LONG_AGO}T08:00:00"}),
        ("implausible_date", {"created_at": f"{LONG_AGO}T09:30:00"}),
        ("not_allowed_value", {"opportunity_type": "upsell"}),
        ("not_allowed_value", {"opportunity_type": "other"}),
        ("won_not_closed", {"is_won": "true", "is_closed": "false"}),
        ("won_not_closed", {"is_won": "true", "is_closed": "false"}),
        ("unknown_currency", {"currency_code": "CHF"}),
        ("unknown_currency", {"currency_code": "EURO"}),
        ("unknown_account", {"account_id": NOBODY}),
        ("unknown_account", {"account_id": "A9900002"}),
        ("unknown_account", {"account_id": "A9900003"}),
        ("unknown_account", {"account_id": "test"}),
    ),
    "opportunity_stages": (
        ("missing_value", {"stage": ""}),
        ("missing_value", {"entered_at": ""}),
        ("unreadable_value", {"stage_order": "third"}),
        ("unreadable_value", {"entered_at": "Q3"}),
        ("unknown_opportunity", {"opportunity_id": "D9900001"}),
        ("unknown_opportunity", {"opportunity_id": "D9900002"}),
        ("unknown_opportunity", {"opportunity_id": "D9900003"}),
    ),
    "orders": (
        ("missing_value", {"closed_at": ""}),
        ("missing_value", {"order_status": ""}),
        ("unreadable_value", {"closed_at": "TBD"}),
        ("unreadable_value", {"amount": "twelve thousand"}),
        ("unreadable_value", {"term_months": "1 year"}),
        ("implausible_date", {"closed_at": f"{LONG_AGO}T09:00:00"}),
        ("implausible_date", {"terminated_on": "9999-12-31"}),
        ("not_allowed_value", {"order_status": "pending"}),
        ("not_allowed_value", {"order_status": "won"}),
        ("not_allowed_value", {"ends_on": "", "term_months": "0"}),
        ("unknown_currency", {"currency_code": "CHF"}),
        ("unknown_currency", {"currency_code": "CHF"}),
        ("unknown_currency", {"currency_code": "$"}),
        ("ends_before_start", {"starts_on": "2024-05-01", "ends_on": "2023-04-30", "term_months": ""}),
        ("ends_before_start", {"starts_on": "2024-02-29", "ends_on": "2024-02-01", "term_months": ""}),
        ("term_mismatch", {"starts_on": "2023-01-01", "ends_on": "2023-12-31", "term_months": "36"}),
        ("term_mismatch", {"starts_on": "2022-07-01", "ends_on": "2024-06-30", "term_months": "12"}),
        ("term_mismatch", {"starts_on": "2024-01-31", "ends_on": "2025-01-30", "term_months": "1"}),
        ("unknown_account", {"account_id": NOBODY}),
        ("unknown_account", {"account_id": NOBODY}),
        ("unknown_account", {"account_id": "A9900004"}),
    ),
    # each in an order of its own, which is rejected with it
    "order_lines": (
        ("missing_value", {"amount": ""}),
        ("missing_value", {"order_line_id": ""}),
        ("unreadable_value", {"amount": "n/a"}),
        ("unreadable_value", {"quantity": "4 seats"}),
        ("unreadable_value", {"cost": "1.234,56"}),
        ("not_allowed_value", {"line_type": "usage"}),
        ("not_allowed_value", {"line_type": "hardware"}),
        ("ends_before_start", {"starts_on": "2024-03-01", "ends_on": "2024-02-01"}),
        ("ends_before_start", {"starts_on": "2023-10-01", "ends_on": "2023-09-30"}),
        ("implausible_date", {"starts_on": LONG_AGO}),
    ),
    "products": (
        ("missing_value", {"product_id": ""}),
        ("not_allowed_value", {"product_type": "bundle"}),
    ),
    "engagements": (
        ("missing_value", {"engagement_type": ""}),
        ("missing_value", {"occurred_at": ""}),
        ("unreadable_value", {"occurred_at": "24/13/2024"}),
        ("unreadable_value", {"occurred_at": "45107.5417"}),
        ("implausible_date", {"occurred_at": f"{LONG_AGO}T12:00:00"}),
        ("implausible_date", {"occurred_at": "2924-01-15T09:00:00"}),
        ("unknown_account", {"account_id": NOBODY}),
        ("unknown_account", {"account_id": "A9900003"}),
        ("unknown_account", {"account_id": "A9900004"}),
        ("unknown_account", {"account_id": "test"}),
        ("unknown_contact", {"account_id": "", "contact_id": "C9900001-0"}),
        ("unknown_contact", {"account_id": "", "contact_id": "C9900002-0"}),
        ("unknown_contact", {"account_id": "", "contact_id": "C9900003-0"}),
    ),
    "campaigns": (
        ("unreadable_value", {"started_on": "next month"}),
        ("unreadable_value", {"ended_on": "2024-06-31"}),
        ("ends_before_start", {"started_on": "2024-04-01", "ended_on": "2024-03-01"}),
        ("ends_before_start", {"started_on": "2023-04-01", "ended_on": "2022-06-30"}),
    ),
    "campaign_members": (
        ("missing_value", {"added_at": ""}),
        ("missing_value", {"campaign_id": ""}),
        ("unreadable_value", {"added_at": "soon"}),
        ("unreadable_value", {"responded": "perhaps"}),
        ("unknown_campaign", {"campaign_id": "K9901"}),
        ("unknown_campaign", {"campaign_id": "K9902"}),
        ("unknown_campaign", {"campaign_id": "K9903"}),
        ("unknown_account", {"account_id": NOBODY}),
        ("unknown_account", {"account_id": "A9900002"}),
        ("unknown_contact", {"account_id": "", "contact_id": "C9900001-0"}),
        ("unknown_contact", {"account_id": "", "contact_id": "C9900004-0"}),
    ),
    "campaign_spend": (
        ("missing_value", {"amount": ""}),
        ("missing_value", {"spent_on": ""}),
        ("unreadable_value", {"amount": "1.234,56"}),
        ("unreadable_value", {"spent_on": "2024-06-31"}),
        ("implausible_date", {"spent_on": LONG_AGO}),
        ("unknown_campaign", {"campaign_id": "K9901"}),
        ("unknown_campaign", {"campaign_id": "K9904"}),
        ("unknown_currency", {"currency_code": "CHF"}),
        ("unknown_currency", {"currency_code": "BTC"}),
    ),
    "exchange_rates": (
        ("not_allowed_value", {"currency_code": "SEK", "rate": "0"}),
        ("not_allowed_value", {"currency_code": "DKK", "rate": "-0.145"}),
        ("unreadable_value", {"currency_code": "NOK", "rate": "n/a"}),
        ("unreadable_value", {"currency_code": "PLN", "valid_from": "2022-00-01"}),
    ),
}
# entity: a column in which two versions of one id differ
CONFLICTS = {
    "accounts": ("country", "US", "CA"),
    "contacts": ("job_title", "Owner", "Intern"),
    "opportunities": ("amount", "10000.00", "12000.00"),
    "orders": ("order_status", "closed_won", "cancelled"),
    "engagements": ("engagement_type", "email", "demo"),
    "campaigns": ("channel", "event", "email"),
}
EXACT_COPIES = {
    "accounts": 4,
    "account_external_ids": 2,
    "account_attributes": 3,
    "contacts": 4,
    "opportunities": 4,
    "opportunity_stages": 4,
    "orders": 3,
    "order_lines": 5,
    "products": 1,
    "engagements": 4,
    "campaigns": 1,
    "campaign_members": 3,
    "campaign_spend": 2,
    "exchange_rates": 2,
}


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
