"""Folders as HubSpot and Salesforce export them, made from the contract's rows, and the contract's folder that says the same."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

Row = dict[str, str]
World = dict[str, list[Row]]


@dataclass(frozen=True)
class Style:
    """How an export is written: with labels or with API names, what separates its fields, how it writes numbers and times."""

    labels: bool
    delimiter: str = ","
    bom: bool = False
    number: Callable[[str], str] = str
    time: Callable[[dt.datetime], str] = lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    day: Callable[[dt.datetime], str] = lambda moment: moment.strftime("%Y-%m-%d")

    def name(self, header: str) -> str:
        """One of `label|api`."""
        return header.split("|")[0 if self.labels else 1]


def european(text: str) -> str:
    whole, _, fraction = f"{float(text):,.2f}".partition(".")
    return whole.replace(",", ".") + "," + fraction if text else ""


def american(text: str) -> str:
    return f"${float(text):,.2f}" if text else ""


PLAIN_API = Style(labels=False)
EUROPEAN = Style(
    labels=True,
    delimiter=";",
    bom=True,
    number=european,
    time=lambda moment: moment.strftime("%d.%m.%Y %H:%M:%S"),
    day=lambda moment: moment.strftime("%d.%m.%Y"),
)
AMERICAN = Style(
    labels=True,
    number=american,
    time=lambda moment: f"{moment.month}/{moment.day}/{moment.year} {moment.strftime('%I:%M:%S %p').lstrip('0')}",
    day=lambda moment: f"{moment.month}/{moment.day}/{moment.year}",
)
NUMBERS = {"annual_revenue", "amount", "quantity", "employee_count", "rate"}
DAYS = {"starts_on", "ends_on", "started_on", "ended_on", "spent_on"}


def read_world(folder: Path) -> World:
    """The rows of a folder of the contract's CSV files, entity -> rows."""
    return {path.stem: list(csv.DictReader(path.open(encoding="utf-8", newline=""))) for path in folder.glob("*.csv")}


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[str]], style: Style = PLAIN_API) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=style.delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8-sig" if style.bom else "utf-8", newline="")


def _value(row: Row, column: str, style: Style) -> str:
    text = row.get(column, "")
    if text and column in NUMBERS:
        return style.number(text) if column not in {"employee_count", "quantity"} else style.number(text).removeprefix("$")
    if text and column.endswith("_at"):
        return style.time(dt.datetime.fromisoformat(text))
    if text and column in DAYS:
        return style.day(dt.datetime.fromisoformat(text))
    return text


class Exports:
    """A folder of exports and the contract's folder beside it, entity by entity.

    `add(entity, file, rows, columns)` writes both: `columns` is contract's column -> `label|api`, and `texts` turns a value of
    the contract into the export's. `extra` are columns of the export only, `label|api` -> value.
    """

    def __init__(self, base: Path, style: Style) -> None:
        self.folder, self.canonical, self.style = base / "exports", base / "contract", style
        self.folder.mkdir(parents=True)
        self.canonical.mkdir()

    def add(
        self,
        entity: str,
        file: str,
        rows: list[Row],
        columns: dict[str, str],
        texts: dict[str, Callable[[Row], str]] | None = None,
        extra: dict[str, Callable[[Row], str]] | None = None,
        left_out: list[Row] | None = None,
    ) -> None:
        texts, extra = texts or {}, extra or {}

        def exported(row: Row) -> list[str]:
            said = [texts[column](row) if column in texts else _value(row, column, self.style) for column in columns]
            return [*said, *(make(row) for make in extra.values())]

        header = [self.style.name(name) for name in [*columns.values(), *extra]]
        write_csv(self.folder / file, header, map(exported, [*rows, *(left_out or [])]), self.style)
        self.say(entity, rows, list(columns))

    def say(self, entity: str, rows: list[Row], columns: list[str]) -> None:
        """Write the contract's file alone, below what it has already."""
        path = self.canonical / f"{entity}.csv"
        before = list(csv.DictReader(path.open(encoding="utf-8", newline=""))) if path.exists() else []
        names = list(dict.fromkeys([*(before[0] if before else []), *columns]))
        write_csv(path, names, [[row.get(name, "") for name in names] for row in [*before, *rows]])


TYPES = {"new_business": "New Business", "expansion": "Existing Business", "renewal": "Renewal", "": ""}
NOISE = {"Last Modified Date|hs_lastmodifieddate": lambda row: "", "Lifecycle Stage|lifecyclestage": lambda row: "Customer; VIP"}


