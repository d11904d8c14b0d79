"""Bad input: each bad row is one reject with the right rule, each bad folder one clear sentence."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest

from conftest import BuildResult, build, frame
from reference import COLUMNS

LONG_ID = "x" * 300
TEXT_IN_MANY_SCRIPTS = "Ünïcode 訂單 عميل Заказ 🦆 e\u0301"
AWKWARD_TEXT = 'O\'Brien; "Sons", Ltd.\nsecond line\r\nthird \\ line\t#4 -- ; drop'


@dataclass(frozen=True)
class Row:
    """One row of the folder of bad rows, and what has to become of it (no rule: it is accepted)."""

    kind: str
    entity: str
    values: dict[str, str | None]
    rule: str | None = None
    becomes: dict[str, Any] = field(default_factory=dict)

    @property
    def row_id(self) -> str | None:
        """The value of the entity's first column, which names the row in input_rejects."""
        row_id = self.values.get(COLUMNS[self.entity][0].name) or None
        return row_id.upper() if row_id and self.entity == "exchange_rates" else row_id


@dataclass(frozen=True)
class Line:
    """One line of a CSV file that cannot be split into the header's fields."""

    kind: str
    entity: str
    text: str | bytes


# What may be accepted or rejected: the build must not fail on it.
EITHER = "either"

ROWS: list[Row | Line] = []

# The values that are dropped from accepted rows, as input_dropped_values shows them.
DROPPED: list[dict[str, str | None]] = []

DEFAULTS: dict[str, dict[str, str]] = {
    "accounts": {"account_name": "An account", "created_at": "2022-01-01T00:00:00"},
    "account_external_ids": {"account_id": "a1", "system": "hubspot"},
    "account_attributes": {"account_id": "a1", "value": "B"},
    "contacts": {"account_id": "a1", "created_at": "2023-01-01T00:00:00"},
    "opportunities": {
        "account_id": "a1",
        "is_closed": "true",
        "is_won": "true",
        "amount": "10.00",
        "created_at": "2023-01-01T00:00:00",
        "closed_at": "2023-02-01T00:00:00",
    },
    "opportunity_stages": {"opportunity_id": "opp1", "entered_at": "2023-01-01T00:00:00"},
    "orders": {
        "account_id": "a1",
        "order_status": "closed_won",
        "closed_at": "2024-03-01T10:00:00",
        "amount": "100.01",
    },
    "order_lines": {"amount": "7.07"},
    "products": {"product_name": "A product"},
    "engagements": {"account_id": "a1", "engagement_type": "demo", "occurred_at": "2023-01-01T00:00:00"},
    "campaigns": {"campaign_name": "A campaign"},
    "campaign_members": {"campaign_id": "c1", "account_id": "a1", "added_at": "2023-01-01T00:00:00"},
    "campaign_spend": {"campaign_id": "c1", "amount": "5.00"},
    "exchange_rates": {"rate": "1.1"},
}


def add(
    kind: str,
    entity: str,
    rule: str | None = None,
    becomes: dict[str, Any] | None = None,
    **values: str | None,
) -> None:
    """Add a row: the entity's defaults, changed by `values`. Without an id it gets one from its kind."""
    key = COLUMNS[entity][0].name
    given = DEFAULTS[entity] | values
    if key not in given:
        given[key] = f"{entity}: {kind}"
    ROWS.append(Row(kind, entity, given, rule, becomes or {}))


def add_dropped(kind: str, entity: str, rule: str, **values: str) -> None:
    """Add a row whose last value is dropped for `rule`, and which is accepted without it."""
    column = list(values)[-1]
    add(kind, entity, None, {column: None}, **values)
    DROPPED.append(
        {"entity": entity, "row_id": ROWS[-1].row_id, "column_name": column, "column_value": values[column], "rule": rule}
    )


def add_line(kind: str, entity: str, text: str | bytes) -> None:
    """Add a malformed line."""
    ROWS.append(Line(kind, entity, text))


