"""The lives of simulated customers: contracts, renewals, expansions, credits and churn.

All arrays run over customers, orders or lines; days count from 1970-01-01, moments are seconds from then,
money is US dollars as float and rounded only when it is written.
"""

from collections import defaultdict
from functools import cache
from typing import NamedTuple

import numpy as np

from icp_refinery.simulate.catalogue import (
    ADD_ONS,
    ADVISORY,
    MIGRATION,
    ONBOARDING,
    PLATFORM,
    PRODUCTS,
    SEATS,
    TEAM,
    TRAINING,
)
from icp_refinery.simulate.files import NO_TIME as NONE

DAY = 86_400

TERMS = np.array([1, 12, 24, 36])
HORIZON_DAYS = 730  # the 24 months in which a win's value is counted
TRUTH_LIVES = 40_000

Columns = dict[str, np.ndarray]


class Behaviour(NamedTuple):
    """How a kind of account buys.

    `win`: chance that a pursuit is won. `value`: factor on the yearly rate. `terms`: shares of `TERMS` among
    first contracts. `add_on`, `service`: chance that the first order has any. `retention`: chance that a
    contract is renewed. `expansion`: chance per contract year of more seats or an add-on. `cycle_days`:
    median days from the pursuit's start to its close.
    """

    win: float
    value: float
    terms: tuple[float, float, float, float]
    add_on: float
    service: float
    retention: float
    expansion: float
    cycle_days: float


def add_months(day: np.ndarray, months: np.ndarray) -> np.ndarray:
    """The same day of the month `months` later, or that month's last day where it is shorter."""
    date = day.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    target = month + months.astype("timedelta64[M]")
    first = target.astype("datetime64[D]").astype(np.int64)
    last = (target + np.timedelta64(1, "M")).astype("datetime64[D]").astype(np.int64) - 1
    return np.minimum(first + (date - month.astype("datetime64[D]")).astype(np.int64), last)


def draw_terms(rng: np.random.Generator, behaviours: tuple[Behaviour, ...], kind: np.ndarray) -> np.ndarray:
    """The term in months of each customer's first contract."""
    edges = np.cumsum([behaviour.terms for behaviour in behaviours], axis=1)[kind]
    return TERMS[(rng.random(kind.size)[:, None] > edges[:, :3]).sum(axis=1)]


def office_time(rng: np.random.Generator, day: np.ndarray) -> np.ndarray:
    """A moment between 8 and 18 o'clock of each day."""
    return day * DAY + rng.integers(8 * 3600, 18 * 3600, day.size)


@cache
def expected_value(behaviours: tuple[Behaviour, ...]) -> np.ndarray:
    """What a win brings within `HORIZON_DAYS`, per dollar of its yearly rate, for each behaviour.

    It is the mean over `TRUTH_LIVES` lives of that behaviour with no end of the window, so it holds
    whatever the lives contain. Its standard error is below one percent.
    """
    values = []
    for behaviour in behaviours:
        rng = np.random.default_rng(TRUTH_LIVES)
        kind = np.zeros(TRUTH_LIVES, dtype=np.int64)
        terms = draw_terms(rng, (behaviour,), kind)
        rate = np.full(TRUTH_LIVES, 100_000.0)
        _, lines, _ = customer_lives(rng, (behaviour,), kind, kind, rate, terms, kind, kind, until=HORIZON_DAYS * DAY)
        values.append(lines["amount"].sum() / rate.sum())
    return np.array(values)


def customer_lives(
    rng: np.random.Generator,
    behaviours: tuple[Behaviour, ...],
    who: np.ndarray,
    kind: np.ndarray,
    rate: np.ndarray,
    term: np.ndarray,
    deal: np.ndarray,
    closed: np.ndarray,
    until: int,
) -> tuple[Columns, Columns, Columns]:
    """Everything that customers order from their first order to `until`.

    Parameters
    ----------
    who : (n,) int, passed through to say whose the rows are.
    kind : (n,) int, position in `behaviours`.
    rate : (n,) yearly price of the core product.
    term : (n,) months of the first contract; a term of 1 is the monthly plan.
    deal : (n,) int, passed through on the first order (the opportunity that it comes from).
    closed : (n,) moment of the first order.
    until : moment after which nothing is recorded.

    Returns
    -------
    orders, lines, deals: columns. `lines["order"]` is a position in orders, `orders["replaces"]` too, and
    `orders["deal"]` one in deals (-1: none), but for a first order, where it is the `deal` passed in.
    Deals are the renewal and expansion opportunities; those that close after `until` are open.
    """
    table = {name: np.array([getattr(b, name) for b in behaviours]) for name in Behaviour._fields}
    book = _Book(rng, table, until, defaultdict(list), defaultdict(list), defaultdict(list))
    n = who.size
    extras = (rng.random((n, ADD_ONS.size)) < 0.35).astype(np.int64)
    extras[np.arange(n), rng.integers(0, ADD_ONS.size, n)] = 1
    # who starts on the monthly plan without a pursuit picks add-ons freely: no trait decides it
    extras *= (rng.random(n) < np.where(deal < 0, 0.85, table["add_on"][kind]))[:, None]
    day = closed // DAY
    style = rng.random(n)
    soon = day + rng.integers(1, 21, n)
    start = np.select([(style < 0.35) | (term == 1), style < 0.65], [day, soon], _next_month(day))
    state = {
        "who": who,
        "kind": kind,
        "rate": rate.astype(float),
        "term": term,
        "extras": extras,
        "closed": closed,
        "start": start,
        "replaces": np.full(n, -1),
        "deal": deal,
        "cycle": np.zeros(n, dtype=np.int64),
    }
    while True:
        state = _one_contract(book, state)
        if not state["who"].size:
            break
    tables = (book.orders, book.lines, book.deals)
    return tuple({name: np.concatenate(parts) for name, parts in rows.items()} for rows in tables)


