"""The marts computed a second time, straight from the input contract's Definitions, without SQL.

Everything here is plain Python over rows: clarity before speed. MRR is taken month by month (every contract
is looked at on every month's last day), where the project's models sum change events. Money is Decimal.

Entry points: `read_folder` (raw text frames) and `reference` (a dict of frames, one per mart).
"""

from __future__ import annotations

import csv
import re
from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

MALFORMED = "malformed_line"  # the rule, and the column in which a raw frame keeps such a line
# Where the new order's opportunity is of type renewal.
EARLY_RENEWAL_DAYS = 92
ZERO = Decimal("0.0000")

# Columns of each entity: `!` = required; `:kind` where the name does not tell it.
CONTRACT = {
    "accounts": "account_id! account_name domain parent_account_id merged_into_account_id industry"
    " employee_count:integer annual_revenue:money country region created_at",
    "account_external_ids": "account_id! system! external_id!",
    "account_attributes": "account_id! attribute! value! known_from:timestamp",
    "contacts": "contact_id! account_id email job_title lead_source created_at became_lead_at became_mql_at became_sql_at",
    "opportunities": "opportunity_id! account_id! opportunity_name"
    " opportunity_type:new_business|expansion|renewal stage is_closed! is_won! amount:money currency_code"
    " lead_source created_at! closed_at",
    "opportunity_stages": "opportunity_id! stage! stage_order:integer entered_at!",
    "orders": "order_id! account_id! opportunity_id order_status!:closed_won|open|lost|cancelled closed_at!"
    " currency_code amount:money starts_on ends_on term_months:integer terminated_on replaces_order_id",
    "order_lines": "order_line_id! order_id opportunity_id product_id quantity:number amount!:money cost:money"
    " line_type:recurring|one_time billing_months:integer term_months:integer starts_on ends_on",
    "products": "product_id! product_name product_family product_type:core|add_on|service",
    "engagements": "engagement_id! account_id contact_id campaign_id engagement_type! topic occurred_at!",
    "campaigns": "campaign_id! campaign_name channel started_on ended_on",
    "campaign_members": "campaign_id! account_id contact_id added_at! responded:boolean",
    "campaign_spend": "campaign_id! spent_on! amount!:money currency_code",
    "exchange_rates": "currency_code! valid_from!:timestamp rate!:number",
}
KEYS = {
    "accounts": ("account_id",),
    "contacts": ("contact_id",),
    "opportunities": ("opportunity_id",),
    "orders": ("order_id",),
    "order_lines": ("order_line_id",),
    "products": ("product_id",),
    "engagements": ("engagement_id",),
    "campaigns": ("campaign_id",),
    "exchange_rates": ("currency_code", "valid_from"),
}
# An unreadable value in these columns costs the value; elsewhere, the row.
DROPPED = {
    "accounts": {word.split(":")[0] for word in CONTRACT["accounts"].split()[1:]},
    "contacts": {word.split(":")[0] for word in CONTRACT["contacts"].split()[2:]},
    "opportunities": {"opportunity_type"},
    "order_lines": {"quantity", "cost"},
    "opportunity_stages": {"stage_order"},
    "products": {"product_type"},
    "campaigns": {"started_on", "ended_on"},
    "campaign_members": {"responded"},
}
WITH_PLACEHOLDERS = ("accounts", "contacts", "account_attributes", "products")
PLACEHOLDERS = {"n/a", "na", "none", "null", "-", "--", "unknown", "not available", "#n/a", ""}


@dataclass(frozen=True)
class Column:
    """One column of the contract: its name, its kind (`text`, `date`, `money`, ... or the allowed values)."""

    name: str
    kind: str
    required: bool


def _column(declaration: str) -> Column:
    name, _, kind = declaration.partition(":")
    required = name.endswith("!")
    name = name.rstrip("!")
    if not kind:
        if name.endswith("_at"):
            kind = "timestamp"
        elif name.endswith("_on"):
            kind = "date"
        elif name.startswith("is_"):
            kind = "boolean"
        else:
            kind = "currency" if name == "currency_code" else "text"
    return Column(name, kind, required)


COLUMNS = {entity: [_column(word) for word in text.split()] for entity, text in CONTRACT.items()}


# --- Reading --------------------


def read_folder(folder: Path) -> dict[str, pd.DataFrame]:
    """Read a folder of `<entity>.csv` or `<entity>.parquet` as text.

    Returns one frame per entity found: the contract's columns as text (None = missing), and a column
    `malformed_line` that holds the raw text of a CSV line with the wrong number of fields (else None).
    """
    frames = {}
    for entity, columns in COLUMNS.items():
        names = [column.name for column in columns]
        if (path := folder / f"{entity}.parquet").exists():
            relation = duckdb.sql(f"select * from read_parquet('{str(path).replace(chr(39), chr(39) * 2)}')")
            header = relation.columns
            lines = [[_as_text(value) for value in row] for row in relation.fetchall()]
        elif (path := folder / f"{entity}.csv").exists():
            with path.open(newline="", encoding="utf-8-sig") as file:
                first = file.readline()
                file.seek(0)
                delimiter = next((mark for mark in (",", ";", "\t", "|") if mark in first), ",")
                header, *lines = [line for line in csv.reader(file, delimiter=delimiter) if line]
        else:
            continue
        header = [re.sub(r"[ -]", "_", name.strip().lower()) for name in header]
        rows = []
        for line in lines:
            if len(line) != len(header):
                rows.append({MALFORMED: ",".join(line)})
            else:
                values = dict(zip(header, line, strict=True))
                rows.append({name: values[name] for name in names if values.get(name) not in (None, "")})
        frames[entity] = pd.DataFrame(rows, columns=[*names, MALFORMED], dtype=object).where(lambda frame: frame.notna(), None)
    return frames