def _accounts() -> None:
    add("an ordinary account", "accounts", account_id="a1")
    add("a missing id", "accounts", "missing_value", account_id=None, account_name="No id")
    add("an id with leading zeros", "accounts", account_id="007")
    add("the same id without them", "accounts", account_id="7")
    add("an id that differs in case only", "accounts", account_id="A1x")
    add("an id that differs in case only", "accounts", account_id="a1X")
    add("an id with a space in front", "accounts", account_id=" a7")
    add("the same id without the space", "accounts", account_id="a7")
    add("an id of 300 characters", "accounts", account_id=LONG_ID)
    add("an id in another script", "accounts", account_id="客戶-1", account_name=TEXT_IN_MANY_SCRIPTS)
    add("a name with quotes, commas and line ends", "accounts", account_name=AWKWARD_TEXT)
    for text in ("NULL", "NA", " n/a ", "N / A", "None", "-", "--", "unknown", "Not Available", "#N/A"):
        add(f"an industry that says {text}", "accounts", None, {"industry": None}, industry=text)
    add("an industry that begins like a placeholder", "accounts", industry="NA-tional")
    add_dropped("employees from 11 to 50", "accounts", "unreadable_value", employee_count="11-50")
    add_dropped("a thousand employees or more", "accounts", "unreadable_value", employee_count="1000+")
    add("a line that starts with #", "accounts", account_id="# not a comment")
    add("merged into itself", "accounts", account_id="self", merged_into_account_id="self")
    add_dropped("merged into an unknown account", "accounts", "unknown_account", merged_into_account_id="nobody")
    add("an unknown parent", "accounts", parent_account_id="nobody")
    add("no date and no name", "accounts", account_name=None, created_at=None)
    add("employees with a thousands separator", "accounts", None, {"employee_count": 1200}, employee_count="1,200")
    add_dropped("half an employee", "accounts", "unreadable_value", employee_count="12.5")
    add("employees as a decimal", "accounts", None, {"employee_count": 12}, employee_count="12.0")
    add_dropped("unknown employees", "accounts", "unreadable_value", employee_count="n/a")
    add("negative revenue", "accounts", None, {"annual_revenue": Decimal("-5")}, annual_revenue="-5")
    add_dropped("revenue in words", "accounts", "unreadable_value", annual_revenue="a million")
    add_dropped("created before 1900", "accounts", "implausible_date", created_at="1753-01-01")
    for copy in range(3):
        rule = None if copy == 0 else "exact_duplicate"
        add("one account three times", "accounts", rule, account_id="thrice")
    for name in ("One", "Other"):
        add("two accounts of one id", "accounts", "conflicting_duplicate", account_id="two", account_name=name)

    add("an external id twice", "account_external_ids", external_id="x1")
    add("an external id twice", "account_external_ids", "exact_duplicate", external_id="x1")
    add("an external id of nobody", "account_external_ids", "unknown_account", account_id="nobody", external_id="x")
    add("a missing external id", "account_external_ids", "missing_value", external_id=None)
    add("a missing system", "account_external_ids", "missing_value", system=None, external_id="x2")
    add("an attribute", "account_attributes", attribute="round")
    add("an attribute in other scripts", "account_attributes", attribute="名", value=TEXT_IN_MANY_SCRIPTS)
    add("an attribute of nobody", "account_attributes", "unknown_account", account_id="nobody", attribute="round")
    add("an attribute of a rejected account", "account_attributes", "unknown_account", account_id="two", attribute="r")
    add("a missing attribute", "account_attributes", "missing_value", attribute=None)
    add("a missing value", "account_attributes", "missing_value", attribute="round", value=None)
    add("known from a bad date", "account_attributes", "unreadable_value", attribute="r", known_from="last year")


def _contacts() -> None:
    add("a contact", "contacts", contact_id="k1", job_title="Head of\nSales")
    add("a contact of no account", "contacts", account_id=None)
    add("a contact of nobody", "contacts", "unknown_account", account_id="nobody")
    add("a missing contact id", "contacts", "missing_value", contact_id=None)
    add_dropped("an unreadable MQL date", "contacts", "unreadable_value", became_mql_at="31/12/2024")
    add_dropped("a lead date in the year 9999", "contacts", "implausible_date", became_lead_at="9999-12-31")
    for title in ("CFO", "CEO"):
        add("two contacts of one id", "contacts", "conflicting_duplicate", contact_id="k2", job_title=title)