class _Book(NamedTuple):
    """What the functions below share: the random stream, the behaviours and the rows written so far."""

    rng: np.random.Generator
    table: Columns
    until: int
    orders: dict[str, list[np.ndarray]]
    lines: dict[str, list[np.ndarray]]
    deals: dict[str, list[np.ndarray]]


def _next_month(day: np.ndarray) -> np.ndarray:
    """The first day of the following month."""
    month = day.astype("datetime64[D]").astype("datetime64[M]") + np.timedelta64(1, "M")
    return month.astype("datetime64[D]").astype(np.int64)


def _append(rows: dict[str, list[np.ndarray]], size: int, **columns) -> np.ndarray:
    """Add `size` rows; a single value counts for all of them. Returns their positions."""
    start = sum(part.size for part in rows[next(iter(columns))])
    for name, values in columns.items():
        rows[name].append(np.broadcast_to(np.asarray(values), size).copy())
    return np.arange(start, start + size)


def take(columns: Columns, rows: np.ndarray) -> Columns:
    return {name: values[rows] for name, values in columns.items()}


def _add_orders(book: _Book, state: Columns, closed: np.ndarray, **columns) -> np.ndarray:
    """Add one order per row of `state`; what is not given is missing."""
    blank = {"start": NONE, "end": NONE, "term": 0, "terminated": NONE, "replaces": -1, "deal": -1}
    given = {"is_contract": False, "is_first": False} | columns
    return _append(book.orders, closed.size, who=state["who"], closed=closed, **(blank | given))


def _add_lines(book: _Book, order: np.ndarray, product: np.ndarray | int, amount: np.ndarray, **columns) -> None:
    """Add one line per order; `kind` is 1 for recurring and 2 for one-time."""
    dates = {"start": NONE, "end": NONE}
    _append(book.lines, order.size, order=order, product=product, amount=amount, **(dates | columns))


def _one_contract(book: _Book, state: Columns) -> Columns:
    """Write each customer's contract and what happens during it; return those who sign another one."""
    rng, n = book.rng, state["who"].size
    months, start = state["term"], state["start"]
    end = add_months(start, months) - 1
    length = end - start + 1
    quits = (months >= 12) & (rng.random(n) < 0.03 * months / 12)
    last_day = np.where(quits, start + (rng.uniform(0.3, 0.9, n) * length).astype(np.int64), end)
    recorded = quits & ((last_day + 1) * DAY <= book.until)
    order = _add_orders(
        book,
        state,
        state["closed"],
        start=start,
        end=end,
        term=months,
        terminated=np.where(recorded, last_day, NONE),
        replaces=state["replaces"],
        deal=state["deal"],
        is_contract=True,
        is_first=state["cycle"] == 0,
    )
    _contract_lines(book, state, order, start, months)
    rate, extras = _during_contract(book, state, end, last_day)
    stays = ~quits & (rng.random(n) < _renewal_rate(book, state))
    returns = ~stays & (months >= 12) & (rng.random(n) < 0.12)
    lost = ~stays & ~returns & ~quits & (months >= 12) & (rng.random(n) < 0.6)
    _add_deals(book, take(state, lost), end[lost] + rng.integers(-20, 15, lost.sum()), True, won=False)
    state = state | {"rate": rate, "extras": extras, "cycle": state["cycle"] + 1}
    return _next_contract(book, take(state | {"order": order, "end": end, "back": returns}, stays | returns))


def _renewal_rate(book: _Book, state: Columns) -> np.ndarray:
    """Chance of renewing; on the monthly plan its eighth root, as there are many more occasions."""
    retention = book.table["retention"][state["kind"]]
    return np.where(state["term"] == 1, retention ** (1 / 8), retention)


