"""Ugly random companies in the input contract's layout, for comparing two computations of the same marts."""

from __future__ import annotations

import csv
import random
from calendar import monthrange
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

from reference import COLUMNS, add_months

Rows = dict[str, list[dict]]
FIRST_DAY, LAST_DAY = date(2020, 1, 1), date(2024, 6, 30)
TERMS = [1, 1, 2, 3, 5, 6, 12, 12, 12, 12, 13, 24, 36]
# Days from the old contract's end to the new one's start: the window's edges, and both sides of the end.
RENEWAL_DELAYS = [-200, -100, -93, -92, -91, -60, -32, -31, -30, -1, 0, 1, 1, 1, 1, 2, 10, 29, 30, 31, 32, 45, 90]
NAMES = ["Zeta", "alpha", "Éclair", "Suite, large", 'The "Big" One', "alpha", "Zeta Plus", "_core", "Ä", None]


def write_worlds(folder: Path, seed: int, accounts: int = 300, rejects: bool = True, with_orders: bool = True) -> set[str]:
    """Write CSV files of many small companies in one folder; the same seed gives the same bytes.

    Without `rejects` no row is broken on purpose; without `with_orders` there are opportunities only.

    Accounts, orders and products of one company never meet another's, apart from exchange rates. Returns the
    ids of the accounts that are to be excluded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(seed)
    rows: Rows = defaultdict(list)
    _rates(rng, rows)
    excluded: set[str] = set()
    world = 0
    while len(rows["accounts"]) < accounts:
        excluded |= _World(rng, rows, f"w{world:02}", rejects).fill(rng.randint(5, 40))
        world += 1
    if rejects:
        _spoil(rng, rows)
    if not with_orders:
        del rows["orders"]
        rows["order_lines"] = _lines_of_deals(rng, rows["opportunities"])
    for entity, written in rows.items():
        _write(rng, folder / f"{entity}.csv", entity, written, malformed=rejects)
    return excluded


def _lines_of_deals(rng: random.Random, deals: list[dict]) -> list[dict]:
    """One to three lines of some opportunities, named by the one column or the other."""
    lines = []
    for deal in deals:
        for n in range(rng.choice([0, 0, 1, 1, 2, 3]) if deal["opportunity_id"] else 0):
            line = {
                "order_line_id": f"{deal['opportunity_id']}-{n}",
                "product_id": rng.choice(["w00-p0", "w01-p0", "none", None]),
            }
            line |= {rng.choice(["opportunity_id", "order_id"]): deal["opportunity_id"]}
            line |= {
                "amount": rng.choice(["1200", "0", "-30", "99.99"]),
                "line_type": rng.choice(["recurring", "one_time", None]),
            }
            line |= {"term_months": rng.choice([None, "1", "12", "24"])}
            lines.append(line)
    return lines


def _rates(rng: random.Random, rows: Rows) -> None:
    """EUR from the start, GBP from 2021 on (earlier orders have no rate), JPY with many decimals."""
    rates = {
        "EUR": (date(2019, 6, 1), 1.1, 4),
        "gbp": (date(2021, 1, 1), 1.3, 6),
        "JPY": (FIRST_DAY, 0.007, 8),
    }
    for currency, (day, base, digits) in rates.items():
        while day <= LAST_DAY:
            rate = f"{base * rng.uniform(0.8, 1.25):.{digits}f}"
            rows["exchange_rates"].append({"currency_code": currency, "valid_from": str(day), "rate": rate})
            day += timedelta(days=rng.randint(1, 200))


class _World:
    """One company: a few products and accounts whose orders take every turn that the contract knows."""

    def __init__(self, rng: random.Random, rows: Rows, prefix: str, foreign_deals: bool) -> None:
        self.rng, self.rows, self.prefix = rng, rows, prefix
        # Whether a deal has a rate depends on when it closed, and so on what is known of it.
        self.deal_currencies = ["eur", "GBP", "XXX"] if foreign_deals else [None]
        self.lines = 0
        self.products = [f"{prefix}-p{n}" for n in range(rng.choice([1, 2, 3, 5]))]
        for product in self.products:
            rows["products"].append(
                {
                    "product_id": product,
                    "product_name": rng.choice(NAMES),
                    "product_type": rng.choice(["core", "Core", "add_on", "service", None]),
                }
            )
        # What kind of company it is, so that rare turns come in crowds somewhere.
        self.p_explicit = rng.choice([0, 0.1, 0.5])
        self.p_product_renewal = rng.choice([0.5, 0.9])
        self.p_terminated = rng.choice([0, 0.1, 0.4])
        self.p_no_type = rng.choice([0, 0.5, 1])
        self.p_short = rng.choice([0, 0.1, 0.7])
        self.p_foreign = rng.choice([0, 0.3, 0.8])
        self.p_same_day = rng.choice([0, 0.3])
        self.terms = rng.choice([TERMS, TERMS, [1, 1, 1, 2]])
        # Companies whose whole life is a few months, with orders on top of one another.
        days = (LAST_DAY - FIRST_DAY).days
        first = FIRST_DAY + timedelta(days=rng.choice([0, 0, rng.randint(0, days - 150)]))
        self.first, self.last = first, LAST_DAY if first == FIRST_DAY else first + timedelta(days=150)

    def fill(self, count: int) -> set[str]:
        """Write `count` accounts with all that belongs to them; returns those to be excluded."""
        rng = self.rng
        ids = [f"{self.prefix}-a{n}" for n in range(count)]
        if count > 12:
            ids[3], ids[4], ids[5] = f"{self.prefix}-A2", f"{self.prefix}-a 1", f'{self.prefix}-ä,"x"'
        for account in ids:
            merged = rng.choice([*ids, account, "gone"]) if rng.random() < 0.2 else None
            self.rows["accounts"].append(
                {
                    "account_id": account,
                    "merged_into_account_id": merged,
                    "created_at": rng.choice([None, "2020-01-01", "2024-01-01T00:00:00Z"]),
                }
            )
        for first, second, third in [rng.sample(self.rows["accounts"][-count:], 3) for _ in range(count // 10)]:
            first["merged_into_account_id"] = second["account_id"]
            second["merged_into_account_id"] = rng.choice([first, third])["account_id"]
            third["merged_into_account_id"] = rng.choice([None, first["account_id"]])
        for account in ids:
            self.orders(account, rng.choice([0, 1, 1, 2, 3, 4, 6, 9]), ids)
            self.opportunities(account)
            self.marketing(account)
        for n in range(2):
            campaign = {"campaign_id": f"{self.prefix}-c{n}", "started_on": str(self.day()), "ended_on": None}
            self.rows["campaigns"].append(campaign)
        return set(rng.sample(ids, 2)) if rng.random() < 0.3 else set()

    # Days

    def day(self, first: date | None = None, last: date | None = None) -> date:
        """A day, often one on which month arithmetic goes wrong."""
        first, last = first or self.first, last or self.last
        day = first + timedelta(days=self.rng.randint(0, max((last - first).days, 0)))
        length = monthrange(day.year, day.month)[1]
        return self.rng.choice([day, day, day.replace(day=length), day.replace(day=1), _on(day, 30), _on(day, 29)])

    def moment(self, day: date) -> str:
        """A timestamp of that day, UTC, in one of the spellings of ISO 8601."""
        evening = f"{day - timedelta(days=1)}T22:30:00-05:00"
        return self.rng.choice([f"{day}", f"{day}T00:00:00Z", f"{day} 23:59:59.5", f"{day}T12:00:00", evening])

    # Orders

    def orders(self, account: str, count: int, everyone: list[str]) -> None:
        """Orders of one account, each fresh or following an earlier one in one way or another."""
        rng = self.rng
        history: list[dict] = []
        for n in range(count):
            order = {
                "order_id": f"{account}-{rng.choice(['o', 'O', ''])}{n}",
                "account_id": account,
                "order_status": rng.choice(["closed_won"] * 12 + [" Closed_Won", "open", "lost", "cancelled"]),
                "currency_code": None,
                "lines": [],
            }
            if rng.random() < self.p_foreign:
                order["currency_code"] = rng.choice(["EUR", " eur ", "GBP", "JPY", "USD", "usd"])
            if rng.random() < 0.3:
                order["opportunity_id"] = f"{account}-d{rng.randint(0, 2)}"
            old = rng.choice([history[-1], rng.choice(history)]) if history else None
            turn = rng.random()
            if old and turn < self.p_explicit:
                self.replacement(order, old)
            elif old and turn < self.p_explicit + self.p_product_renewal and old["lines"]:
                self.renewal(order, old)
            elif turn > 0.93:
                self.without_lines(order)
            elif turn > 0.87:
                self.ramp(order)
            elif turn > 0.83:
                self.open_ended(order)
            else:
                self.fresh(order, old)
            if history and rng.random() < self.p_same_day:
                order["closed"] = rng.choice(history)["closed"]
                order["closed_at"] = str(order["closed"])
            order.setdefault("closed_at", self.moment(order["closed"]))
            if rng.random() < 0.05:
                others = [o["order_id"] for o in self.rows["orders"][-5:]]
                order["replaces_order_id"] = rng.choice(["nowhere", order["order_id"], *others])
            if rng.random() < self.p_terminated:
                start = order.get("start") or order["closed"]
                stop = start + timedelta(days=rng.choice([-40, -20, -5, -1, 0, 1, 10, 20, 100, 300, 900]))
                order["terminated_on"] = str(max(stop, FIRST_DAY))
            if rng.random() < 0.15:
                self.line(order, -rng.randint(1, 500000) / 100, rng.choice(self.products))
            history.append(order)
        for order in history:
            if rng.random() < 0.03 and len(history) > 1:  # a pair that name one another, or the future
                order["replaces_order_id"] = rng.choice(history)["order_id"]
        for order in history:
            self.rows["order_lines"] += order.pop("lines")
            self.rows["orders"].append(order)

    def closed_near(self, order: dict, start: date) -> None:
        """Signed before the start mostly, sometimes long before, sometimes after."""
        days = self.rng.choice([0, 0, 1, 7, 20, 45, 80, 300, -1, -10, -40])
        closed = min(max(start - timedelta(days=days), FIRST_DAY), LAST_DAY)
        order["closed"] = closed

    def term(self, order: dict, start: date, months: int | None = None) -> date:
        """Give the order a term in one of the ways in which CRMs write it; returns its last day."""
        rng = self.rng
        months = months or rng.choice(self.terms)
        end = add_months(start, months) - timedelta(days=1)
        if months == 1 and rng.random() < self.p_short:
            end = start + timedelta(days=rng.randint(0, 27))
        elif rng.random() < 0.1:
            end += timedelta(days=rng.choice([-5, -1, 1, 1, 5, 20]))
        if end < start:
            end = start
        way = rng.random()
        if way < 0.35 and end == add_months(start, months) - timedelta(days=1):
            order["term_months"] = str(months)
        else:
            order["ends_on"] = str(end)
            if way > 0.8:
                order["term_months"] = str(max(months + rng.choice([0, 0, 0, 1, -1]), 1))
        order["start"], order["end"] = start, end
        if rng.random() < 0.85:
            order["starts_on"] = str(start)
        else:
            order["closed"] = start  # no start: it starts on the day it closed
        return end

    def fresh(self, order: dict, old: dict | None) -> None:
        rng = self.rng
        start = self.day()
        self.closed_near(order, start)
        if rng.random() < 0.2:  # no term at all: transactions, whatever the lines say
            order["closed"] = start
        elif old and old.get("end") and rng.random() < 0.2:  # co-termed with an earlier order
            start = min(self.day(old["start"], old["end"]), old["end"])
            self.closed_near(order, start)
            order |= {"starts_on": str(start), "ends_on": str(old["end"]), "start": start, "end": old["end"]}
        else:
            self.term(order, start)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            product = rng.choice([*self.products, *self.products, "dangling", None])
            line = self.line(order, self.amount(), product)
            if order.get("end") and rng.random() < 0.15:  # a line with dates of its own inside the order's
                line["starts_on"] = str(min(self.day(order["start"], order["end"]), order["end"]))
            elif order.get("end") and rng.random() < 0.1:
                line["ends_on"] = str(order["end"] + timedelta(days=rng.choice([-3, 30, 365])))
                if line["ends_on"] < str(order["start"]):
                    line["ends_on"] = str(order["end"])

    def renewal(self, order: dict, old: dict) -> None:
        """The same products from around the old end, with the term and amounts as they come."""
        rng = self.rng
        base = old.get("end") or old["closed"]
        start = min(base + timedelta(days=rng.choice(RENEWAL_DELAYS)), LAST_DAY + timedelta(days=200))
        start = max(start, FIRST_DAY)
        self.closed_near(order, start)
        order["currency_code"] = old["currency_code"] if rng.random() < 0.8 else order["currency_code"]
        self.term(order, start)
        order["closed"] = min(order["closed"], LAST_DAY)
        for line in old["lines"]:
            if rng.random() < 0.85 and not str(line["amount"]).startswith("-"):
                factor = rng.choice([1, 1, 1, 0.5, 0.5, 2, 2, 1.37, 1.37, 0])
                self.line(order, round(float(line["amount"]) * factor, 4), line["product_id"])
        if not order["lines"] or rng.random() < 0.2:
            self.line(order, self.amount(), rng.choice(self.products))

    def replacement(self, order: dict, old: dict) -> None:
        """Names the old order; from the middle of it, its end, or long after; with other products too."""
        rng = self.rng
        order["replaces_order_id"] = old["order_id"]
        if old.get("end") and rng.random() < 0.7:
            base = rng.choice([old["start"], old["end"], old["end"], self.day(old["start"], old["end"])])
            start = max(base + timedelta(days=rng.choice([0, 1, 1, 5, 20, 30, 31, 100])), FIRST_DAY)
            start = min(start, LAST_DAY + timedelta(days=60))
        else:
            start = self.day()
        self.closed_near(order, start)
        if rng.random() < 0.9:
            self.term(order, start)
        order["closed"] = min(max(order["closed"], old["closed"]), LAST_DAY) if rng.random() < 0.9 else order["closed"]
        if order.get("starts_on") is None and order.get("ends_on"):
            order["starts_on"] = str(start)
        for line in old["lines"]:
            if rng.random() < 0.6:
                self.line(order, self.amount(), line["product_id"])
        if not order["lines"]:
            self.line(order, self.amount(), rng.choice(self.products))

    def ramp(self, order: dict) -> None:
        """One product whose amount changes in steps, each a line with its dates."""
        rng = self.rng
        start = self.day()
        self.closed_near(order, start)
        step, steps = rng.choice([1, 3, 12]), rng.randint(2, 4)
        product = rng.choice(self.products)
        for n in range(steps):
            first, stop = add_months(start, n * step), add_months(start, (n + 1) * step)
            line = self.line(order, self.amount(), product)
            line |= {
                "starts_on": str(first),
                "ends_on": str(stop - timedelta(days=1)),
                "line_type": "recurring",
            }
        if rng.random() < 0.6:
            order["starts_on"] = str(start)
        order["start"], order["end"] = start, add_months(start, steps * step) - timedelta(days=1)
        order["ends_on"] = str(order["end"]) if rng.random() < 0.5 and "starts_on" in order else None

    def open_ended(self, order: dict) -> None:
        """A subscription without an end, billed by the month, the quarter or the year."""
        rng = self.rng
        start = self.day()
        self.closed_near(order, start)
        order |= {"starts_on": str(start), "start": start}
        line = self.line(order, self.amount(), rng.choice(self.products))
        line |= {"line_type": "recurring", "billing_months": rng.choice([None, "1", "3", "12"])}

    def without_lines(self, order: dict) -> None:
        rng = self.rng
        start = self.day()
        self.closed_near(order, start)
        order["amount"] = rng.choice([None, "0", "1200", "-35.5", f"{self.amount():.2f}"])
        if rng.random() < 0.5:
            self.term(order, start)

    def amount(self) -> float:
        rng = self.rng
        fraction = rng.randint(1, 10**9) / 10**4
        return rng.choice([1200, 1200, 100, fraction, *(rng.randint(1, 10**7) / 100 for _ in range(5)), 0])

    def line(self, order: dict, amount: float, product: str | None) -> dict:
        rng = self.rng
        self.lines += 1
        line_type = rng.choice(["recurring", "recurring", "Recurring ", "one_time"])
        line = {
            "order_line_id": f"{self.prefix}-l{rng.randint(0, 9)}-{self.lines}",
            "order_id": order["order_id"],
            "product_id": product,
            "amount": f"{amount:.{rng.choice([2, 4, 4, 6])}f}",
            "cost": f"{amount * rng.uniform(0, 1.5):.4f}" if rng.random() < 0.8 else None,
            "line_type": None if rng.random() < self.p_no_type else line_type,
        }
        order["lines"].append(line)
        return line

    # The rest

    def opportunities(self, account: str) -> None:
        rng = self.rng
        for n in range(rng.randint(0, 3)):
            created = self.day(self.first, self.last - timedelta(days=90))
            is_closed = rng.random() < 0.7
            closed = created + timedelta(days=rng.randint(0, 80)) if is_closed or rng.random() < 0.5 else None
            opportunity = {
                "opportunity_id": f"{account}-d{n}",
                "account_id": account,
                "opportunity_type": rng.choice(["new_business", "Renewal", "expansion", None]),
                "is_closed": rng.choice(["true", "TRUE", "1"]) if is_closed else rng.choice(["false", "0"]),
                "is_won": "true" if is_closed and rng.random() < 0.5 else "false",
                "amount": rng.choice([None, "100", "250.5", "-10", "0"]),
                "currency_code": rng.choice([None, None, *self.deal_currencies]),
                "created_at": self.moment(created),
                "closed_at": self.moment(closed) if closed and rng.random() < 0.95 else None,
            }
            self.rows["opportunities"].append(opportunity)
            if rng.random() < 0.5:
                stage = {"opportunity_id": opportunity["opportunity_id"], "stage": "demo"}
                self.rows["opportunity_stages"].append({**stage, "entered_at": self.moment(created)})
        if rng.random() < 0.3:
            self.rows["engagements"].append(
                {
                    "engagement_id": f"{account}-e",
                    "account_id": account,
                    "engagement_type": "webinar",
                    "occurred_at": self.moment(self.day()),
                }
            )

    def marketing(self, account: str) -> None:
        """What no figure here is made of, but whose rows are counted in the rejects."""
        rng = self.rng
        campaign = rng.choice([f"{self.prefix}-c0", f"{self.prefix}-c1"])
        when = self.moment(self.day())
        self.rows["contacts"].append({"contact_id": f"{account}-k", "account_id": rng.choice([account, None])})
        self.rows["account_external_ids"].append({"account_id": account, "system": "erp", "external_id": "1"})
        self.rows["account_attributes"].append({"account_id": account, "attribute": "plan", "value": "x"})
        whom = rng.choice([{"account_id": account}, {"contact_id": f"{account}-k"}])
        self.rows["campaign_members"].append({"campaign_id": campaign, "added_at": when, **whom})
        if rng.random() < 0.2:
            spend = {"campaign_id": campaign, "spent_on": str(self.day()), "amount": "10.5"}
            self.rows["campaign_spend"].append(spend | {"currency_code": rng.choice([None, "EUR", "GBP", "XXX"])})


def _on(day: date, number: int) -> date:
    return day.replace(day=min(number, monthrange(day.year, day.month)[1]))


def _spoil(rng: random.Random, rows: Rows) -> None:
    """Break a few rows, one rule each, and copy a few, whole or changed."""
    breaks = {
        "accounts": [{"account_id": None}, {"created_at": "yesterday"}, {"created_at": "1066-10-14"}],
        "orders": [
            {"order_id": None},
            {"closed_at": None},
            {"closed_at": "2023-02-30"},
            {"starts_on": "31/12/2023"},
            {"ends_on": "2199-01-01", "term_months": None},
            {"order_status": "won"},
            {"term_months": "0"},
            {"account_id": "nobody"},
            {"currency_code": "XXX"},
            {"starts_on": "2023-05-02", "ends_on": "2023-05-01", "term_months": None},
            {"starts_on": "2023-01-01", "ends_on": "2023-12-31", "term_months": "24"},
        ],
        "order_lines": [
            {"order_line_id": None},
            {"amount": None},
            {"amount": "12.5 EUR"},
            {"cost": "n/a"},
            {"line_type": "monthly"},
            {"order_id": "nothing"},
            {"starts_on": "2023-05-02", "ends_on": "2023-05-01"},
        ],
        "products": [{"product_id": None}, {"product_type": "hardware"}],
        "opportunities": [
            {"is_closed": "maybe"},
            {"is_closed": "false", "is_won": "true"},
            {"account_id": "nobody"},
            {"opportunity_type": "upsell"},
            {"amount": "lots"},
        ],
        "opportunity_stages": [{"opportunity_id": "nothing"}, {"entered_at": ""}],
        "contacts": [{"contact_id": None}, {"account_id": "nobody"}, {"became_mql_at": "never"}],
        "account_external_ids": [{"account_id": "nobody"}, {"system": None}],
        "account_attributes": [{"value": None}, {"known_from": "2101-01-01"}],
        "campaigns": [{"started_on": "2023-02-01", "ended_on": "2023-01-31"}],
        "campaign_members": [
            {"campaign_id": "gone"},
            {"account_id": None, "contact_id": None},
            {"account_id": None, "contact_id": "nobody"},
            {"account_id": "nobody"},
            {"responded": "perhaps"},
        ],
        "campaign_spend": [{"campaign_id": "gone"}, {"amount": "ten"}],
        "exchange_rates": [{"rate": "0"}, {"rate": "-1"}, {"rate": "high"}, {"valid_from": None}],
        "engagements": [
            {"occurred_at": "soon"},
            {"account_id": "nobody"},
            {"account_id": "", "contact_id": "x"},
        ],
    }
    for entity, ways in breaks.items():
        spoiled = rng.sample(rows[entity], min(2 * len(ways), len(rows[entity]) // 8))
        for n, row in enumerate(spoiled):
            if entity == "order_lines" and "starts_on" in ways[n % len(ways)] and "starts_on" in row:
                continue
            row |= ways[n % len(ways)]
        untouched = [row for row in rows[entity] if not any(row is other for other in spoiled)]
        copied = rng.sample(untouched, min(10, len(untouched) // 10))
        for n, row in enumerate(copied):
            copy = dict(row)
            if n % 3 == 0 and entity in ("accounts", "orders", "order_lines", "products", "engagements"):
                column = {"accounts": "industry", "orders": "amount", "products": "product_name"}.get(entity)
                copy[column or ("cost" if entity == "order_lines" else "topic")] = "4711"
            rows[entity].append(copy)


def _write(rng: random.Random, path: Path, entity: str, rows: list[dict], malformed: bool) -> None:
    """Columns and rows in any order, with a column that the contract does not know."""
    names = [column.name for column in COLUMNS[entity] if column.required]
    names += [c.name for c in COLUMNS[entity] if not c.required and any(row.get(c.name) for row in rows)]
    names += ["imported_by"]
    rng.shuffle(names)
    rng.shuffle(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        writer.writerow(names)
        for row in rows:
            writer.writerow(["" if row.get(name) is None else row.get(name) for name in names])
        if malformed:
            writer.writerow(["too", "short"])
            writer.writerow(["x"] * (len(names) + 1))
