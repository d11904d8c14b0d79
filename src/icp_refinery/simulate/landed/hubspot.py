"""What of the simulated company HubSpot can hold, as files of the contract, and the records that these come from."""

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from decimal import Decimal
from typing import Any

import numpy as np

from icp_refinery.simulate.landed.hubspot_loaders import LOADED, tables_of
from icp_refinery.simulate.landed.hubspot_mess import add_mess
from icp_refinery.simulate.landed.tables import Row, Rows, Table

ATTRIBUTE = "funding_stage"
# pipeline: its label, and stage -> (id, label, display order, is closed, probability)
PIPELINES: dict[str, tuple[str, dict[str, tuple[str, str, int, bool, float]]]] = {
    "default": (
        "Sales Pipeline",
        {
            "Discovery": ("appointmentscheduled", "Discovery", 1, False, 0.2),
            "Evaluation": ("qualifiedtobuy", "Evaluation", 2, False, 0.4),
            "Proposal": ("presentationscheduled", "Proposal", 3, False, 0.6),
            "Negotiation": ("contractsent", "Negotiation", 4, False, 0.9),
            "Closed Won": ("closedwon", "Closed Won", 5, True, 1.0),
            "Closed Lost": ("closedlost", "Closed Lost", 5, True, 0.0),
        },
    ),
    "7700123": (
        "Contract renewals",
        {
            "Discovery": ("7700201", "Due", 1, False, 0.5),
            "Evaluation": ("7700202", "Contacted", 2, False, 0.6),
            "Proposal": ("7700203", "Offered", 3, False, 0.7),
            "Negotiation": ("7700204", "Agreed", 4, False, 0.95),
            "Closed Won": ("7700205", "Signed", 5, True, 1.0),
            "Closed Lost": ("7700206", "Churned", 5, True, 0.0),
        },
    ),
}
DEAL_TYPES = {"new_business": "newbusiness", "expansion": "existingbusiness", "renewal": None, None: None}
KINDS = {"email": "email", "content": "email", "webinar": "meeting", "demo": "meeting", "event": "call"}
TITLES = {"meeting": "hs_meeting_title", "email": "hs_email_subject", "call": "hs_call_title"}
FREQUENCIES = {12: "annually", 3: "quarterly", 1: "monthly"}
CENT = Decimal("0.01")


def canonical(company: Rows, loader: str) -> Rows:
    """The entities that HubSpot has; dlt lands neither lines nor engagements, so terms are on its orders."""
    ids = {
        entity: {row[column]: str(first + 173 * number) for number, row in enumerate(company[entity])}
        for entity, column, first in (
            ("accounts", "account_id", 5_000_000_173),
            ("contacts", "contact_id", 600_101),
            ("opportunities", "opportunity_id", 9_000_000_001),
            ("orders", "order_id", 9_700_000_001),
            ("order_lines", "order_line_id", 3_000_000_001),
            ("products", "product_id", 1_200_001),
            ("engagements", "engagement_id", 42_000_000_001),
        )
    }
    accounts, contacts, products = ids["accounts"], ids["contacts"], ids["products"]
    files: Rows = {
        "accounts": [
            row
            | {
                "account_id": accounts[row["account_id"]],
                "parent_account_id": accounts.get(row["parent_account_id"]),
                "industry": row["industry"] and row["industry"].upper().replace(" ", "_"),
                "region": None,
            }
            for row in company["accounts"]
        ],
        "account_attributes": [
            {"account_id": accounts[row["account_id"]], "attribute": ATTRIBUTE, "value": row["value"]}
            for row in company["account_attributes"]
            if row["attribute"] == ATTRIBUTE
        ],
        "account_external_ids": [
            {"account_id": record, "system": "hubspot", "external_id": record} for record in accounts.values()
        ],
        "contacts": [
            row | {"contact_id": contacts[row["contact_id"]], "account_id": accounts.get(row["account_id"])}
            for row in company["contacts"]
        ],
        "products": [
            {
                "product_id": products[row["product_id"]],
                "product_name": row["product_name"],
                "product_type": "service" if row["product_type"] == "service" else None,
            }
            for row in company["products"]
        ],
    }
    deals, orders = _deals(company, ids)
    files["opportunities"] = list(deals.values())
    files["opportunity_stages"] = [
        {
            "opportunity_id": deals[row["opportunity_id"]]["opportunity_id"],
            "stage": _stage(deals[row["opportunity_id"]], row["stage"])[1],
            "stage_order": row["stage_order"],
            "entered_at": row["entered_at"],
        }
        for row in company["opportunity_stages"]
    ]
    for deal in deals.values():
        deal["stage"] = _stage(deal, deal["stage"])[1]
    has_lines = loader != "dlt"
    files["orders"] = [_order(deal, orders.get(key), has_terms=not has_lines) for key, deal in deals.items() if deal["is_won"]]
    files["exchange_rates"] = _rates(company, files["opportunities"])
    if has_lines:
        sold = {row["order_id"]: (deals[key], row) for key, row in orders.items()}
        files["order_lines"] = [
            _line(number, row, *sold[row["order_id"]], ids)
            for number, row in enumerate(company["order_lines"])
            if row["order_id"] in sold
        ]
        files["engagements"] = [
            {
                "engagement_id": ids["engagements"][row["engagement_id"]],
                "account_id": accounts.get(row["account_id"]),
                "contact_id": contacts.get(row["contact_id"]),
                "engagement_type": KINDS[row["engagement_type"]],
                "topic": row["topic"],
                "occurred_at": row["occurred_at"],
            }
            for row in company["engagements"]
        ]
    return files


