"""Companies that are large in one direction, as folders of the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb

Company = dict[str, str]  # entity -> query
# Of each: how to write it, its size in `make test` (all in one company), and its size in `make validate` (one at a time).
Case = tuple[Callable[[int], Company], int, int]


def _accounts(prefix: str, count: int, industry: str = "'Industry ' || hash(number) % 6") -> str:
    return f"select '{prefix}' || number as account_id, {industry} as industry from range({count}) as t (number)"


def _orders(prefix: str, accounts: int, count: int, day: str = "date '2022-01-01' + cast(hash(number) % 700 as integer)") -> str:
    return f"""
        select '{prefix}' || number as order_id, '{prefix}' || number % {accounts} as account_id, 'closed_won' as order_status,
            {day} as closed_at, 100 + number % 900 as amount
        from range({count}) as t (number)
    """


def _deals(prefix: str, accounts: int) -> str:
    return f"""
        select '{prefix}' || number as opportunity_id, '{prefix}' || number as account_id, true as is_closed,
            hash(number) % 3 = 0 as is_won, 1000 + hash(number) % 900 as amount,
            date '2022-01-01' + cast(hash(number, 1) % 700 as integer) as created_at, created_at + 30 as closed_at
        from range({accounts}) as t (number)
    """


def rejects(size: int) -> Company:
    """So many orders of accounts that are not there, beside a thousand good ones."""
    values = "'bad' || number, 'nobody' || number % 1000, 'closed_won', date '2022-01-01', number"
    bad = f"select {values} from range({size}) as t (number)"
    return {"accounts": _accounts("R", 300), "orders": f"{_orders('R', 300, 1000)} union all {bad}"}


def attributes(size: int) -> Company:
    """A thousand accounts with so many attributes each: most texts, some numbers."""
    value = (
        "case when number % 5 = 0 then cast(hash(account, number) % 1000 as varchar) else 'v' || hash(account, number) % 7 end"
    )
    attributes = f"""
        select 'T' || account as account_id, 'trait ' || number as attribute, {value} as value
        from range(1000) as t (account) cross join range({size}) as u (number)
    """
    return {"accounts": _accounts("T", 1000), "opportunities": _deals("T", 1000), "account_attributes": attributes}


def values(size: int) -> Company:
    """So many accounts, each of an industry of its own."""
    return {"accounts": _accounts("V", size, "'Industry ' || number"), "opportunities": _deals("V", size)}


def one_account(size: int) -> Company:
    """So many orders of one account within two years, half of them contracts of a year for the same product."""
    orders = f"select *, case when hash(order_id) % 2 = 0 then 12 end as term_months from ({_orders('O', 1, size)})"
    return {"accounts": _accounts("O", 40), "orders": orders}


def one_month(size: int) -> Company:
    """So many accounts, with two orders each, all within one month."""
    day = "date '2022-02-01' + cast(hash(number) % 27 as integer)"
    return {"accounts": _accounts("M", size), "orders": _orders("M", size, 2 * size, day)}


def long_line(size: int) -> Company:
    """A value of so many characters in a line between good ones."""
    amount = f"repeat('x', {size})"
    line = f"""
        select 'long' as order_id, 'L1' as account_id, 'closed_won' as order_status, date '2022-01-01' as closed_at,
            {amount} as amount
    """
    return {"accounts": _accounts("L", 300), "orders": f"{_orders('L', 300, 1000)} union all by name {line}"}


CASES: dict[str, Case] = {
    "rejects": (rejects, 20_000, 3_000_000),
    "attributes": (attributes, 60, 5_000),
    "values of a trait": (values, 2_000, 200_000),
    "orders of one account": (one_account, 3_000, 500_000),
    "accounts of one month": (one_month, 100, 20_000),
    "characters in a line": (long_line, 20_000_000, 500_000_000),
}


def write_companies(folder: Path, *companies: Company) -> dict[str, int]:
    """Write companies as one, as CSV files; returns the rows by entity."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    with duckdb.connect(config={"threads": 2, "memory_limit": "4GB"}) as session:
        for entity in sorted({entity for company in companies for entity in company}):
            query = " union all by name ".join(f"({company[entity]})" for company in companies if entity in company)
            copied = session.execute(f"copy ({query}) to '{folder / entity}.csv' (format csv)")
            [(counts[entity],)] = copied.fetchall()
    return counts