def _as_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|[+-]\d\d(:?\d\d)?)?)?|\d{8}T\d{6}Z?")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
BOOLEANS = dict.fromkeys(("true", "t", "yes", "y", "1"), True) | dict.fromkeys(("false", "f", "no", "n", "0"), False)


def parse(kind: str, text: str) -> Any:
    """The typed value of one cell; ValueError where it cannot be read, LookupError where not allowed."""
    if kind == "text":
        return text
    if kind == "currency":
        return text.strip().upper()
    if kind in ("date", "timestamp"):
        if not TIMESTAMP.fullmatch(text.strip()):
            raise ValueError(text)
        moment = datetime.fromisoformat(re.sub(r"(?<=\d) (?=[Z+-])", "", text.strip()))
        if moment.tzinfo:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return moment if kind == "timestamp" else moment.date()
    if kind == "boolean":
        if text.strip().lower() not in BOOLEANS:
            raise ValueError(text)
        return BOOLEANS[text.strip().lower()]
    if kind in ("number", "money", "integer"):
        if not NUMBER.fullmatch(text.strip()):
            raise ValueError(text)
        number = Decimal(text.strip().replace(",", ""))
        if kind == "integer":
            if number != number.to_integral_value():
                raise ValueError(text)
            return int(number)
        return rounded(number) if kind == "money" else number
    if kind.startswith("new_business|"):  # blanks and hyphens are ignored
        text = {name.replace("_", ""): name for name in kind.split("|")}.get(re.sub(r"[\s_-]", "", text.lower()), text)
    if text.strip().lower() not in kind.split("|"):
        raise LookupError(text)
    return text.strip().lower()


def rounded(number: Decimal) -> Decimal:
    """Four decimals, half away from zero."""
    with localcontext() as context:
        context.prec = 60
        return number.quantize(ZERO, rounding=ROUND_HALF_UP)


def divided(amount: Decimal, parts: int) -> Decimal:
    """`amount / parts` to four decimals, half away from zero, without rounding twice."""
    with localcontext() as context:
        context.prec = 60
        return (amount / parts).quantize(ZERO, rounding=ROUND_HALF_UP)


# --- Dates --------------------