def _deals(company: Rows, ids: dict[str, dict[str, str]]) -> tuple[dict[str, Row], dict[str, Row]]:
    """Deals and, of the won ones, the orders, by the company's id. An order without an opportunity is a deal, won at once."""
    orders = {row["opportunity_id"]: row for row in company["orders"] if row["order_status"] == "closed_won"}
    deals = {}
    for row in company["opportunities"]:
        deals[row["opportunity_id"]] = row | {"opportunity_id": ids["opportunities"][row["opportunity_id"]]}
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for line in company["order_lines"]:
        totals[line["order_id"]] += line["amount"]
    for row in company["orders"]:
        if row["order_status"] == "closed_won" and not row["opportunity_id"]:
            deals[row["order_id"]] = {
                "opportunity_id": ids["orders"][row["order_id"]],
                "account_id": row["account_id"],
                "opportunity_name": "Order",
                "opportunity_type": None,
                "stage": "Closed Won",
                "is_closed": True,
                "is_won": True,
                "amount": row["amount"] or totals[row["order_id"]],
                "currency_code": row["currency_code"],
                "lead_source": None,
                "created_at": row["closed_at"],
                "closed_at": row["closed_at"],
            }
            orders[row["order_id"]] = row
    for deal in deals.values():
        deal["account_id"] = ids["accounts"][deal["account_id"]]
        deal["closed_at"] = deal["closed_at"] if deal["is_closed"] else None
    return deals, {key: row for key, row in orders.items() if key and deals[key]["is_won"]}


def _pipeline(deal: Row) -> str:
    return "7700123" if deal["opportunity_type"] == "renewal" else "default"


def _stage(deal: Row, stage: str) -> tuple[str, str, int, bool, float]:
    return PIPELINES[_pipeline(deal)][1][stage]


def _order(deal: Row, order: Row | None, has_terms: bool) -> Row:
    terms = {"starts_on": order and order["starts_on"], "term_months": order and order["term_months"]} if has_terms else {}
    return {
        "order_id": deal["opportunity_id"],
        "account_id": deal["account_id"],
        "opportunity_id": deal["opportunity_id"],
        "order_status": "closed_won",
        "closed_at": deal["closed_at"],
        "currency_code": deal["currency_code"],
        "amount": deal["amount"],
    } | terms


