"""A simulated company as a Salesforce org, landed by Fivetran, Airbyte or dlt.

What a loader does to the sObjects of `salesforce_objects`: their names and types, old versions, deleted rows.
"""

import datetime as dt
import re

import numpy as np

from icp_refinery.simulate.landed.salesforce_objects import Object, sobjects
from icp_refinery.simulate.landed.salesforce_org import canonical
from icp_refinery.simulate.landed.tables import Row, Rows, Table

__all__ = ["canonical", "records", "tables"]

LOADED_AT = dt.datetime(2025, 7, 1, 4)
NOT_DELETED = {"OpportunityStage", "DatedConversionRate", "CurrencyType"}  # objects without IsDeleted
REPLACED_BY_DLT = {"Contact", "Lead", "Campaign", "Product2"}  # the others are appended to


def records(files: Rows, loader: str, rng: np.random.Generator, mess: bool) -> dict[str, Object]:
    """The sObjects of the org that holds these entities. Mess adds the losers of merges to `files`."""
    if mess:
        _merge(files, rng)
    objects = sobjects(files, loader)
    if mess:
        _add_mess(objects, loader, rng)
    return objects


def tables(objects: dict[str, Object], loader: str, rng: np.random.Generator, mess: bool) -> list[Table]:
    """The loader's tables of these sObjects."""
    in_source_case = bool(mess and loader == "fivetran" and rng.random() < 0.5)
    landed = [_table(name, *object, loader, mess, in_source_case, rng) for name, object in objects.items()]
    if loader == "dlt":
        loads = {"load_id": "VARCHAR", "inserted_at": "TIMESTAMPTZ"}
        landed.append(Table("_dlt_loads", loads, [{"load_id": _load_id(days), "inserted_at": _loaded(days)} for days in (0, 9)]))
    return landed


def _merge(files: Rows, rng: np.random.Generator) -> None:
    """A merge deletes the loser, which names the winner; some calls and meetings still name the loser."""
    losers = {}
    for number, row in enumerate(list(files["accounts"])):
        if rng.random() < 0.08:
            losers[row["account_id"]] = f"001{number:011d}LOSE"
            files["accounts"].append(
                dict.fromkeys(row) | {"account_id": losers[row["account_id"]], "merged_into_account_id": row["account_id"]}
            )
    for row in files["engagements"]:
        if row["account_id"] in losers and rng.random() < 0.5:
            row["account_id"] = losers[row["account_id"]]


def _add_mess(objects: dict[str, Object], loader: str, rng: np.random.Generator) -> None:
    """Rows that count for nothing: deleted records, copies for invitees, to-dos, plans, changes of amount in the history."""
    for name, (_, rows) in objects.items():
        extra = []
        # Only Fivetran says that a record of an object without IsDeleted was deleted.
        can_be_deleted = name not in NOT_DELETED or (loader == "fivetran" and name != "CurrencyType")
        for number, row in enumerate(rows):
            if rng.random() > 0.1:
                continue
            other = {"Id": f"{row['Id'][:3]}{number:011d}EXTR"}
            if name == "OpportunityHistory" and number % 2:
                later = row["CreatedDate"] + dt.timedelta(seconds=1)
                extra.append(row | other | {"Amount": 60.0, "CreatedDate": later})
            elif name == "Event" and number % 2:
                extra.append(row | other | ({"IsChild": True} if number % 4 == 1 else {"StartDateTime": dt.datetime(2090, 1, 1)}))
            elif name == "Task" and number % 2:
                extra.append(row | other | ({"IsClosed": False} if number % 4 == 1 else {"TaskSubtype": "Task"}))
            elif name == "CampaignMember" and number % 2 and row["ContactId"]:
                row["LeadId"] = "00Q" + row["ContactId"][3:]
            elif can_be_deleted and (name != "Account" or not row["MasterRecordId"]):
                extra.append(_other_values(row) | other | {"IsDeleted": True})
        rows += extra


def _other_values(row: Row) -> Row:
    """The row as it was before all but its ids and dates were changed."""

    def other(name: str, value: object) -> object:
        if isinstance(value, bool):
            return not value
        if isinstance(value, float | int):
            return value * 3
        return f"old {value}" if isinstance(value, str) and not name.endswith(("Id", "Code")) else value

    return {name: other(name, value) for name, value in row.items()}