def add_months(day: date, months: int) -> date:
    """The same day `months` later; the day is cut to the month's length."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def complete_months(start: date, end: date) -> int:
    """Complete months from `start` to the day after `end`, at least 1."""
    stop = end + timedelta(days=1)
    months = 0
    while add_months(start, months + 1) <= stop:
        months += 1
    return max(months, 1)


def month_of(day: date) -> date:
    return day.replace(day=1)


def last_day(month: date) -> date:
    return add_months(month_of(month), 1) - timedelta(days=1)


def months_between(first: date, last: date) -> int:
    return (last.year - first.year) * 12 + last.month - first.month


def month_range(first: date, last: date) -> Iterable[date]:
    return (add_months(month_of(first), n) for n in range(months_between(first, last) + 1))


# --- Rows that are accepted, rows that are not --------------------


@dataclass(eq=False)
class Row:
    """One raw row: its typed values, and the rule that it broke (None = accepted)."""

    raw: tuple[str | None, ...]
    values: dict[str, Any] = field(default_factory=dict)
    rule: str | None = None
    dropped: list[str] = field(default_factory=list)

    def reject(self, rule: str, when: bool = True) -> None:
        """Keep the first rule that a row broke."""
        if when and self.rule is None:
            self.rule = rule

    def __getitem__(self, name: str) -> Any:
        return self.values.get(name)


class Rates:
    """Exchange rates to the reporting currency by currency and moment."""

    def __init__(self, rows: Iterable[Row], reporting_currency: str) -> None:
        self.reporting_currency = reporting_currency
        self.by_currency: dict[str, dict[datetime, Decimal]] = defaultdict(dict)
        for row in rows:
            self.by_currency[row["currency_code"]][row["valid_from"]] = row["rate"]

    def at(self, currency: str | None, moment: datetime) -> Decimal | None:
        """The rate with the latest `valid_from` not after `moment`; None where there is none."""
        if currency is None or currency == self.reporting_currency:
            return Decimal(1)
        valid = [start for start in self.by_currency.get(currency, {}) if start <= moment]
        return self.by_currency[currency][max(valid)] if valid else None


def _read_rows(entity: str, frame: pd.DataFrame | None) -> list[Row]:
    """Type every cell of one entity and apply the rules that need nothing but the row itself."""
    if frame is None:
        return []
    columns = COLUMNS[entity]
    frame = frame.reindex(columns=[column.name for column in columns] + [MALFORMED])
    frame = frame.astype(object).where(frame.notna(), None)
    rows = []
    for cells in frame.itertuples(index=False, name=None):
        row = Row(raw=cells[:-1])
        rows.append(row)
        if cells[-1] is not None:
            row.reject(MALFORMED)
            row.raw = (cells[-1],)
            continue
        broken = set()
        for column, text in zip(columns, cells, strict=False):
            is_text = column.kind == "text" and not column.name.endswith("_id")
            if is_text and entity in WITH_PLACEHOLDERS and text is not None and text.strip().lower() in PLACEHOLDERS:
                text = None
            row.values[column.name] = None
            if text is None or text == "":
                if column.required:
                    broken.add("missing_value")
                continue
            rule = None
            try:
                value = parse(column.kind, text)
                if column.kind in ("date", "timestamp") and not 1900 <= value.year <= 2099:
                    rule = "implausible_date"
            except LookupError:
                rule = "not_allowed_value"
            except ValueError:
                rule = "unreadable_value"
            if rule is None:
                row.values[column.name] = value
            elif column.name in DROPPED.get(entity, ()):
                row.dropped.append(column.name)
            else:
                broken.add(rule)
        if entity == "campaign_members" and row["account_id"] is None and row["contact_id"] is None:
            broken.add("missing_value")
        counts = [row[name] for name in ("term_months", "billing_months") if row[name] is not None]
        if min(counts, default=1) < 1 or (row["rate"] is not None and row["rate"] <= 0):
            broken.add("not_allowed_value")
        for rule in ("missing_value", "unreadable_value", "implausible_date", "not_allowed_value"):
            row.reject(rule, rule in broken)
    _reject_duplicates(entity, rows)
    return rows


def _reject_duplicates(entity: str, rows: list[Row]) -> None:
    """A copy adds nothing and versions contradict one another, whatever else is wrong with them.

    Rows that lack their id are not compared: they are rejected anyway.
    """
    versions = defaultdict(set)
    seen = set()
    for row in rows:
        key = _key(entity, row)
        if row.rule == MALFORMED or (key is None and entity in KEYS):
            continue
        if row.raw in seen:
            row.rule = "exact_duplicate"
        elif row.rule is None or entity != "exchange_rates":
            versions[key].add(row.raw)
        seen.add(row.raw)
    for row in rows:
        if entity in KEYS and row.rule != "exact_duplicate" and len(versions[_key(entity, row)]) > 1:
            row.rule = "conflicting_duplicate"


def _key(entity: str, row: Row) -> tuple | None:
    key = tuple(row[name] for name in KEYS.get(entity, ()))
    return key if key and None not in key else None


def accept(
    raw: Mapping[str, pd.DataFrame], reporting_currency: str = "USD"
) -> tuple[dict[str, list[Row]], pd.DataFrame, pd.DataFrame]:
    """Split raw rows into accepted ones and rejects.

    Returns the accepted rows by entity, a frame `entity`, `rule`, `rows` (how many rows broke that rule) and a frame
    `entity`, `column_name`, `rows` (how many values of accepted rows were dropped).
    """
    rows = {entity: _read_rows(entity, raw.get(entity)) for entity in CONTRACT}
    rates = Rates((row for row in rows["exchange_rates"] if row.rule is None), reporting_currency)

    def known(entity: str, name: str) -> set[str]:
        return {row[name] for row in rows[entity] if row.rule is None}

    accounts = known("accounts", "account_id")
    for row in rows["accounts"]:
        if row["merged_into_account_id"] is not None and row["merged_into_account_id"] not in accounts:
            row.values["merged_into_account_id"] = None
            row.dropped.append("merged_into_account_id")
    for entity in ("account_external_ids", "account_attributes", "contacts", "opportunities", "orders"):
        for row in rows[entity]:
            row.reject("unknown_account", row["account_id"] is not None and row["account_id"] not in accounts)
    contacts = known("contacts", "contact_id")
    for entity in ("engagements", "campaign_members"):
        for row in rows[entity]:
            if row["account_id"] is not None:
                row.reject("unknown_account", row["account_id"] not in accounts)
            elif row["contact_id"] is not None:
                row.reject("unknown_contact", row["contact_id"] not in contacts)
    for row in rows["campaigns"]:
        if row["started_on"] and row["ended_on"]:
            row.reject("ends_before_start", row["ended_on"] < row["started_on"])
    if "campaigns" in raw:
        campaigns = known("campaigns", "campaign_id")
        for entity in ("campaign_members", "campaign_spend"):
            for row in rows[entity]:
                row.reject("unknown_campaign", row["campaign_id"] not in campaigns)
    for row in rows["campaign_spend"]:
        if row.rule is None:
            row.reject(
                "unknown_currency",
                rates.at(row["currency_code"], datetime.combine(row["spent_on"], time())) is None,
            )
    has_orders = any(row.rule != MALFORMED for row in rows["orders"])
    for row in rows["opportunities"]:
        if row.rule is None:
            row.reject("won_not_closed", row["is_won"] and not row["is_closed"])
            moment = (row["is_closed"] and row["closed_at"]) or row["created_at"]
            row.reject("unknown_currency", rates.at(row["currency_code"], moment) is None)
            row.reject("missing_value", not has_orders and row["is_won"] and row["closed_at"] is None)
    opportunities = known("opportunities", "opportunity_id")
    for row in rows["opportunity_stages"]:
        row.reject("unknown_opportunity", row["opportunity_id"] not in opportunities)
    for line in rows["order_lines"]:
        if not has_orders:
            line.values["order_id"] = line["opportunity_id"] or line["order_id"]
        line.reject("missing_value", line["order_id"] is None and line.rule != MALFORMED)
    if has_orders:
        _accept_orders(rows["orders"], rows["order_lines"], rates)
    else:
        for deal in rows["opportunities"]:
            deal.values["order_id"] = deal["opportunity_id"]
        _accept_orders(rows["opportunities"], rows["order_lines"], rates)

    counts = Counter((entity, row.rule) for entity in rows for row in rows[entity] if row.rule is not None)
    rejects = pd.DataFrame(
        [(entity, rule, count) for (entity, rule), count in sorted(counts.items())],
        columns=["entity", "rule", "rows"],
    )
    accepted = {entity: [row for row in rows[entity] if row.rule is None] for entity in rows}
    dropped = Counter((entity, column) for entity in accepted for row in accepted[entity] for column in row.dropped)
    dropped_values = pd.DataFrame(
        [(entity, column, count) for (entity, column), count in sorted(dropped.items())],
        columns=["entity", "column_name", "rows"],
    )
    return accepted, rejects, dropped_values


def _accept_orders(orders: list[Row], lines: list[Row], rates: Rates) -> None:
    for order in orders:
        if order.rule is not None:
            continue
        if order["closed_at"] is None:  # a deal that is not closed
            continue
        order.reject("unknown_currency", rates.at(order["currency_code"], order["closed_at"]) is None)
        start, end = order["starts_on"] or order["closed_at"].date(), order["ends_on"]
        if end is not None:
            order.reject("ends_before_start", end < start)
            if order["term_months"] is not None:
                months = complete_months(start, end)
                order.reject("term_mismatch", abs(months - order["term_months"]) > 1)
    ids = {order["order_id"] for order in orders}
    versions = {order["order_id"]: order for order in orders}
    for line in lines:
        if line.rule is None:
            line.reject("unknown_order", line["order_id"] not in ids)
            if line["starts_on"] and line["ends_on"]:
                line.reject("ends_before_start", line["ends_on"] < line["starts_on"])
                if line["term_months"] is not None and line.rule is None:
                    months = complete_months(line["starts_on"], line["ends_on"])
                    line.reject("term_mismatch", abs(months - line["term_months"]) > 1)
        if line.rule is None and (line["starts_on"] or line["ends_on"]):
            # A recurring line whose own dates do not fit the order's is no period either.
            order = versions[line["order_id"]]
            closed_on = order["closed_at"].date() if order["closed_at"] else None
            start = line["starts_on"] or order["starts_on"] or closed_on
            end = line["ends_on"] or order["ends_on"]
            recurring = line["line_type"] != "one_time" and line["amount"] >= 0
            line.reject("ends_before_start", bool(recurring and start and end and end < start))
    spoiled = {line["order_id"] for line in lines if line.rule not in (None, "exact_duplicate")}
    for order in orders:
        if "is_won" not in order.values or (order["is_closed"] and order["is_won"]):  # any other deal is no order
            order.reject("rejected_line", order["order_id"] in spoiled)
    fine = {order["order_id"]: order for order in orders if order.rule is None}
    for line in lines:
        line.reject("order_rejected", line["order_id"] not in fine)


# --- Accounts and time --------------------


def survivors(accounts: Iterable[Row]) -> dict[str, str]:
    """Each account's survivor: its merges followed to the end; a cycle ends at its smallest id."""
    target = {row["account_id"]: row["merged_into_account_id"] for row in accounts}
    result = {}
    for account in target:
        path = [account]
        while (following := target.get(path[-1])) in target and following not in path:
            path.append(following)
        in_cycle = path[path.index(following) :] if following in path else path[-1:]
        result[account] = min(in_cycle, key=lambda text: text.encode())
    return result