def _opportunities() -> None:
    add("an opportunity", "opportunities", opportunity_id="opp1")
    add("an opportunity of nobody", "opportunities", "unknown_account", account_id="nobody")
    add("is_won missing", "opportunities", "missing_value", is_won=None)
    add("is_closed missing", "opportunities", "missing_value", is_closed="  ")
    add("created_at missing", "opportunities", "missing_value", created_at=None)
    add("won but not closed", "opportunities", "won_not_closed", is_closed="false")
    add("closed without a date", "opportunities", closed_at=None)
    for yes in ("true", "TRUE", "True", " true ", "t", "1", "yes", "Y"):
        add(f"closed: {yes!r}", "opportunities", None, {"is_closed": True}, is_closed=yes)
    for no in ("false", "FALSE", "f", "0", "No", "n"):
        add(f"won: {no!r}", "opportunities", None, {"is_won": False}, is_won=no)
    for word in ("ja", "closed", "2", "-", "wahr", "x"):
        add(f"closed: {word!r}", "opportunities", "unreadable_value", is_closed=word)
    add("a type with a blank", "opportunities", None, {"opportunity_type": "new_business"}, opportunity_type="New Business")
    add("a type with a hyphen", "opportunities", None, {"opportunity_type": "new_business"}, opportunity_type="new-business")
    add_dropped("a type that is not in the list", "opportunities", "not_allowed_value", opportunity_type="New Customer")
    add("a type in capitals", "opportunities", None, {"opportunity_type": "renewal"}, opportunity_type="RENEWAL")
    add("an opportunity's amount in words", "opportunities", "unreadable_value", amount="ten")
    add("an opportunity in an unknown currency", "opportunities", "unknown_currency", currency_code="XXX")
    add("an opportunity before the first rate", "opportunities", "unknown_currency", currency_code="EUR")
    add(
        "an open opportunity created before the first rate",
        "opportunities",
        "unknown_currency",
        is_closed="false",
        is_won="false",
        currency_code="EUR",
        closed_at="2025-01-01",
    )

    add("a stage twice", "opportunity_stages", stage="demo", stage_order="1")
    add("a stage twice", "opportunity_stages", "exact_duplicate", stage="demo", stage_order="1")
    add("a stage of nothing", "opportunity_stages", "unknown_opportunity", opportunity_id="none", stage="demo")
    add("a missing stage", "opportunity_stages", "missing_value", stage=None)
    add("a missing entry date", "opportunity_stages", "missing_value", stage="won", entered_at=None)
    add("an unreadable entry date", "opportunity_stages", "unreadable_value", stage="won", entered_at="soon")
    add_dropped("a stage order of 1.5", "opportunity_stages", "unreadable_value", stage="won", stage_order="1.5")


UNREADABLE_NUMBERS = [
    "1e15",
    "NaN",
    "nan",
    "inf",
    "-Infinity",
    "1_000",
    "1.000,00",
    "12,5",
    "$100",
    "100 USD",
]
UNREADABLE_NUMBERS += [
    "0x10",
    "١٢٣",
    "1 000",
    "1\u00a0000",
    "--5",
    "(100)",
    "1.2.3",
    "1e",
    "ten",
    "#REF!",
    "'5",
    "100000000000000",
]
UNREADABLE_NUMBERS += ["1,5", "1,00", "1,0000", "0,123", ",123", "1,234,56", "11-50", "1000+"]
READABLE_NUMBERS = {
    "1,234": "1234",
    "1,000.00": "1000",
    "-1,234,567.50": "-1234567.5",
    " 100.00 ": "100",
    "+5": "5",
    "-5": "-5",
    "0": "0",
    "-0": "0",
    "0.00": "0",
    ".5": "0.5",
    "5.": "5",
    "007": "7",
    "1e3": "1000",
    "99999999999.99": "99999999999.99",
}
UNREADABLE_DATES = [
    "31/12/2024",
    "12/31/2024",
    "2024-02-30",
    "2024-13-01",
    "2023-02-29",
    "45297",
    "20240230",
    "now",
    "today",
]
UNREADABLE_DATES += [
    "2024-01-01 10:00 tbd",
    "2024-01-01 tbd",
    "2024-01-01T10:00:00Zulu",
    "2024/01/01",
    "2024-1-1",
    "2024-01-01 10:00:00+2",
    "2024-01-01 10:00:00+25:00",
    "2024-01-01T10:00:00 -02:60",
    "20240101T100000+9900",
]
UNREADABLE_DATES += [
    "yesterday",
    "epoch",
    "tomorrow",
    "2024-03-01 25:00:00",
    "1 March 2024",
    "2024",
    "2024-03",
    "0",
    "-",
    "n/a",
]
IMPLAUSIBLE_DATES = [
    "0203-05-01",
    "9999-12-31",
    "1899-12-31T23:59:59",
    "2100-01-01",
    "0000-01-01",
    "0024-05-01",
    "20240-03-01",
]