def _rates(company: Rows, deals: list[Row]) -> list[Row]:
    """The rate of each day on which a deal in another currency was closed."""
    known: dict[str, list[tuple[dt.date, Decimal]]] = defaultdict(list)
    for row in sorted(company["exchange_rates"], key=lambda row: row["valid_from"]):
        known[row["currency_code"]].append((row["valid_from"], row["rate"]))
    closed = {
        (deal["currency_code"], deal["closed_at"].date())
        for deal in deals
        if deal["closed_at"] and deal["currency_code"] in known
    }
    return [
        {"currency_code": code, "valid_from": day, "rate": known[code][bisect_right(known[code], (day, Decimal("inf"))) - 1][1]}
        for code, day in sorted(closed)
    ]


def _line(number: int, row: Row, deal: Row, order: Row, ids: dict[str, dict[str, str]]) -> Row:
    """A line as HubSpot bills it: so many whole periods of so many cents."""
    start = row["starts_on"] or order["starts_on"] or deal["closed_at"].date()
    end = row["ends_on"] or order["ends_on"]
    recurs = end is not None and row["line_type"] != "one_time" and row["amount"] > 0
    months = max(1, round(((end - start).days + 1) / 30.4375)) if recurs else None
    is_open = months == 1 and number % 3 == 0
    period = next(size for size in FREQUENCIES if (months or 1) % size == 0)
    count = months // period if recurs and not is_open else 1
    units = row["quantity"] or 1
    return {
        "order_line_id": ids["order_lines"][row["order_line_id"]],
        "order_id": deal["opportunity_id"],
        "opportunity_id": deal["opportunity_id"],
        "product_id": ids["products"].get(row["product_id"]),
        "quantity": row["quantity"],
        "amount": (row["amount"] / count).quantize(CENT) * count,
        "cost": (row["cost"] / (count * units)).quantize(CENT) * count * units,
        "line_type": "recurring" if recurs else "one_time",
        "billing_months": period if is_open else None,
        "term_months": None if is_open else months,
        "starts_on": start if recurs else None,
    }