def hubspot(base: Path, world: World, style: Style) -> Exports:
    """HubSpot's exports of companies, contacts, deals and products."""
    made = Exports(base, style)
    record = "Record ID|hs_object_id"
    associated = "Associated Company IDs|associated_company_ids"
    made.add(
        "accounts",
        "hubspot-crm-exports-all-companies-2025-07-01.csv",
        world["accounts"],
        {
            "account_id": record,
            "account_name": "Company name|name",
            "domain": "Company Domain Name|domain",
            "parent_account_id": "Parent Company ID|hs_parent_company_id",
            "industry": "Industry|industry",
            "employee_count": "Number of Employees|numberofemployees",
            "annual_revenue": "Annual Revenue|annualrevenue",
            "country": "Country/Region|country",
            "created_at": "Create Date|createdate",
        },
        extra=NOISE,
    )
    own = [{"account_id": row["account_id"], "system": "hubspot", "external_id": row["account_id"]} for row in world["accounts"]]
    made.say("account_external_ids", own, ["account_id", "system", "external_id"])
    made.add(
        "contacts",
        "hubspot-crm-exports-all-contacts-2025-07-01.csv",
        world["contacts"],
        {
            "contact_id": record,
            "account_id": associated,
            "email": "Email|email",
            "job_title": "Job Title|jobtitle",
            "lead_source": "Original Traffic Source|hs_analytics_source",
            "created_at": "Create Date|createdate",
            "became_lead_at": "Became a Lead Date|hs_lifecyclestage_lead_date",
            "became_mql_at": "Became a Marketing Qualified Lead Date|hs_lifecyclestage_marketingqualifiedlead_date",
            "became_sql_at": "Became a Sales Qualified Lead Date|hs_lifecyclestage_salesqualifiedlead_date",
        },
        extra={"First Name|firstname": lambda row: "Ada", **NOISE},
    )
    deals = [
        row | {"stage": row["stage"] if row["is_closed"] == "true" else "Qualified To Buy"} for row in world["opportunities"]
    ]
    made.add(
        "opportunities",
        "hubspot-crm-exports-all-deals-2025-07-01.csv",
        deals,
        {
            "opportunity_id": record,
            "account_id": associated,
            "opportunity_name": "Deal Name|dealname",
            "opportunity_type": "Deal Type|dealtype",
            "stage": "Deal Stage|dealstage",
            "amount": "Amount|amount",
            "currency_code": "Currency|deal_currency_code",
            "lead_source": "Original Traffic Source|hs_analytics_source",
            "created_at": "Create Date|createdate",
            "closed_at": "Close Date|closedate",
        },
        texts={
            "opportunity_type": lambda row: TYPES[row["opportunity_type"]],
            "account_id": lambda row: (
                f"{row['account_id']};A0000002" if row["opportunity_id"].endswith("3") else row["account_id"]
            ),
        },
        extra=NOISE,
    )
    (made.canonical / "opportunities.csv").unlink()
    made.say("opportunities", deals, list(world["opportunities"][0]))
    made.add(
        "products",
        "hubspot-crm-exports-all-products-2025-07-01.csv",
        world["products"],
        {"product_id": record, "product_name": "Name|name", "product_family": "Folder|hs_folder_name"},
        extra={"SKU|hs_sku": lambda row: "S-1", "Unit price|price": lambda row: "1.00"},
    )
    made.say("exchange_rates", world["exchange_rates"], list(world["exchange_rates"][0]))
    write_csv(made.folder / "exchange_rates.csv", world["exchange_rates"][0], (row.values() for row in world["exchange_rates"]))
    return made