def _orders() -> None:
    add("an ordinary order", "orders", order_id="o1")
    add("an order without an amount", "orders", amount=None)
    add("an order of nobody", "orders", "unknown_account", account_id="nobody")
    add("an account id with a space in front", "orders", "unknown_account", account_id=" a1")
    add("an account id in the wrong case", "orders", "unknown_account", account_id="A1")
    add("an account id without its zeros", "orders", "unknown_account", account_id="0007")
    add("an order of a rejected account", "orders", "unknown_account", account_id="two")
    add("an order of a long account id", "orders", account_id=LONG_ID)
    add("a long order id", "orders", order_id=LONG_ID + "o")
    add("a missing order id", "orders", "missing_value", order_id=None)
    add("a missing account id", "orders", "missing_value", account_id=None)
    add("a missing status", "orders", "missing_value", order_status=None)
    add("a missing date", "orders", "missing_value", closed_at=None)
    add("a status that is not in the list", "orders", "not_allowed_value", order_status="Closed Won")
    add("a status in capitals", "orders", None, {"order_status": "closed_won"}, order_status=" CLOSED_WON ")
    add("an unknown opportunity", "orders", opportunity_id="none")
    add("replaces itself", "orders", order_id="replaces itself", replaces_order_id="replaces itself")
    add("replaces an unknown order", "orders", replaces_order_id="none")

    for number in UNREADABLE_NUMBERS:
        add(f"amount {number}", "orders", "unreadable_value", amount=number)
    for number, amount in READABLE_NUMBERS.items():
        add(f"amount {number!r}", "orders", None, {"amount": Decimal(amount)}, amount=number)

    for term in ("12.5", "twelve", "1e20", "NaN", "12 months", "99999999999999999999"):
        add(f"a term of {term}", "orders", "unreadable_value", term_months=term)
    for term in ("0", "-12"):
        add(f"a term of {term}", "orders", "not_allowed_value", term_months=term)
    add("a term of 12.0", "orders", None, {"term_months": 12}, term_months="12.0")
    for term in ("1201", "99999", "100000000", "999999999999"):
        add(f"a term of {term} months", "orders", EITHER, term_months=term)
    for amount in ("99999999999999.9999", "-99999999999999.9999"):
        add(f"amount {amount}", "orders", EITHER, amount=amount, currency_code="EUR", closed_at="2024-03-01")

    for text in UNREADABLE_DATES:
        add(f"closed at {text}", "orders", "unreadable_value", closed_at=text)
    for text in IMPLAUSIBLE_DATES:
        add(f"closed at {text}", "orders", "implausible_date", closed_at=text)
    for text in ("infinity", "-infinity"):
        add(f"closed at {text}", "orders", "unreadable_value", closed_at=text)
    add("starts on infinity", "orders", "unreadable_value", starts_on="infinity")
    add("ends in the year 9999", "orders", "implausible_date", ends_on="9999-12-31")
    add("terminated soon", "orders", "unreadable_value", terminated_on="soon")
    times = {
        "2024-03-01T10:00:00Z": datetime(2024, 3, 1, 10),
        "2024-03-01T23:30:00-05:00": datetime(2024, 3, 2, 4, 30),
        "2024-03-01 10:00:00.5": datetime(2024, 3, 1, 10, 0, 0, 500_000),
        "2024-03-01": datetime(2024, 3, 1),
        "2024-03-01T10:00:00 Z": datetime(2024, 3, 1, 10),
        "2024-03-01 10:00:00 +0200": datetime(2024, 3, 1, 8),
        "2024-03-01 10:00:00+02": datetime(2024, 3, 1, 8),
        "2024-03-01 10:00:00 -05:30": datetime(2024, 3, 1, 15, 30),
        "2024-03-01T10:00": datetime(2024, 3, 1, 10),
        "20240301T010944Z": datetime(2024, 3, 1, 1, 9, 44),
        "20240301T0109": datetime(2024, 3, 1, 1, 9),
        "20240301T010944.5+0200": datetime(2024, 2, 29, 23, 9, 44, 500_000),
        "20240301": datetime(2024, 3, 1),
        " 2024-02-29 ": datetime(2024, 2, 29),
        "1900-01-01": datetime(1900, 1, 1),
        "2099-12-31T23:59:59": datetime(2099, 12, 31, 23, 59, 59),
    }
    for text, time in times.items():
        add(f"closed at {text!r}", "orders", None, {"closed_at": time}, closed_at=text)
    year = {"starts_on": "2024-01-01", "ends_on": "2024-12-31"}
    for term in ("11", "12", "13"):
        add(f"a year of {term} months", "orders", term_months=term, **year)
    for term in ("1", "10", "14", "24"):
        add(f"a year of {term} months", "orders", "term_mismatch", term_months=term, **year)
    add("a term of a day", "orders", starts_on="2024-01-01", ends_on="2024-01-01")
    add("ends before it starts", "orders", "ends_before_start", starts_on="2024-06-01", ends_on="2024-05-31")
    add("ends before it is closed", "orders", "ends_before_start", ends_on="2024-02-28")

    add("a currency in lower case", "orders", None, {"currency_code": "EUR"}, currency_code="eur")
    add("the reporting currency in lower case", "orders", None, {"currency_code": "USD"}, currency_code=" usd ")
    add("an order before the first rate", "orders", "unknown_currency", currency_code="EUR", closed_at="2023-12-31")
    add("an order on the day of the first rate", "orders", currency_code="EUR", closed_at="2024-01-01")
    for code in ("GBP", "€", "EURO", "Dollar", "JPY"):
        add(f"the currency {code}", "orders", "unknown_currency", currency_code=code)

    for copy in range(4):
        rule = None if copy == 0 else "exact_duplicate"
        add("one order four times", "orders", rule, order_id="four", amount="4.44")
    for amount in ("1.00", "2.00"):
        add("two versions", "orders", "conflicting_duplicate", order_id="versions", amount=amount)
    for amount in ("1.00", "2.00", "3.00"):
        add("three versions", "orders", "conflicting_duplicate", order_id="versions3", amount=amount)
    for amount, rule in (("1.00", None), ("1.00", "exact_duplicate"), ("2.00", None)):
        add("two alike, one not", "orders", rule or "conflicting_duplicate", order_id="versions2+1", amount=amount)
    for amount in ("1.00", "one"):
        add("an unreadable version", "orders", "conflicting_duplicate", order_id="versions?", amount=amount)
    for account in ("a1", "nobody"):
        add("a version of nobody", "orders", "conflicting_duplicate", order_id="versions!", account_id=account)
    for closed_at in (None, "2024-01-01"):
        add("a version without a date", "orders", "conflicting_duplicate", order_id="versions-", closed_at=closed_at)