def resolve_accounts(accounts: Iterable[Row], excluded: Iterable[str] = ()) -> dict[str, str]:
    """Account id to survivor, without the accounts that are excluded (themselves or by their survivor)."""
    listed = set(excluded)
    return {
        account: survivor for account, survivor in survivors(accounts).items() if account not in listed and survivor not in listed
    }


def newest_event(accepted: Mapping[str, list[Row]]) -> date:
    """The day of the newest closed deal, order that is not open, engagement or stage entry."""
    moments = [row["closed_at"] for row in accepted["opportunities"] if row["is_closed"] and row["closed_at"]]
    moments += [row["closed_at"] for row in accepted["orders"] if row["order_status"] != "open"]
    moments += [row["occurred_at"] for row in accepted["engagements"]]
    moments += [row["entered_at"] for row in accepted["opportunity_stages"]]
    return max(moments).date()


# --- Orders, lines, contracts --------------------


@dataclass(eq=False)
class Line:
    """One line of a closed-won order; money in the reporting currency at the rate of the order's close."""

    order_line_id: str
    order: Order
    product_id: str | None
    product_name: str | None
    kind: str  # contract, transaction or credit
    amount: Decimal | None
    cost: Decimal | None
    starts_on: date
    contracted_end: date | None  # None: a transaction, or open-ended
    billing_months: int
    original_amount: Decimal | None


