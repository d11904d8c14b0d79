"""From NumPy arrays to the input contract's columns, and from there to Parquet or CSV."""

import csv
import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MONEY = pa.decimal128(18, 2)
RATE = pa.decimal128(18, 6)
MOMENT = pa.timestamp("us")
NO_TIME = np.iinfo(np.int64).min

_TYPES = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "money": MONEY,
    "rate": RATE,
    "on": pa.date32(),
    "at": MOMENT,
}


def _schema(columns: str) -> pa.Schema:
    """A schema from names with an optional type, `name:type`; text where none is given."""
    pairs = [item.partition(":")[::2] for item in columns.split()]
    return pa.schema([(name, _TYPES.get(kind, pa.string())) for name, kind in pairs])


SCHEMAS = {
    "accounts": _schema(
        "account_id account_name domain parent_account_id merged_into_account_id industry employee_count:int "
        "annual_revenue:money country region created_at:at"
    ),
    "account_external_ids": _schema("account_id system external_id"),
    "account_attributes": _schema("account_id attribute value known_from:at"),
    "contacts": _schema(
        "contact_id account_id email job_title lead_source created_at:at became_lead_at:at became_mql_at:at became_sql_at:at"
    ),
    "opportunities": _schema(
        "opportunity_id account_id opportunity_name opportunity_type stage is_closed:bool is_won:bool "
        "amount:money currency_code lead_source created_at:at closed_at:at"
    ),
    "opportunity_stages": _schema("opportunity_id stage stage_order:int entered_at:at"),
    "orders": _schema(
        "order_id account_id opportunity_id order_status closed_at:at currency_code amount:money "
        "starts_on:on ends_on:on term_months:int terminated_on:on replaces_order_id"
    ),
    "order_lines": _schema(
        "order_line_id order_id product_id quantity:int amount:money cost:money line_type starts_on:on ends_on:on"
    ),
    "products": _schema("product_id product_name product_family product_type"),
    "engagements": _schema("engagement_id account_id contact_id campaign_id engagement_type topic occurred_at:at"),
    "campaigns": _schema("campaign_id campaign_name channel started_on:on ended_on:on"),
    "campaign_members": _schema("campaign_id account_id contact_id added_at:at responded:bool"),
    "campaign_spend": _schema("campaign_id spent_on:on amount:money currency_code"),
    "exchange_rates": _schema("currency_code valid_from:on rate:rate"),
}
# of a pursuit that begins at the end of the window: chance of winning, value if won and expected value (US
# dollars within 24 months of the win); and of the pursuit that did begin, missing where there was none
TRUTH_SCHEMA = pa.schema(
    [
        ("account_id", pa.string()),
        ("planted_segment", pa.string()),
        *(
            (name, pa.float64())
            for name in (
                "win_probability",
                "value_if_won",
                "expected_value",
                "pursuit_win_probability",
                "pursuit_expected_value",
            )
        ),
    ]
)


def keys(prefix: str, number: np.ndarray, width: int = 7, suffix: np.ndarray | None = None) -> pa.Array:
    """Ids such as `A0000012` or `C0000012-1`; missing where the number is negative."""
    text = pc.utf8_lpad(pc.cast(pa.array(number), pa.string()), width, "0")
    parts = [prefix, text] if suffix is None else [prefix, text, "-", pc.cast(pa.array(suffix), pa.string())]
    joined = pc.binary_join_element_wise(*parts, "")
    return pc.if_else(pa.array(number >= 0), joined, pa.scalar(None, pa.string()))


def picks(values: list[str], position: np.ndarray) -> pa.Array:
    """The values at these positions; missing where the position is negative."""
    return pa.array(values, pa.string()).take(pa.array(position, mask=position < 0))


def whole(number: np.ndarray, known: np.ndarray | bool = True) -> pa.Array:
    """Whole numbers, missing where not `known`."""
    return pa.array(number.astype(np.int64), mask=~np.broadcast_to(known, number.shape))


def money(amount: np.ndarray, known: np.ndarray | bool = True, kind: pa.Decimal128Type = MONEY) -> pa.Array:
    """Amounts in units of the type's last digit (cents) as decimals, missing where not `known`."""
    low = np.ascontiguousarray(amount.astype(np.int64))
    both = np.column_stack([low, low >> 63])  # a decimal is 128 bits, the upper half repeats the sign
    bits = pa.array(np.broadcast_to(known, low.shape)).buffers()[1]
    return pa.Array.from_buffers(kind, low.size, [bits, pa.py_buffer(both.tobytes())])


def days(day: np.ndarray) -> pa.Array:
    """Dates from days since 1970-01-01, missing where `NO_TIME`."""
    missing = day == NO_TIME
    return pa.array(np.where(missing, 0, day).astype(np.int32), mask=missing).cast(pa.date32())


def moments(second: np.ndarray) -> pa.Array:
    """Timestamps from seconds since 1970-01-01, missing where `NO_TIME`."""
    missing = second == NO_TIME
    return pa.array(np.where(missing, 0, second) * 1_000_000, mask=missing).cast(MOMENT)


def table(entity: str, columns: list[pa.Array]) -> pa.Table:
    """A table of the contract's columns, given in their order."""
    return pa.Table.from_arrays(columns, schema=SCHEMAS.get(entity, TRUTH_SCHEMA))


def text(value: object) -> str:
    """A value as CSV text: empty is missing, moments are ISO 8601 with seconds."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, float | Decimal | int | dt.date | str):
        return str(value)
    raise TypeError(f"no CSV text for {type(value).__name__}")


def rows_of(data: pa.Table) -> Iterator[list[str]]:
    """The rows of a table as CSV texts."""
    columns = [[text(value) for value in column.to_pylist()] for column in data.columns]
    return map(list, zip(*columns, strict=True))


def write_csv(path: Path, header: list[str], parts: Iterator[list[str]]) -> None:
    """Write RFC 4180 quoting in UTF-8, with the line feed as line end so that git and diff stay quiet."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(parts)


class Writers:
    """One open file per entity; parts are added as they come, each as one Parquet row group."""

    def __init__(self, folder: Path, form: str) -> None:
        self.folder, self.form, self.stack, self.files = folder, form, ExitStack(), {}

    def __enter__(self) -> "Writers":
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *problem: object) -> None:
        self.stack.close()

    def add(self, entity: str, part: pa.Table) -> None:
        """Append a part to the entity's file."""
        if self.form == "csv":
            if entity not in self.files:
                path = self.folder / f"{entity}.csv"
                file = self.stack.enter_context(path.open("w", encoding="utf-8", newline=""))
                self.files[entity] = csv.writer(file, lineterminator="\n")
                self.files[entity].writerow(part.column_names)
            self.files[entity].writerows(rows_of(part))
            return
        if entity not in self.files:
            path = self.folder / f"{entity}.parquet"
            self.files[entity] = self.stack.enter_context(parquet_writer(path, part.schema))
        self.files[entity].write_table(part, row_group_size=max(part.num_rows, 1))


def parquet_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A Parquet writer with fixed settings: the same rows give the same bytes."""
    return pq.ParquetWriter(path, schema, compression="zstd", version="2.6", store_decimal_as_integer=True)