def _order_lines() -> None:
    def order(kind: str, rule: str | None = None, **values: str) -> str:
        order_id = f"order: {kind}"
        add(f"the order of {kind}", "orders", rule, order_id=order_id, **values)
        return order_id

    def line(kind: str, rule: str | None, order_id: str | None, becomes: dict | None = None, **values: str | None) -> None:
        add(kind, "order_lines", rule, becomes, **({"order_id": order_id} | values))

    good = order("good lines", starts_on="2024-01-01", ends_on="2024-12-31")
    line("a line", None, good, product_id="p1", order_line_id="l1")
    add_dropped("an unreadable quantity", "order_lines", "unreadable_value", order_id=good, quantity="many")
    add_dropped("an unreadable cost", "order_lines", "unreadable_value", order_id=good, cost="free")
    line("a negative quantity", None, good, {"quantity": Decimal(-3)}, quantity="-3")
    line("a zero amount", None, good, {"amount": Decimal(0)}, amount="0")
    line("a credit", None, good, {"amount": Decimal("-50.05")}, amount="-50.05")
    line("an unknown product", None, good, product_id="none")
    line("a line type in capitals", None, good, {"line_type": "one_time"}, line_type=" One_Time")
    line("a ramp", None, good, starts_on="2024-07-01")
    line("a line of no order", "unknown_order", "none")
    line("a missing order id", "missing_value", None)

    bad_lines = {
        "a missing amount": ("missing_value", {"amount": None}),
        "a blank amount": ("missing_value", {"amount": "   "}),
        "an amount of 1e15": ("unreadable_value", {"amount": "1e15"}),
        "an amount of NaN": ("unreadable_value", {"amount": "NaN"}),
        "a term of no month": ("not_allowed_value", {"term_months": "0"}),
        "no billing month": ("not_allowed_value", {"billing_months": "0"}),
        "an unreadable billing": ("unreadable_value", {"billing_months": "monthly"}),
        "a term that is not its dates": (
            "term_mismatch",
            {"starts_on": "2024-01-01", "ends_on": "2024-12-31", "term_months": "24"},
        ),
        "a line type not in the list": ("not_allowed_value", {"line_type": "subscription"}),
        "an end before its start": ("ends_before_start", {"starts_on": "2024-06-01", "ends_on": "2024-05-31"}),
        "a start in 0203": ("implausible_date", {"starts_on": "0203-06-01"}),
        "an end of 31/12/2024": ("unreadable_value", {"ends_on": "31/12/2024"}),
        "a line without an id": ("missing_value", {"order_line_id": None}),
    }
    for kind, (rule, values) in bad_lines.items():
        order_id = order(kind, "rejected_line")
        line(kind, rule, order_id, **values)
        line(f"the good line beside {kind}", "order_rejected", order_id)

    twice = order("a line twice")
    line("a line twice", None, twice, order_line_id="twice")
    line("a line twice", "exact_duplicate", twice, order_line_id="twice")
    conflicting = order("two lines of one id", "rejected_line")
    for amount in ("1.00", "2.00"):
        line("two lines of one id", "conflicting_duplicate", conflicting, order_line_id="l2", amount=amount)
    across = [order(f"a line id in two orders {n}", "rejected_line") for n in (1, 2)]
    for order_id in across:
        line("a line id in two orders", "conflicting_duplicate", order_id, order_line_id="l3")
    line("a line of a rejected order", "order_rejected", "versions")
    line("a line of an order that came four times", None, "four")
    after = order("a line that starts after its order ends", "rejected_line", ends_on="2024-12-31")
    line("starts after its order ends", "ends_before_start", after, starts_on="2025-01-01")