@dataclass(eq=False)
class Order:
    """One closed-won order with its lines."""

    order_id: str
    account_id: str
    closed_at: datetime
    currency: str
    rate: Decimal
    starts_on: date | None
    ends_on: date | None
    term_months: int | None
    terminated_on: date | None
    replaces_order_id: str | None
    is_renewal_deal: bool
    lines: list[Line] = field(default_factory=list)

    @property
    def position(self) -> tuple[datetime, bytes]:
        return self.closed_at, self.order_id.encode()

    @property
    def contract_lines(self) -> list[Line]:
        return [line for line in self.lines if line.kind == "contract"]

    @property
    def is_credit(self) -> bool:
        """Without a positive line, and none whose amount is unknown."""
        return all(line.amount is not None and line.original_amount <= 0 for line in self.lines)

    @property
    def start(self) -> date:
        """The day the order starts: as it says, never before its first contract line."""
        first = min((line.starts_on for line in self.contract_lines), default=None)
        if first is None:
            return self.starts_on or self.closed_at.date()
        return max(self.starts_on or first, first)


@dataclass(eq=False)
class Contract:
    """One contract line: what it renews, what superseded it, its MRR and the last day on which it counts."""

    line: Line
    ends_on: date  # the last day of an open-ended contract: its termination, or never
    superseded_on: date | None = None
    renews: Contract | None = None
    mrr: Decimal = ZERO  # of an unknown amount: 0, shown as unknown

    @property
    def order(self) -> Order:
        return self.line.order

    @property
    def starts_on(self) -> date:
        return self.line.starts_on

    def live_until(self, grace_days: int) -> date:
        """The last day on which the MRR counts; a contract cut before its start is not kept over a gap."""
        if not self.is_superseded(grace_days):
            return self.ends_on
        if self.ends_on < self.starts_on:
            return min(self.ends_on, self.superseded_on - timedelta(days=1))
        return self.superseded_on - timedelta(days=1)

    def is_superseded(self, grace_days: int) -> bool:
        """Whether something took its place at once or before the grace after its end had passed."""
        if self.superseded_on is None or self.ends_on == date.max:
            return self.superseded_on is not None
        return self.superseded_on <= self.ends_on + timedelta(days=max(grace_days, 1))


def closed_won_orders(
    accepted: Mapping[str, list[Row]],
    resolved: Mapping[str, str],
    as_of: date,
    reporting_currency: str,
    has_orders: bool,
) -> list[Order]:
    """Closed-won orders by `as_of` with their lines; without any order, closed-won opportunities stand in."""
    rates = Rates(accepted["exchange_rates"], reporting_currency)
    products = {row["product_id"]: row for row in accepted["products"]}
    lines_of = defaultdict(list)
    for row in accepted["order_lines"]:
        lines_of[row["order_id"]].append(row)
    if has_orders:
        won = [row for row in accepted["orders"] if row["order_status"] == "closed_won"]
    else:
        won = [
            Row((), {**row.values, "order_id": row["opportunity_id"]})
            for row in accepted["opportunities"]
            if row["is_closed"] and row["is_won"] and row["closed_at"] and row["created_at"].date() <= as_of
        ]
    types = {row["opportunity_id"]: row["opportunity_type"] for row in accepted["opportunities"]}
    orders = []
    for row in won:
        if row["account_id"] not in resolved or row["closed_at"].date() > as_of:
            continue
        currency = row["currency_code"] or reporting_currency
        rate = rates.at(currency, row["closed_at"])
        order = Order(
            row["order_id"],
            resolved[row["account_id"]],
            row["closed_at"],
            currency,
            rate,
            row["starts_on"],
            row["ends_on"],
            row["term_months"],
            row["terminated_on"] if row["terminated_on"] and row["terminated_on"] <= as_of else None,
            row["replaces_order_id"],
            types.get(row["opportunity_id"]) == "renewal",
        )
        whole = Row((), {"order_line_id": f"order-{order.order_id}", "amount": row["amount"]})
        order.lines = [_line(line, order, products.get(line["product_id"])) for line in lines_of[order.order_id] or [whole]]
        orders.append(order)
    return orders


def _line(row: Row, order: Order, product: Row | None) -> Line:
    start = row["starts_on"] or order.starts_on or order.closed_at.date()
    own = row["term_months"]
    is_ramp = own is not None and order.ends_on is not None and abs(complete_months(start, order.ends_on) - own) > 1
    end = row["ends_on"] or (None if is_ramp else order.ends_on)
    term = order.term_months if own is None else own
    if end is None and term is not None:
        end = add_months(start, term) - timedelta(days=1)
    is_service = product is not None and product["product_type"] == "service"
    recurring = row["line_type"] == "recurring" or (row["line_type"] is None and not is_service)
    open_ended = end is None and row["line_type"] == "recurring" and (row["starts_on"] or order.starts_on) is not None
    kind = "contract" if recurring and (end is not None or open_ended) else "transaction"
    amount = row["amount"]
    return Line(
        row["order_line_id"],
        order,
        row["product_id"],
        (product["product_name"] if product is not None else None) or row["product_id"],
        "credit" if amount is not None and amount < 0 else kind,
        None if amount is None else rounded(amount * order.rate),
        None if row["cost"] is None else rounded(row["cost"] * order.rate),
        start,
        end,
        row["billing_months"] or 1,
        amount,
    )


def explicit_replacements(orders: Iterable[Order]) -> dict[str, Order]:
    """Order id to the order that it really replaces, where `replaces_order_id` can be used."""
    by_id = {order.order_id: order for order in orders}

    def named(order: Order) -> Order | None:
        old = by_id.get(order.replaces_order_id)
        if old is None or old is order or old.account_id != order.account_id:
            return None
        return old if old.closed_at <= order.closed_at else None

    usable = {}
    for order in by_id.values():
        old = named(order)
        if old is not None and named(old) is not order:
            usable[order.order_id] = old
    return usable