def _contract_lines(book: _Book, state: Columns, order: np.ndarray, start: np.ndarray, months: np.ndarray) -> None:
    """Core product, add-ons, services with the first contract, sometimes a discount as a negative line."""
    rng, n = book.rng, order.size
    years = months / 12 * np.select([months == 24, months == 36], [0.95, 0.90], 1.0)
    full = state["rate"] * years
    team = months == 1
    ramp = (months >= 24) & (state["cycle"] == 0) & (rng.random(n) < 0.2)
    _add_lines(book, order[team], TEAM, full[team] * PRODUCTS[TEAM].share, kind=1)
    _add_lines(book, order[~team], PLATFORM, full[~team] * PRODUCTS[PLATFORM].share, kind=1)
    flat = ~team & ~ramp
    _add_lines(book, order[flat], SEATS, full[flat] * PRODUCTS[SEATS].share, kind=1)
    for year in range(3):
        at = ramp & (months > 12 * year)
        part = (0.75, 1.0, 1.25)[year] * 12 / months[at]
        begin = add_months(start[at], np.full(at.sum(), 12 * year))
        finish = add_months(start[at], np.full(at.sum(), 12 * year + 12)) - 1
        amount = full[at] * PRODUCTS[SEATS].share * part
        _add_lines(book, order[at], SEATS, amount, kind=1, start=begin, end=finish)
    for place, product in enumerate(ADD_ONS):
        at = state["extras"][:, place] == 1
        _add_lines(book, order[at], product, full[at] * PRODUCTS[product].share, kind=1)
    wants = rng.random(n) < np.where(state["cycle"] == 0, book.table["service"][state["kind"]], 0.06 * ~team)
    for product, chance in ((ONBOARDING, 0.8), (MIGRATION, 0.3), (ADVISORY, 0.3)):
        at = wants & (rng.random(n) < chance)
        amount = state["rate"][at] * PRODUCTS[product].share * rng.uniform(0.7, 1.3, at.sum())
        _add_lines(book, order[at], product, amount, kind=2)
    at = ~team & (rng.random(n) < 0.03)
    _add_lines(book, order[at], -1, -0.05 * full[at], kind=2)