def _campaigns() -> None:
    add("a product", "products", product_id="p1", product_name=TEXT_IN_MANY_SCRIPTS, product_type="Core")
    add_dropped("a product type not in the list", "products", "not_allowed_value", product_type="hardware")
    add("an unknown product type", "products", None, {"product_type": None}, product_type="n/a")
    add("a missing product id", "products", "missing_value", product_id=None)
    add("a campaign", "campaigns", campaign_id="c1", campaign_name='Spring, "24"')
    add("a campaign that ends first", "campaigns", "ends_before_start", started_on="2024-02-01", ended_on="2024-01-31")
    add("a campaign of a day", "campaigns", started_on="2024-02-01", ended_on="2024-02-01")
    add_dropped("an unreadable campaign start", "campaigns", "unreadable_value", started_on="spring")
    add("a member twice", "campaign_members", responded="false")
    add("a member twice", "campaign_members", "exact_duplicate", responded="false")
    add("a contact as member", "campaign_members", account_id=None, contact_id="k1")
    add("nobody as member", "campaign_members", "missing_value", account_id=None)
    add("an unknown account as member", "campaign_members", "unknown_account", account_id="nobody")
    add("an unknown contact as member", "campaign_members", "unknown_contact", account_id=None, contact_id="nobody")
    add("a member of no campaign", "campaign_members", "unknown_campaign", campaign_id="none")
    add("a member without a campaign", "campaign_members", "missing_value", campaign_id=None)
    add("a member added once", "campaign_members", "unreadable_value", added_at="once")
    add_dropped("a member who maybe responded", "campaign_members", "unreadable_value", account_id="007", responded="maybe")
    for rule in (None, "exact_duplicate"):
        day = {"spent_on": date(2024, 2, 1)} if rule is None else {}
        add("spend twice", "campaign_spend", rule, day, spent_on="2024-02-01", currency_code="EUR")
    add("spend given back", "campaign_spend", None, {"amount": Decimal(-5)}, spent_on="2024-02-02", amount="-5.00")
    add("spend of no campaign", "campaign_spend", "unknown_campaign", campaign_id="none", spent_on="2024-02-01")
    add("spend before the first rate", "campaign_spend", "unknown_currency", spent_on="2023-02-01", currency_code="EUR")
    add("spend without a day", "campaign_spend", "missing_value", spent_on=None)
    add("spend without an amount", "campaign_spend", "missing_value", spent_on="2024-02-01", amount=None)
    add("spend of much", "campaign_spend", "unreadable_value", spent_on="2024-02-01", amount="much")

    add("an engagement", "engagements", topic=AWKWARD_TEXT)
    add("an engagement of nobody", "engagements", "unknown_account", account_id="nobody")
    add("an engagement of an unknown contact", "engagements", "unknown_contact", account_id=None, contact_id="nobody")
    add("an engagement of an account and an unknown contact", "engagements", contact_id="nobody")
    add("an engagement of a contact", "engagements", account_id=None, contact_id="k1")
    add("a missing engagement type", "engagements", "missing_value", engagement_type=None)
    add("an engagement without a date", "engagements", "missing_value", occurred_at=None)
    add("an engagement in 0203", "engagements", "implausible_date", occurred_at="0203-01-01")

    add("a rate twice", "exchange_rates", None, {"currency_code": "EUR"}, currency_code="eur", valid_from="2024-01-01")
    add("a rate twice", "exchange_rates", "exact_duplicate", currency_code="eur", valid_from="2024-01-01")
    for rate in ("1.2", "1.3"):
        add(
            "two rates for a date",
            "exchange_rates",
            "conflicting_duplicate",
            currency_code="EUR",
            valid_from="2024-05-01",
            rate=rate,
        )
    for day, rate in (("2020-01-01", "0"), ("2020-01-03", "-1")):
        add(f"a rate of {rate}", "exchange_rates", "not_allowed_value", currency_code="JPY", valid_from=day, rate=rate)
    add(
        "an unreadable rate",
        "exchange_rates",
        "unreadable_value",
        currency_code="JPY",
        valid_from="2020-01-02",
        rate="1,1",
    )
    add("a rate without a date", "exchange_rates", "missing_value", currency_code="JPY", valid_from=None)
    add("a rate in 9999", "exchange_rates", "implausible_date", currency_code="JPY", valid_from="9999-01-01")
    add("a rate of no currency", "exchange_rates", "missing_value", currency_code=None, valid_from="2020-01-01")


def _lines() -> None:
    add_line("too few fields", "orders", "few,a1,closed_won")
    add_line("a thousands separator", "orders", "thousands,a1,,closed_won,2024-03-01,USD,1,000.00,,,,,")
    add_line("not UTF-8", "orders", "latin1,a1,,closed_won,2024-03-01,USD,5.00,,,,,caf\u00e9".encode("latin-1"))
    add("the order of a malformed line", "orders", "rejected_line", order_id="order: a malformed line")
    good = {"order_id": "order: a malformed line", "order_line_id": "beside a malformed line"}
    add("beside a malformed line", "order_lines", "order_rejected", **good)
    add_line("too many fields", "order_lines", "many,order: a malformed line,p1,1,1,000.00,,recurring,,2024-12-31")
    add_line("the id of a good line", "order_lines", "beside a malformed line,order: a malformed line,p1,1")
    add("the order of a thousands separator", "orders", "rejected_line", order_id="order: thousands")
    add_line("a thousands separator", "order_lines", "thousands,order: thousands,p1,1,1,000.00,,recurring,,")
    add_line("a line of one word", "products", "word")
    add("a NUL in a name", "accounts", account_name="a\0b")
    add_line("not UTF-8", "products", b"p\xff\xfe,A product,,")
    add_line("too few fields", "campaigns", '"c9","Spring"')
    add_line("too many fields", "accounts", "a9,An account,,,,,,,,,,,,a comment")