def build_contracts(orders: list[Order], grace_days: int, overlap_days: int = 31) -> list[Contract]:
    """All contracts, with renewals by `replaces_order_id` and by product resolved, and their MRR."""
    replaces = explicit_replacements(orders)
    contracts = []
    for order in orders:
        for line in order.contract_lines:
            end = line.contracted_end or date.max
            contracts.append(Contract(line, min(end, order.terminated_on) if order.terminated_on else end))
    by_order = defaultdict(list)
    for contract in contracts:
        by_order[contract.order.order_id].append(contract)
    for family in by_order.values():
        family.sort(key=lambda contract: contract.line.order_line_id.encode())

    replaced = {old.order_id for old in replaces.values()}
    for order in orders:
        old = replaces.get(order.order_id)
        if old is None:
            continue
        for contract in by_order[old.order_id]:
            if contract.superseded_on is None or order.start < contract.superseded_on:
                contract.superseded_on = order.start
        for contract in by_order[order.order_id]:
            same = [c for c in by_order[old.order_id] if c.line.product_id == contract.line.product_id]
            contract.renews = next(iter(same or by_order[old.order_id]), None)

    groups = defaultdict(list)
    for contract in contracts:
        groups[contract.order.account_id, contract.line.product_id].append(contract)
    for group in groups.values():
        pairs = []
        for old in group:
            for new in group:
                early = EARLY_RENEWAL_DAYS if new.order.is_renewal_deal else overlap_days
                days = (new.starts_on - old.ends_on).days
                if (
                    old.order.order_id not in replaced
                    and new.order.order_id not in replaces
                    and new.order.position > old.order.position
                    # a contract that never began renews nothing, nor does an order renew what replaced it
                    and new.ends_on >= new.starts_on
                    and replaces.get(old.order.order_id) is not new.order
                    and (new.line.contracted_end or date.max) > old.ends_on
                    and -early <= days <= grace_days
                ):
                    of_new = new.starts_on, new.order.closed_at, new.line.order_line_id.encode()
                    pairs.append((abs(days), *of_new, old.starts_on, old.line.order_line_id.encode(), old, new))
        # One line for one line: the nearest pair first, then the next of lines that are still free.
        for *_, old, new in sorted(pairs, key=lambda pair: pair[:-2]):
            if old.superseded_on is None and new.renews is None:
                old.superseded_on, new.renews = new.starts_on, old
    for contract in contracts:
        if contract.line.contracted_end is None:
            months = contract.line.billing_months
        else:
            months = complete_months(contract.starts_on, contract.line.contracted_end)
        contract.mrr = divided(rounded((contract.line.original_amount or ZERO) * mrr_rate(contract)), months)
    return contracts


def mrr_rate(contract: Contract) -> Decimal:
    """The rate of the contract's MRR: that of the contract it renews, where the currency is the same.

    Orders that replace one another in a circle have no first one: each keeps its own.
    """
    chain = [contract]
    while chain[-1].renews is not None and chain[-1].renews.order.currency == chain[-1].order.currency:
        if chain[-1].renews in chain:
            return contract.order.rate
        chain.append(chain[-1].renews)
    return chain[-1].order.rate


def live_months(contract: Contract, as_of: date, grace_days: int) -> list[date]:
    """The months (first days) in which the contract is live, none after the month of `as_of`."""
    until = contract.live_until(grace_days)
    if contract.starts_on > as_of:
        return []
    months = [
        month
        for month in month_range(contract.starts_on, min(until, as_of))
        if contract.starts_on <= min(last_day(month), as_of) <= until
    ]
    never_started = contract.ends_on < contract.starts_on
    if not months and not never_started and not contract.is_superseded(grace_days):
        return [month_of(contract.starts_on)]
    return months


# --- Marts --------------------


def reference(
    raw: Mapping[str, pd.DataFrame],
    as_of: date | None = None,
    reporting_currency: str = "USD",
    renewal_grace_days: int = 30,
    renewal_overlap_days: int = 31,
    excluded: Iterable[str] = (),
) -> dict[str, pd.DataFrame]:
    """Compute the marts from raw entity frames (as `read_folder` returns them).

    Returns frames by name: `input_rejects` (counts), `fct_orders`, `fct_order_lines`, `fct_contracts`,
    `fct_customers`, `fct_mrr_movements`, `cohort_retention`, `fct_opportunities`, and `as_of` (one row).
    Money is Decimal to four decimals, rates are float, days are `date`, moments are `datetime` (UTC, naive).
    """
    accepted, rejects, dropped_values = accept(raw, reporting_currency)
    resolved = resolve_accounts(accepted["accounts"], excluded)
    as_of = as_of or newest_event(accepted)
    has_orders = len(raw.get("orders", ())) > 0
    orders = closed_won_orders(accepted, resolved, as_of, reporting_currency, has_orders)
    contracts = build_contracts(orders, renewal_grace_days, renewal_overlap_days)

    mrr: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    active: dict[str, set[date]] = defaultdict(set)
    for contract in contracts:
        for month in live_months(contract, as_of, renewal_grace_days):
            mrr[contract.order.account_id][month] += contract.mrr
            if contract.mrr > 0:
                active[contract.order.account_id].add(month)
    for order in orders:
        if any(line.kind == "transaction" and line.amount is not None and line.amount > 0 for line in order.lines):
            active[order.account_id].add(month_of(order.closed_at.date()))

    known_orders = {
        row["order_id"]
        for row in accepted["orders"]
        if row["closed_at"].date() <= as_of or row["order_status"] == "open"  # its date is only expected
    }
    fct_orders = _fct_orders(orders, contracts, known_orders)
    return {
        "as_of": pd.DataFrame({"as_of": [as_of]}),
        "input_rejects": rejects,
        "input_dropped_values": dropped_values,
        "fct_orders": fct_orders,
        "fct_order_lines": _fct_order_lines(orders),
        "fct_contracts": _fct_contracts(contracts, renewal_grace_days, as_of),
        "fct_customers": _fct_customers(fct_orders, mrr, active, as_of),
        "fct_mrr_movements": _fct_mrr_movements(mrr, as_of),
        "cohort_retention": _cohort_retention(mrr, active, as_of),
        "fct_opportunities": _fct_opportunities(accepted["opportunities"], resolved, as_of),
    }