def portal_of(files: Rows) -> Rows:
    """The records of HubSpot, by object, that lead to these files: its properties, and associations as lists of ids."""
    stages = {(label, s[1]): (key, s[0]) for key, (label, steps) in PIPELINES.items() for s in steps.values()}
    labels = {"renewal": "Contract renewals"}
    traits = {row["account_id"]: row["value"] for row in files["account_attributes"]}
    orders = {row["order_id"]: row for row in files["orders"]}
    rates = {(row["currency_code"], row["valid_from"]): row["rate"] for row in files["exchange_rates"]}
    lines: dict[str, list[str]] = defaultdict(list)
    for row in files.get("order_lines", []):
        lines[row["order_id"]].append(row["order_line_id"])
    portal: Rows = defaultdict(list)
    for row in files["accounts"]:
        portal["company"].append(
            {
                "id": row["account_id"],
                "name": row["account_name"],
                "domain": row["domain"],
                "industry": row["industry"],
                "numberofemployees": row["employee_count"],
                "annualrevenue": row["annual_revenue"],
                "country": row["country"],
                "hs_parent_company_id": row["parent_account_id"],
                "createdate": row["created_at"],
                ATTRIBUTE: traits.get(row["account_id"]),
            }
        )
    for row in files["contacts"]:
        dates = {"lead": "became_lead_at", "marketingqualifiedlead": "became_mql_at", "salesqualifiedlead": "became_sql_at"}
        portal["contact"].append(
            {
                "id": row["contact_id"],
                "associatedcompanyid": row["account_id"],
                "email": row["email"],
                "jobtitle": row["job_title"],
                "hs_analytics_source": row["lead_source"],
                "createdate": row["created_at"],
            }
            | {f"hs_v2_date_entered_{stage}": row[column] for stage, column in dates.items()}
            | {f"hs_lifecyclestage_{stage}_date": row[column] for stage, column in dates.items()}
        )
    for row in files["opportunities"]:
        pipeline, stage = stages[labels.get(row["opportunity_type"], "Sales Pipeline"), row["stage"]]
        rate = rates.get((row["currency_code"], row["closed_at"] and row["closed_at"].date()))
        order = orders.get(row["opportunity_id"], {})
        portal["deal"].append(
            {
                "id": row["opportunity_id"],
                "pipeline": pipeline,
                "dealstage": stage,
                "dealname": row["opportunity_name"],
                "dealtype": DEAL_TYPES[row["opportunity_type"]],
                "amount": row["amount"],
                "deal_currency_code": row["currency_code"],
                "hs_exchange_rate": rate,
                "amount_in_home_currency": row["amount"] and (row["amount"] * (rate or 1)).quantize(CENT),
                "hs_analytics_source": row["lead_source"],
                "createdate": row["created_at"],
                "closedate": row["closed_at"] or row["created_at"] + dt.timedelta(days=900),
                "hs_primary_associated_company": row["account_id"],
                "contract_start": order.get("starts_on"),
                "contract_term_months": order.get("term_months"),
                "companies": [row["account_id"]],
                "line_items": lines[row["opportunity_id"]],
            }
        )
    for row in files["opportunity_stages"]:
        portal["stage_entry"].append({"deal_id": row["opportunity_id"], "stage": row["stage"], "at": row["entered_at"]})
    of_deal = {row["id"]: row["pipeline"] for row in portal["deal"]}
    for row in portal["stage_entry"]:
        row["stage"] = stages[PIPELINES[of_deal[row["deal_id"]]][0], row["stage"]][1]
    for number, row in enumerate(files.get("order_lines", [])):
        portal["line_item"].append(_line_item(number, row))
    for row in files["products"]:
        portal["product"].append({"id": row["product_id"], "name": row["product_name"], "hs_product_type": row["product_type"]})
    for row in files.get("engagements", []):
        record: dict[str, Any] = {"id": row["engagement_id"], "hs_timestamp": row["occurred_at"]}
        record["companies"] = [row["account_id"]] if row["account_id"] else []
        record["contacts"] = [row["contact_id"]] if row["contact_id"] else []
        portal[row["engagement_type"]].append(record | {TITLES[row["engagement_type"]]: row["topic"]})
    for key, (label, steps) in PIPELINES.items():
        portal["pipeline"].append({"id": key, "label": label})
        for stage, name, order, is_closed, probability in steps.values():
            step = {"pipeline": key, "id": stage, "label": name, "order": order, "is_closed": is_closed}
            portal["stage"].append(step | {"probability": probability})
    return portal


def _line_item(number: int, row: Row) -> Row:
    """HubSpot's line item, with the amount and cost of one billing period."""
    months, units = row["term_months"], row["quantity"] or 1
    period = row["billing_months"] or next(size for size in FREQUENCIES if (months or 1) % size == 0)
    count = months // period if months else 1
    written = f"P{months // 12}Y" if months and months % 12 == 0 and number % 2 else f"P{months}M"
    return {
        "id": row["order_line_id"],
        "hs_product_id": row["product_id"],
        "quantity": row["quantity"],
        "amount": row["amount"] / count,
        "hs_cost_of_goods_sold": row["cost"] / (count * units),
        "recurringbillingfrequency": FREQUENCIES[period] if row["line_type"] == "recurring" else None,
        "hs_recurring_billing_period": None if not months else None if number % 5 == 0 else written,
        "hs_term_in_months": months,
        "hs_recurring_billing_start_date": row["starts_on"],
    }


def records(files: Rows, loader: str, rng: np.random.Generator, mess: bool) -> Rows:
    """The portal's records. What the mess adds to the input is added to `files`."""
    portal = portal_of(files)
    for row in [record for rows in portal.values() for record in rows]:
        row["loaded_at"] = LOADED
    if mess:
        add_mess(files, portal, loader, rng)
    return portal


def tables(portal: Rows, loader: str, rng: np.random.Generator, mess: bool) -> list[Table]:
    """The loader's tables of the portal's records."""
    return tables_of(portal, loader, mess)