for _fill in (_accounts, _contacts, _opportunities, _orders, _order_lines, _campaigns, _lines):
    _fill()


# --- The folder of bad rows, and its build --------------------


def _columns(entity: str) -> list[str]:
    return [column.name for column in COLUMNS[entity]]


def _csv_line(values: list[str | None], quoting: int = csv.QUOTE_MINIMAL) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=quoting).writerow(["" if value is None else value for value in values])
    return text.getvalue().removesuffix("\r\n")


def write_bad_rows(folder: Path) -> None:
    """One CSV file per entity, each in another of the spellings that spreadsheets and exports have."""
    for entity in COLUMNS:
        names = _columns(entity)
        quoting, line_end, start, end = csv.QUOTE_MINIMAL, "\n", "", "\n"
        extra, value = [], []
        match entity:
            case "accounts":
                end = ""
            case "products":
                start, line_end, end = "\ufeff", "\r\n", "\r\n"
            case "contacts":
                line_end, end = "\r\n", "\r\n"
            case "campaigns":
                quoting = csv.QUOTE_ALL
            case "exchange_rates":
                names = names[::-1]
                extra, value = ["note"], ["an unknown column"]
            case "engagements":
                extra, value = ["note"], ["an unknown column, caf\u00e9"]
            case "opportunity_stages":
                end = "\n\n\n"
        lines = [_csv_line(names + extra, quoting).encode()]
        malformed = [row.text for row in ROWS if isinstance(row, Line) and row.entity == entity]
        rows = [
            _csv_line([row.values.get(name) for name in names] + value, quoting)
            for row in ROWS
            if isinstance(row, Row) and row.entity == entity
        ]
        # One malformed line comes before any good one, one among them, one at the end.
        third = len(rows) // 3
        texts = [*malformed[:1], *rows[:third], *malformed[1:2], *rows[third:], *malformed[2:]]
        lines += [text if isinstance(text, bytes) else text.encode(errors="surrogateescape") for text in texts]
        content = start.encode() + line_end.encode().join(lines) + end.encode()
        (folder / f"{entity}.csv").write_bytes(content)