def _during_contract(book: _Book, state: Columns, end: np.ndarray, last_day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expansions, one-time orders and credits; returns yearly rate and add-ons at the contract's end."""
    rng, n = book.rng, end.size
    rate, extras = state["rate"].copy(), state["extras"].copy()
    yearly = state["term"] >= 12
    for year in range(3):
        within = state["term"] >= 12 * (year + 1)
        day = state["start"] + 365 * year + rng.integers(20, 250, n)
        closed = office_time(rng, day)
        happens = within & (rng.random(n) < book.table["expansion"][state["kind"]])
        # more than 92 days before the end: nearer to it, more seats would read as a renewal
        happens &= (day < np.minimum(end - 100, last_day)) & (closed <= book.until)
        adds = happens & (rng.random(n) < 0.4)
        product = np.where(adds, ADD_ONS[rng.integers(0, ADD_ONS.size, n)], SEATS)
        held = adds & (extras[np.arange(n), np.maximum(product - ADD_ONS[0], 0)] == 1)
        product = np.where(held, SEATS, product)
        growth = np.where(product == SEATS, rng.uniform(0.1, 0.4, n), 1.0)
        share = np.array([item.share for item in PRODUCTS])[product]
        at = np.flatnonzero(happens)
        _expand(book, take(state, at), closed[at], end[at], product[at], (rate * share * growth)[at])
        more = at[product[at] == SEATS]
        rate[more] *= 1 + PRODUCTS[SEATS].share * growth[more]
        new = at[product[at] != SEATS]
        extras[new, product[new] - ADD_ONS[0]] = 1
        missed = yearly & within & (rng.random(n) < 0.06)
        _add_deals(book, take(state, missed), day[missed] + 40, is_renewal=False, won=False)

        day = state["start"] + 365 * year + rng.integers(5, 350, n)
        closed = office_time(rng, day)
        happens = within & (rng.random(n) < 0.5) & (day < last_day) & (closed <= book.until)
        at = np.flatnonzero(happens)
        order = _add_orders(book, take(state, at), closed[at])
        for product, chance in ((TRAINING, 1.0), (ADVISORY, 0.6), (MIGRATION, 0.3)):
            some = rng.random(at.size) < chance
            amount = rate[at][some] * PRODUCTS[product].share * rng.lognormal(-0.1, 0.5, some.sum())
            _add_lines(book, order[some], product, amount, kind=2)

        day = state["start"] + 365 * year + rng.integers(30, 300, n)
        closed = office_time(rng, day)
        happens = within & (rng.random(n) < 0.04) & (day < last_day) & (closed <= book.until)
        at = np.flatnonzero(happens)
        order = _add_orders(book, take(state, at), closed[at])
        amount = -rate[at] * rng.uniform(0.02, 0.1, at.size)
        _add_lines(book, order, np.where(rng.random(at.size) < 0.5, -1, PLATFORM), amount, kind=2)
    return rate, extras


def _expand(book: _Book, state: Columns, closed: np.ndarray, end: np.ndarray, product: np.ndarray, yearly: np.ndarray) -> None:
    """One order of one recurring line that ends with the contract: more seats, or an add-on."""
    day = closed // DAY
    amount = yearly * (end - day + 1) / 365.25
    deal = _add_deals(book, state, closed, is_renewal=False, won=True, chance=0.6)
    on_line = book.rng.random(day.size) < 0.5
    order = _add_orders(book, state, closed, start=np.where(on_line, NONE, day), end=np.where(on_line, NONE, end), deal=deal)
    begin, finish = np.where(on_line, day, NONE), np.where(on_line, end, NONE)
    _add_lines(book, order, product, amount, kind=1, start=begin, end=finish)


def _add_deals(book: _Book, state: Columns, closed: np.ndarray, is_renewal: bool, won: bool, chance: float = 1.0) -> np.ndarray:
    """Add renewal or expansion opportunities with a chance; lost ones give their day, won ones their moment.

    Returns the position of each customer's deal, -1 where there is none.
    """
    rng, n = book.rng, closed.size
    closed = closed if won else office_time(rng, closed)
    created = closed - rng.integers(25 * DAY, 90 * DAY, n)
    at = np.flatnonzero((rng.random(n) < chance) & (created <= book.until))
    years = np.maximum(state["term"][at] / 12, 1)
    position = np.full(n, -1)
    position[at] = _append(
        book.deals,
        at.size,
        who=state["who"][at],
        type=2 if is_renewal else 1,
        created=created[at],
        closed=closed[at],
        won=won,
        amount=state["rate"][at] * (1.1 * years if is_renewal else 0.2),
    )
    return position


def _next_contract(book: _Book, state: Columns) -> Columns:
    """When and how those who stay (or come back) sign again; drops what closes after `until`."""
    rng, n = book.rng, state["who"].size
    monthly = state["term"] == 1
    style = np.where(monthly, 0.0, rng.random(n))
    late = rng.random(n) < 0.02
    shift = np.select(
        [state["back"], monthly & late, style < 0.72, style < 0.85, style < 0.95],
        [
            rng.integers(90, 300, n),
            rng.integers(3, 12, n),
            0,
            -rng.integers(15, 80, n),
            rng.integers(4, 27, n),
        ],
        rng.integers(40, 80, n),
    )
    start = state["end"] + 1 + shift
    ahead = np.where(monthly, 0, np.where(shift < 0, rng.integers(0, 10, n), rng.integers(0, 35, n)))
    # a late renewal is signed after the old contract has ended
    ahead = np.where(shift > 0, np.minimum(ahead, shift - 1), ahead)
    closed = office_time(rng, start - ahead)

    change = rng.random(n)
    grows, shrinks = change < np.where(monthly, 0.04, 0.18), change > np.where(monthly, 0.97, 0.86)
    drops = shrinks & (rng.random(n) < 0.5) & (state["extras"].sum(axis=1) > 0)
    factor = np.where(monthly, 1.0, 1.03) * np.where(grows, rng.uniform(1.1, 1.4, n), 1.0)
    factor = factor * np.where(shrinks & ~drops, rng.uniform(0.6, 0.9, n), 1.0)
    term = np.where(~monthly & (rng.random(n) < 0.12), TERMS[1:][rng.integers(0, 3, n)], state["term"])
    names = np.where(rng.random(n) < np.where(monthly, 0.05, 0.35), state["order"], -1)
    wins_deal = np.where(monthly, 0.0, 0.55)
    state = state | {"rate": state["rate"] * factor, "term": term}
    deal = np.full(n, -1)
    for back in (False, True):
        some = np.flatnonzero((state["back"] == back) & (rng.random(n) < wins_deal))
        deal[some] = _add_deals(book, take(state, some), closed[some], is_renewal=not back, won=True)
    state |= {
        "extras": state["extras"] * ~drops[:, None],
        "closed": closed,
        "start": start,
        "replaces": np.where(state["back"], -1, names),
        "deal": deal,
    }
    names = ("who", "kind", "rate", "term", "extras", "closed", "start", "replaces", "deal", "cycle")
    return take({name: state[name] for name in names}, closed <= book.until)
