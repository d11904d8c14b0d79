"""Orders, order lines and opportunities of a chunk of accounts, in US dollars."""

import numpy as np

from icp_refinery.simulate.accounts import size_factor
from icp_refinery.simulate.catalogue import PLATFORM, PRODUCTS, SEATS
from icp_refinery.simulate.customers import DAY, Columns, add_months, customer_lives, draw_terms, take
from icp_refinery.simulate.files import NO_TIME
from icp_refinery.simulate.world import RATE_SPREAD, TEAM_RATE, YEARLY_RATE, World, between


def draw_orders(rng: np.random.Generator, world: World, traits: Columns, plan: Columns) -> tuple[Columns, Columns, Columns]:
    """Orders, order lines and opportunities; `order`, `deal` and `replaces` are positions in each other."""
    n = plan["born"].size
    first, second = np.flatnonzero(plan["pursued"]), np.flatnonzero(plan["retried"])
    who = np.concatenate([first, second])
    created = np.concatenate([plan["created"][first], plan["again"][second]])
    closed = np.concatenate([plan["closed"][first], plan["again_closed"][second]])
    kind = np.concatenate([plan["kind"][first], plan["again_kind"][second]])
    won = np.concatenate([plan["won"][first], plan["again_won"][second]])
    worth = np.array([behaviour.value for behaviour in world.behaviours])[kind]
    noise = rng.lognormal(-(RATE_SPREAD**2) / 2, RATE_SPREAD, who.size)
    rate = YEARLY_RATE * worth * noise * size_factor(world, traits["employees"][who])
    term = draw_terms(rng, world.behaviours, kind)
    pursuits = {
        "who": who,
        "type": np.zeros(who.size, dtype=np.int64),
        "created": created,
        "closed": closed,
        "won": won,
        "amount": rate * np.maximum(term, 12) / 12,
    }

    at, team = np.flatnonzero(won & (closed <= world.until)), np.flatnonzero(plan["buys"] == 1)
    team_rate = TEAM_RATE * rng.lognormal(-(RATE_SPREAD**2) / 2, RATE_SPREAD, team.size)
    ordinary = np.zeros(team.size, dtype=np.int64)
    orders, lines, deals = customer_lives(
        rng,
        world.behaviours,
        np.concatenate([who[at], team]),
        np.concatenate([kind[at], ordinary]),
        np.concatenate([rate[at], team_rate]),
        np.concatenate([term[at], ordinary + 1]),
        np.concatenate([at, ordinary - 1]),
        np.concatenate([closed[at], plan["first_buy"][team]]),
        world.until,
    )
    later = (orders["deal"] >= 0) & ~orders["is_first"]
    orders["deal"] = orders["deal"] + later * who.size
    orders["status"] = np.zeros(orders["who"].size, dtype=np.int64)
    deals = {name: np.concatenate([pursuits[name], deals[name]]) for name in pursuits}
    cancelled = orders["is_first"] & (orders["deal"] >= 0) & (rng.random(orders["who"].size) < 0.03)
    for status, source in (
        (1, np.flatnonzero((closed > world.until) & (rng.random(who.size) < 0.35))),
        (2, np.flatnonzero(~won & (closed <= world.until) & (rng.random(who.size) < 0.06))),
        (3, orders["deal"][cancelled]),
    ):
        orders, lines = _with_quotes(rng, orders, lines, take(deals, source), source, status)
    single = np.repeat(np.flatnonzero(plan["buys"] == 2), rng.integers(1, 4, n)[plan["buys"] == 2])
    bought = plan["first_buy"][single] + np.where(np.diff(single, prepend=-1) == 0, 1, 0) * between(
        rng, 10 * DAY, 400 * DAY, single.size
    )
    orders, lines = _with_single_orders(rng, orders, lines, single, bought)
    return _sorted(rng, world, orders, lines, deals)


def _more(columns: Columns, size: int, **given) -> Columns:
    """Add rows; what is not given is empty."""
    empty = {"start": NO_TIME, "end": NO_TIME, "terminated": NO_TIME, "replaces": -1, "deal": -1}
    return {
        name: np.concatenate([values, np.broadcast_to(given.get(name, empty.get(name, 0)), size)])
        for name, values in columns.items()
    }


def _with_quotes(
    rng: np.random.Generator, orders: Columns, lines: Columns, deals: Columns, deal: np.ndarray, status: int
) -> tuple[Columns, Columns]:
    """Orders that are open, lost or cancelled, each of two recurring lines over a year."""
    size, start = deal.size, orders["who"].size
    # a cancelled order came before the one that counts and belongs to no opportunity
    closed = deals["closed"] - (3 * 3600 if status == 3 else 0)
    day = closed // DAY
    orders = _more(
        orders,
        size,
        who=deals["who"],
        closed=closed,
        start=day,
        end=add_months(day, np.full(size, 12)) - 1,
        term=12,
        deal=-1 if status == 3 else deal,
        is_contract=True,
        status=status,
    )
    for product in (PLATFORM, SEATS):
        amount = deals["amount"] * PRODUCTS[product].share * rng.uniform(0.9, 1.1, size)
        lines = _more(lines, size, order=start + np.arange(size), product=product, amount=amount, kind=1)
    return orders, lines


def _with_single_orders(
    rng: np.random.Generator, orders: Columns, lines: Columns, who: np.ndarray, closed: np.ndarray
) -> tuple[Columns, Columns]:
    """One-time orders of services by accounts that have no contract."""
    start, size = orders["who"].size, who.size
    orders = _more(orders, size, who=who, closed=closed)
    for product, chance in ((10, 1.0), (11, 0.5), (9, 0.2)):
        at = np.flatnonzero(rng.random(size) < chance)
        amount = 30_000 * PRODUCTS[product].share * rng.lognormal(-0.1, 0.5, at.size)
        lines = _more(lines, at.size, order=start + at, product=product, amount=amount, kind=2)
    return orders, lines


def _sorted(
    rng: np.random.Generator, world: World, orders: Columns, lines: Columns, deals: Columns
) -> tuple[Columns, Columns, Columns]:
    """Orders by `closed`, deals by `created`, lines by order; positions follow. Later orders are dropped."""
    keep = (orders["closed"] <= world.until) | (orders["status"] == 1)
    sequence = np.lexsort([orders["closed"]])
    sequence = sequence[keep[sequence]]
    # one place more than there are rows: position -1, none, stays -1
    place = np.full(keep.size + 1, -1)
    place[sequence] = np.arange(sequence.size)
    deal_sequence = np.lexsort([deals["created"]])
    deal_place = np.full(deal_sequence.size + 1, -1)
    deal_place[deal_sequence] = np.arange(deal_sequence.size)
    orders, deals = take(orders, sequence), take(deals, deal_sequence)
    orders["deal"] = deal_place[orders["deal"]]
    orders["replaces"] = place[orders["replaces"]]

    lines = take(lines, keep[lines["order"]])
    lines["order"] = place[lines["order"]]
    lines = take(lines, np.lexsort([lines["start"], lines["product"], lines["order"]]))

    # some orders come as a total without lines: one-time ones, and every order of a few monthly plans
    count = orders["who"].size
    total = np.bincount(lines["order"], lines["amount"], count)
    single = (orders["term"] == 0) & (orders["start"] == NO_TIME) & (rng.random(count) < 0.12)
    single &= np.bincount(lines["order"], lines["start"] != NO_TIME, count) == 0
    plain = (orders["term"] == 1) & (orders["who"] % 29 == 3)
    orders["has_lines"] = ~((single | plain) & (total > 0))
    return orders, lines, deals