@pytest.fixture(scope="session")
def bad_rows(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """The whole project, built from the folder of bad rows."""
    folder = tmp_path_factory.mktemp("bad_rows")
    write_bad_rows(folder)
    return build(tmp_path_factory.mktemp("bad_rows_build"), folder, unit_tests=False, check=False)


@dataclass(frozen=True)
class Checked:
    """What the input layer made of the folder: accepted rows by entity, rejects."""

    accepted: dict[str, list[dict[str, Any]]]
    rejects: list[dict[str, Any]]


@pytest.fixture(scope="session")
def checked(bad_rows: BuildResult) -> Checked:
    """The rows of the built input layer."""
    accepted = {entity: frame(bad_rows.database, f"input.input_{entity}").to_dict("records") for entity in COLUMNS}
    return Checked(accepted, frame(bad_rows.database, "input.input_rejects").to_dict("records"))


def _as_read(row: Row) -> str:
    """A row as input_rejects shows it: JSON of what the file says, nothing where it says nothing."""
    return json.dumps({name: row.values.get(name) or None for name in _columns(row.entity)}, sort_keys=True)


def _raw(reject: dict[str, Any]) -> str:
    """The raw row of a reject in the same spelling."""
    if reject["rule"] == "malformed_line":
        return reject["raw_row"]
    values = json.loads(reject["raw_row"])
    # A CSV row also shows what stands after the header's last column: nothing, in a row that is not malformed.
    assert not values.pop("beyond_header", None)
    return json.dumps({name: value or None for name, value in values.items()}, sort_keys=True)


FAULTS: dict[str, list[Row]] = defaultdict(list)
for _row in ROWS:
    if isinstance(_row, Row) and _row.rule != EITHER:
        FAULTS[f"{_row.entity}: {_row.kind}"].append(_row)


def _is_accepted_form(row: Row, accepted: dict[str, Any]) -> bool:
    """Whether an accepted row says what the row of the file says: its texts unchanged, its values as expected."""
    texts = {
        column.name: (row.values.get(column.name) or "").strip("" if column.name.endswith("_id") else None) or None
        for column in COLUMNS[row.entity]
        if column.kind == "text" and column.name not in row.becomes and column.name != "currency_code"
    }
    expected = texts | row.becomes
    return {name: accepted[name] for name in expected} == expected


def test_bad_rows_fail_no_model_and_no_test(bad_rows: BuildResult) -> None:
    assert bad_rows.returncode == 0, bad_rows.stdout


@pytest.mark.parametrize("fault", FAULTS)
def test_row_is_accepted_or_rejected_by_the_right_rule(fault: str, checked: Checked) -> None:
    rows = FAULTS[fault]
    raw_rows = {_as_read(row) for row in rows}
    rejected = Counter(
        (reject["rule"], reject["row_id"], _raw(reject))
        for reject in checked.rejects
        if reject["entity"] == rows[0].entity and _raw(reject) in raw_rows
    )
    assert rejected == Counter((row.rule, row.row_id, _as_read(row)) for row in rows if row.rule)
    for row in rows:
        if row.rule is None:
            matches = [found for found in checked.accepted[row.entity] if _is_accepted_form(row, found)]
            assert len(matches) == 1, [found for found in checked.accepted[row.entity] if row.row_id in found.values()]


def test_dropped_values_are_listed(bad_rows: BuildResult) -> None:
    dropped = frame(bad_rows.database, "input.input_dropped_values").to_dict("records")
    assert sorted(dropped, key=str) == sorted(DROPPED, key=str)


def test_reject_names_the_value_that_broke_the_rule(checked: Checked) -> None:
    """The value stands in the raw row under the column's name; a line that costs its order is named by its id."""
    for reject in checked.rejects:
        if reject["rule"] == "malformed_line":
            continue
        column, value = reject["column_name"], reject["column_value"]
        assert column, reject
        if reject["rule"] == "rejected_line":
            assert column == "order_line_id"
        else:
            assert json.loads(reject["raw_row"])[column] == value, reject
            assert value is not None or reject["rule"] == "missing_value", reject


MALFORMED = [row for row in ROWS if isinstance(row, Line)]


@pytest.mark.parametrize("line", MALFORMED, ids=[f"{line.entity}: {line.kind}" for line in MALFORMED])
def test_malformed_line_is_one_reject(line: Line, checked: Checked) -> None:
    rejects = [
        reject["rule"] for reject in checked.rejects if reject["entity"] == line.entity and _shows(reject["raw_row"], line)
    ]
    assert rejects == ["malformed_line"]


def _shows(raw_row: str, line: Line) -> bool:
    """Whether a raw row is that line, as text or as the fields under the header."""
    if isinstance(line.text, bytes):
        # What is not UTF-8 can be shown in any way: what stands before it has to be there.
        return raw_row.lstrip("\r\n").startswith(line.text.decode("utf-8", "replace").split("\ufffd")[0])
    if not raw_row.startswith("{"):
        return raw_row.strip("\r\n") == line.text
    fields, values = next(csv.reader([line.text])), [value or "" for value in json.loads(raw_row).values()]
    seen = min(len(fields), len(values))
    return values[:seen] == fields[:seen] and not any(values[seen:])


@pytest.mark.parametrize("entity", COLUMNS)
def test_rows_read_are_rows_accepted_and_rejected(entity: str, checked: Checked) -> None:
    rejected = [reject for reject in checked.rejects if reject["entity"] == entity]
    written = sum(row.entity == entity for row in ROWS)
    assert len(checked.accepted[entity]) + len(rejected) == written
    malformed = sum(isinstance(row, Line) and row.entity == entity for row in ROWS)
    assert sum(reject["rule"] == "malformed_line" for reject in rejected) == malformed


def _money(text: str | None) -> Decimal:
    text = (text or "").strip()
    try:
        amount = Decimal(text.replace(",", "") if re.fullmatch(r"-?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", text) else text)
    except InvalidOperation:
        return Decimal(0)
    return amount if amount.is_finite() else Decimal(0)


@pytest.mark.parametrize("entity", ["orders", "order_lines", "opportunities", "campaign_spend"])
def test_money_read_is_money_accepted_and_rejected(entity: str, checked: Checked) -> None:
    """To the cent, and in each currency."""
    read, found = Counter(), Counter()
    for row in ROWS:
        if row.entity == entity and isinstance(row, Row):
            read[(row.values.get("currency_code") or "").strip().upper()] += _money(row.values.get("amount"))
    for row in checked.accepted[entity]:
        found[row.get("currency_code") or ""] += row["amount"] or 0
    for reject in checked.rejects:
        if reject["entity"] == entity and reject["rule"] != "malformed_line":
            raw = json.loads(reject["raw_row"])
            found[(raw.get("currency_code") or "").strip().upper()] += _money(str(raw["amount"]))
    assert {currency: money for currency, money in found.items() if money} == {
        currency: money for currency, money in read.items() if money
    }