def _table(
    name: str, kinds: dict[str, str], rows: list[Row], loader: str, mess: bool, in_source_case: bool, rng: np.random.Generator
) -> Table:
    """One sObject as the loader lands it, in mess with older versions of some records."""
    kinds = kinds | ({} if name in NOT_DELETED else {"IsDeleted": "BOOLEAN"}) | {"SystemModstamp": "TIMESTAMP"}
    epoch = bool(loader == "dlt" and mess and rng.random() < 0.5)
    landed, columns = [], {_spelled(column, loader, in_source_case): column for column in kinds}
    versions = [(row, 0) for row in rows]
    if mess and not (loader == "dlt" and name in REPLACED_BY_DLT):
        versions += [(_other_values(row), 9) for row in rows if rng.random() < 0.2]
    for position in rng.permutation(len(versions)) if mess else range(len(versions)):
        row, age = versions[position]
        # A formula's new value does not move SystemModstamp: only the time of loading tells which is newer.
        moved = 0 if name == "Product2" else age
        row = row | {"SystemModstamp": dt.datetime(2025, 6, 30, 12) - dt.timedelta(days=moved)}
        values = {spelled: _value(row.get(column), kinds[column], epoch) for spelled, column in columns.items()}
        landed.append(values | _own_columns(loader, name, row, age, mess))
    types = {spelled: _type(kinds[column], loader, mess, epoch) for spelled, column in columns.items()}
    if loader == "dlt":
        types = {spelled: kind for spelled, kind in types.items() if any(row[spelled] is not None for row in landed)}
        if mess:
            _split_numbers(types, landed)
    table_name = name if in_source_case else _spelled(name, loader, False)
    return Table(table_name, types | OWN_TYPES[loader] | (HISTORY_TYPES if loader == "fivetran" and mess else {}), landed)


OWN_TYPES = {
    "fivetran": {"_fivetran_synced": "TIMESTAMPTZ", "_fivetran_deleted": "BOOLEAN"},
    "airbyte": {"_airbyte_raw_id": "VARCHAR", "_airbyte_extracted_at": "TIMESTAMP", "_airbyte_meta": "JSON"},
    "dlt": {"_dlt_load_id": "VARCHAR", "_dlt_id": "VARCHAR"},
}
HISTORY_TYPES = {"_fivetran_start": "TIMESTAMPTZ", "_fivetran_end": "TIMESTAMPTZ", "_fivetran_active": "BOOLEAN"}


def _own_columns(loader: str, name: str, row: Row, age: int, mess: bool) -> Row:
    if loader == "airbyte":
        return {"_airbyte_raw_id": f"{row['Id']}-{age}", "_airbyte_extracted_at": _loaded(age), "_airbyte_meta": "{}"}
    if loader == "dlt":
        return {"_dlt_load_id": _load_id(age), "_dlt_id": f"{row['Id']}-{age}"}
    # Fivetran calls what is no longer in use deleted, currencies too, where the object has no IsDeleted.
    is_gone = name in NOT_DELETED and (row.get("IsDeleted", False) or name == "CurrencyType")
    own = {"_fivetran_synced": LOADED_AT, "_fivetran_deleted": is_gone}
    if mess:
        active = False if age else (None if row["Id"][-4] == "Q" else True)
        own |= {"_fivetran_start": _loaded(age + 1), "_fivetran_end": _loaded(age - 1), "_fivetran_active": active}
    return own


def _loaded(days: int) -> dt.datetime:
    return LOADED_AT - dt.timedelta(days=days)


def _load_id(days: int) -> str:
    return f"{_loaded(days).replace(tzinfo=dt.UTC).timestamp():.3f}"


def _spelled(name: str, loader: str, in_source_case: bool) -> str:
    """A name as the loader spells it: Product2Id, product_2_id or product2id."""
    if in_source_case:
        return name
    if loader == "airbyte":
        return name.lower()
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=[0-9])", "_", name).lower()
    return re.sub("__+", "_", snake) if loader == "fivetran" else snake


def _type(kind: str, loader: str, mess: bool, epoch: bool) -> str:
    if kind == "DATE":
        return {"fivetran": "TIMESTAMP" if mess else "DATE", "airbyte": "DATE", "dlt": "BIGINT" if epoch else "VARCHAR"}[loader]
    if kind == "TIMESTAMP":
        return "TIMESTAMP" if loader == "airbyte" else "TIMESTAMPTZ"
    return "DECIMAL(38,9)" if kind == "DOUBLE" and loader == "airbyte" else kind


def _value(value: object, kind: str, epoch: bool) -> object:
    """Dates as the bulk API answers them: milliseconds."""
    if kind == "DATE" and epoch and value is not None:
        return int(dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC).timestamp() * 1000)
    return value


def _split_numbers(types: dict[str, str], rows: list[Row]) -> None:
    """A column whose first values were whole is BIGINT, and fractions stand in a second column."""
    for name, kind in list(types.items()):
        if kind == "DOUBLE":
            types |= {name: "BIGINT", f"{name}__v_double": "DOUBLE"}
            for row in rows:
                if row[name] is not None and row[name] != int(row[name]):
                    row |= {f"{name}__v_double": row[name], name: None}
                elif row[name] is not None:
                    row[name] = int(row[name])