def salesforce(base: Path, world: World, style: Style) -> Exports:
    """Salesforce's exports of twelve objects: a row that is deleted there is none of the contract."""
    made = Exports(base, style)
    deleted = {"Deleted|IsDeleted": lambda row: "TRUE" if row.get("deleted") else "FALSE"}

    def gone(row: Row, column: str) -> list[Row]:
        return [row | {column: "gone", "deleted": "yes"}]

    def add(entity: str, file: str, rows: list[Row], columns: dict[str, str], texts=None, extra=None, left_out=None) -> None:
        left_out = left_out or gone(rows[0], next(iter(columns)))
        made.add(entity, file, rows, columns, texts, deleted | (extra or {}), left_out)

    accounts = {
        "account_id": "Account ID|Id",
        "account_name": "Account Name|Name",
        "domain": "Website|Website",
        "parent_account_id": "Parent Account ID|ParentId",
        "industry": "Industry|Industry",
        "employee_count": "Employees|NumberOfEmployees",
        "annual_revenue": "Annual Revenue|AnnualRevenue",
        "country": "Billing Country|BillingCountry",
        "created_at": "Created Date|CreatedDate",
    }
    add("accounts", "Account.csv", world["accounts"], accounts)
    own = [
        {"account_id": row["account_id"], "system": "salesforce", "external_id": row["account_id"]} for row in world["accounts"]
    ]
    made.say("account_external_ids", own, ["account_id", "system", "external_id"])
    contacts = {
        "contact_id": "Contact ID|Id",
        "account_id": "Account ID|AccountId",
        "email": "Email|Email",
        "job_title": "Title|Title",
        "lead_source": "Lead Source|LeadSource",
        "created_at": "Created Date|CreatedDate",
    }
    people = world["contacts"]
    add("contacts", "Contact.csv", people[:-10], contacts, extra={"Last Name|LastName": lambda row: "Lovelace"})
    leads = [row | {"account_id": "", "became_lead_at": row["created_at"]} for row in people[-10:]]
    converted = [leads[0] | {"contact_id": "converted", "converted": "yes"}]
    add(
        "contacts",
        "Lead.csv",
        leads,
        {column: name.replace("Contact ID", "Lead ID") for column, name in contacts.items() if column != "account_id"},
        extra={"Converted|IsConverted": lambda row: "1" if row.get("converted") else "0", "Last Name|LastName": lambda row: "H."},
        left_out=converted,
    )
    made.say("contacts", [], ["became_lead_at"])
    leads_said = read_world(made.canonical)["contacts"]
    for row in leads_said[-10:]:
        row["became_lead_at"] = row["created_at"]
    (made.canonical / "contacts.csv").unlink()
    made.say("contacts", leads_said, list(leads_said[0]))
    add(
        "opportunities",
        "Opportunity.csv",
        world["opportunities"],
        {
            "opportunity_id": "Opportunity ID|Id",
            "account_id": "Account ID|AccountId",
            "opportunity_name": "Opportunity Name|Name",
            "opportunity_type": "Type|Type",
            "stage": "Stage|StageName",
            "is_closed": "Closed|IsClosed",
            "is_won": "Won|IsWon",
            "amount": "Amount|Amount",
            "currency_code": "Amount Currency|CurrencyIsoCode",
            "lead_source": "Lead Source|LeadSource",
            "created_at": "Created Date|CreatedDate",
            "closed_at": "Close Date|CloseDate",
        },
        texts={"opportunity_type": lambda row: TYPES[row["opportunity_type"]].replace("New Business", "New Customer")},
        extra={"Fiscal Year|FiscalYear": lambda row: "2025"},
    )
    add(
        "opportunity_stages",
        "OpportunityHistory.csv",
        world["opportunity_stages"],
        {
            "opportunity_id": "Opportunity ID|OpportunityId",
            "stage": "To Stage|StageName",
            "entered_at": "Created Date|CreatedDate",
        },
    )
    statuses = {"closed_won": "Activated", "open": "Draft", "cancelled": "Canceled", "lost": "Canceled"}
    orders = [row | {"order_status": row["order_status"].replace("lost", "cancelled")} for row in world["orders"]]
    add(
        "orders",
        "Order.csv",
        orders,
        {
            "order_id": "Order ID|Id",
            "account_id": "Account ID|AccountId",
            "opportunity_id": "Opportunity ID|OpportunityId",
            "order_status": "Status Category|StatusCode",
            "closed_at": "Activated Date|ActivatedDate",
            "currency_code": "Order Currency|CurrencyIsoCode",
            "amount": "Order Amount|TotalAmount",
            "starts_on": "Order Start Date|EffectiveDate",
            "ends_on": "Order End Date|EndDate",
        },
        texts={"order_status": lambda row: statuses[row["order_status"]]},
        extra={"Order Number|OrderNumber": lambda row: "00000100"},
    )
    add(
        "order_lines",
        "OrderItem.csv",
        world["order_lines"],
        {
            "order_line_id": "Order Product ID|Id",
            "order_id": "Order ID|OrderId",
            "product_id": "Product ID|Product2Id",
            "quantity": "Quantity|Quantity",
            "amount": "Total Price|TotalPrice",
            "starts_on": "Start Date|ServiceDate",
            "ends_on": "End Date|EndDate",
        },
        extra={"Order Product Number|OrderItemNumber": lambda row: "0001"},
    )
    add(
        "products",
        "Product2.csv",
        world["products"],
        {"product_id": "Product ID|Id", "product_name": "Product Name|Name", "product_family": "Product Family|Family"},
        extra={"Product Code|ProductCode": lambda row: "P"},
    )
    cost = {row["campaign_id"]: row for row in world["campaign_spend"]}
    campaigns = [row | {"amount": cost.get(row["campaign_id"], {}).get("amount", "")} for row in world["campaigns"]]
    add(
        "campaigns",
        "Campaign.csv",
        campaigns,
        {
            "campaign_id": "Campaign ID|Id",
            "campaign_name": "Campaign Name|Name",
            "channel": "Type|Type",
            "started_on": "Start Date|StartDate",
            "ended_on": "End Date|EndDate",
        },
        extra={"Actual Cost|ActualCost": lambda row: _value(row, "amount", style)},
    )
    spend = [row | {"spent_on": row["started_on"]} for row in campaigns if row["amount"]]
    made.say("campaign_spend", spend, ["campaign_id", "spent_on", "amount"])
    members = [row for row in world["campaign_members"] if row["contact_id"]]
    add(
        "campaign_members",
        "CampaignMember.csv",
        members,
        {
            "campaign_id": "Campaign ID|CampaignId",
            "contact_id": "Contact ID|ContactId",
            "added_at": "Created Date|CreatedDate",
            "responded": "Responded|HasResponded",
        },
        extra={"Lead ID|LeadId": lambda row: "00Q"},
    )
    rates = [row | {"rate": "1.25"} for row in world["exchange_rates"]]
    write_csv(
        made.folder / "DatedConversionRate.csv",
        ["Id", "IsoCode", "StartDate", "ConversionRate"],
        [(str(n), row["currency_code"], row["valid_from"], "0.8") for n, row in enumerate(rates)],
    )
    made.say("exchange_rates", rates, list(rates[0]))
    return made