def _fct_orders(orders: list[Order], contracts: list[Contract], known: set[str]) -> pd.DataFrame:
    replaces = explicit_replacements(orders)
    renewing = {contract.order.order_id for contract in contracts if contract.renews is not None}
    firsts: dict[str, Order] = {}
    for order in sorted(orders, key=lambda order: order.position):
        if not order.is_credit:
            firsts.setdefault(order.account_id, order)
    mrr_at_start: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for contract in contracts:
        if contract.starts_on <= contract.order.start <= (contract.line.contracted_end or date.max):
            mrr_at_start[contract.order.order_id] += contract.mrr
    rows = []
    for order in orders:
        names_a_stranger = order.replaces_order_id is not None and order.replaces_order_id not in known
        if order.is_credit:
            order_type = "credit"
        elif order.order_id in replaces or order.order_id in renewing or names_a_stranger:
            order_type = "renewal"
        else:
            order_type = "new_business" if firsts[order.account_id] is order else "expansion"
        known_amounts = [line.amount for line in order.lines if line.amount is not None]
        is_known = bool(known_amounts)
        costs = [line.cost for line in order.lines if line.cost is not None]
        costless = not costs or any(line.cost is None for line in order.lines if (line.original_amount or ZERO) > 0)
        names = {line.product_name for line in order.lines if line.product_name is not None}
        term = _term_months(order)
        rows.append(
            {
                "order_id": order.order_id,
                "account_id": order.account_id,
                "closed_at": order.closed_at,
                "order_type": order_type,
                "term_months": term,
                "is_multi_year": term is not None and term >= 24,
                "product_bundle": " + ".join(sorted(names, key=str.encode)) if names else None,
                "total_contract_value": sum((amount for amount in known_amounts if amount > 0), ZERO) if is_known else None,
                "annual_contract_value": 12 * mrr_at_start[order.order_id] if is_known else None,
                "monthly_recurring_revenue": mrr_at_start[order.order_id] if is_known else None,
                "net_amount": sum(known_amounts, ZERO) if is_known else None,
                "margin_amount": None if costless else sum(known_amounts, ZERO) - sum(costs, ZERO),
            }
        )
    return _frame(rows, FIXED_COLUMNS["fct_orders"])


def _term_months(order: Order) -> int | None:
    if order.ends_on is not None:
        return complete_months(order.starts_on or order.closed_at.date(), order.ends_on)
    if order.term_months is not None:
        return order.term_months
    lines = order.contract_lines
    if not lines or any(line.contracted_end is None for line in lines):
        return None
    return complete_months(min(line.starts_on for line in lines), max(line.contracted_end for line in lines))


def _fct_order_lines(orders: list[Order]) -> pd.DataFrame:
    rows = [
        {
            "order_line_id": line.order_line_id,
            "order_id": order.order_id,
            "account_id": order.account_id,
            "product_id": line.product_id,
            "line_kind": line.kind,
            "starts_on": line.starts_on,
            "contracted_ends_on": line.contracted_end,
            "amount": line.amount,
            "cost": line.cost,
        }
        for order in orders
        for line in order.lines
    ]
    return _frame(rows, FIXED_COLUMNS["fct_order_lines"])


def _fct_contracts(contracts: list[Contract], grace_days: int, as_of: date) -> pd.DataFrame:
    rows = [
        {
            "order_line_id": contract.line.order_line_id,
            "order_id": contract.order.order_id,
            "account_id": contract.order.account_id,
            "product_id": contract.line.product_id,
            "renews_order_line_id": contract.renews.line.order_line_id if contract.renews else None,
            "starts_on": contract.starts_on,
            "ends_on": None if contract.ends_on == date.max else contract.ends_on,
            "live_until": as_of if contract.live_until(grace_days) == date.max else contract.live_until(grace_days),
            "mrr": None if contract.line.original_amount is None else contract.mrr,
        }
        for contract in contracts
    ]
    return _frame(rows, FIXED_COLUMNS["fct_contracts"])


def _fct_mrr_movements(mrr: Mapping[str, Mapping[date, Decimal]], as_of: date) -> pd.DataFrame:
    rows = []
    for account, by_month in mrr.items():
        before, had_any = ZERO, False
        for month in month_range(min(by_month), as_of):
            now = by_month.get(month, ZERO)
            if now != before:
                if before == 0:
                    movement = "reactivation" if had_any else "new"
                elif now == 0:
                    movement = "churn"
                else:
                    movement = "expansion" if now > before else "contraction"
                rows.append(
                    {
                        "account_id": account,
                        "month": month,
                        "movement": movement,
                        "mrr_change": now - before,
                        "mrr": now,
                    }
                )
            had_any = had_any or now > 0
            before = now
    return _frame(rows, FIXED_COLUMNS["fct_mrr_movements"])


def _cohort_retention(mrr: Mapping[str, Mapping[date, Decimal]], active: Mapping[str, set[date]], as_of: date) -> pd.DataFrame:
    cohorts = defaultdict(list)
    for account, months in active.items():
        cohorts[min(months)].append(account)

    def at(account: str, month: date) -> Decimal:
        return mrr.get(account, {}).get(month, ZERO)

    rows = []
    for cohort, accounts in cohorts.items():
        starting = {account: at(account, cohort) for account in accounts}
        total = sum(starting.values(), ZERO)
        for since, month in enumerate(month_range(cohort, as_of)):
            retained = sum(month in active[account] for account in accounts)
            kept = sum((min(at(account, month), starting[account]) for account in accounts), ZERO)
            now = sum((at(account, month) for account in accounts), ZERO)
            rows.append(
                {
                    "segment_id": "all",
                    "cohort_month": cohort,
                    "months_since": since,
                    "cohort_customers": len(accounts),
                    "retained_customers": retained,
                    "customer_retention": retained / len(accounts),
                    "starting_mrr": total,
                    "gross_revenue_retention": float(kept / total) if total else None,
                    "net_revenue_retention": float(now / total) if total else None,
                }
            )
    return _frame(rows, FIXED_COLUMNS["cohort_retention"])


def _fct_customers(
    fct_orders: pd.DataFrame,
    mrr: Mapping[str, Mapping[date, Decimal]],
    active: Mapping[str, set[date]],
    as_of: date,
) -> pd.DataFrame:
    rows = []
    for account, orders in fct_orders.groupby("account_id", sort=True):
        purchases = orders[orders["order_type"] != "credit"]
        is_known = None not in list(purchases["margin_amount"]) and any(margin is not None for margin in orders["margin_amount"])
        # A credit without a cost lowers the margin by what it gives back.
        margins = [net if margin is None else margin for margin, net in orders[["margin_amount", "net_amount"]].values.tolist()]
        known_amounts = [amount for amount in orders["net_amount"] if amount is not None]
        rows.append(
            {
                "account_id": account,
                "cohort_month": min(active[account]) if active.get(account) else None,
                "first_order_at": min(purchases["closed_at"] if len(purchases) else orders["closed_at"]),
                "order_count": len(purchases),
                "net_amount": sum(known_amounts, ZERO) if known_amounts else None,
                "margin_amount": sum(margins, ZERO) if is_known else None,
                "current_mrr": mrr.get(account, {}).get(month_of(as_of), ZERO),
            }
        )
    return _frame(rows, FIXED_COLUMNS["fct_customers"])


def _fct_opportunities(rows: Iterable[Row], resolved: Mapping[str, str], as_of: date) -> pd.DataFrame:
    result = []
    for row in rows:
        if row["account_id"] not in resolved or row["created_at"].date() > as_of:
            continue
        closed = row["is_closed"] and (row["closed_at"] is None or row["closed_at"].date() <= as_of)
        result.append(
            {
                "opportunity_id": row["opportunity_id"],
                "account_id": resolved[row["account_id"]],
                "is_closed": closed,
                "is_won": closed and row["is_won"],
                "closed_at": row["closed_at"] if closed else None,
            }
        )
    return _frame(result, FIXED_COLUMNS["fct_opportunities"])


_MARTS = {
    "fct_orders": "order_id account_id closed_at order_type term_months is_multi_year product_bundle"
    " total_contract_value annual_contract_value monthly_recurring_revenue net_amount margin_amount",
    "fct_order_lines": "order_line_id order_id account_id product_id line_kind starts_on contracted_ends_on amount cost",
    "fct_contracts": "order_line_id order_id account_id product_id renews_order_line_id starts_on ends_on live_until mrr",
    "fct_customers": "account_id cohort_month first_order_at order_count net_amount margin_amount current_mrr",
    "fct_mrr_movements": "account_id month movement mrr_change mrr",
    "cohort_retention": "segment_id cohort_month months_since cohort_customers retained_customers"
    " customer_retention starting_mrr gross_revenue_retention net_revenue_retention",
    "fct_opportunities": "opportunity_id account_id is_closed is_won closed_at",
}
FIXED_COLUMNS = {mart: names.split() for mart, names in _MARTS.items()}
GRAIN = {
    "fct_orders": ["order_id"],
    "fct_order_lines": ["order_line_id"],
    "fct_contracts": ["order_line_id"],
    "fct_customers": ["account_id"],
    "fct_mrr_movements": ["account_id", "month"],
    "cohort_retention": ["segment_id", "cohort_month", "months_since"],
    "fct_opportunities": ["opportunity_id"],
}


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """An object frame: no value is turned into a float or a timestamp, None stays None."""
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in columns})
