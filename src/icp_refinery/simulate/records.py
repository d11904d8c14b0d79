"""From simulated accounts and sales to the rows of the input contract."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from icp_refinery.simulate.accounts import size_factor
from icp_refinery.simulate.catalogue import PRODUCTS, UNIT_PRICE
from icp_refinery.simulate.customers import DAY, Columns, add_months
from icp_refinery.simulate.files import NO_TIME, RATE, days, keys, moments, money, picks, table, whole
from icp_refinery.simulate.words import COUNTRIES, FAMILY, GIVEN, INDUSTRIES, TITLES, company_names
from icp_refinery.simulate.world import (
    ATTRIBUTES,
    BRAND_PER_ACCOUNT,
    CHANNELS,
    CURRENCIES,
    ENGAGEMENTS,
    LAST_DAY,
    OTHER,
    SEGMENTS,
    SOURCE_SHARES,
    SOURCES,
    STAGES,
    STATUSES,
    TOPICS,
    TYPES,
    USUAL_RATE,
    YEARLY_RATE,
    World,
    between,
    draw,
    stream,
)


def order_tables(
    rng: np.random.Generator,
    world: World,
    account: np.ndarray,
    traits: Columns,
    orders: Columns,
    lines: Columns,
    deals: Columns,
    made: dict[str, int],
) -> dict[str, pa.Table]:
    """Opportunities, their stages, orders and order lines, in the currency of the account."""
    count = orders["who"].size
    currency = traits["currency"][orders["who"]]
    order, product = lines["order"], lines["product"]
    cents = np.round(lines["amount"] * 100 / USUAL_RATE[currency[order]]).astype(np.int64)
    # sums of whole numbers: exact, whatever the order of addition
    total = np.bincount(order, cents, count).astype(np.int64)
    order_id = keys("O", made.get("orders", 0) + 1 + np.arange(count), 8)
    deal_id = keys("D", made.get("opportunities", 0) + 1 + np.arange(deals["who"].size))

    # dates are often incomplete: each contract keeps enough of start, end and term to be resolved
    style = np.where(orders["is_contract"], rng.random(count), 0.0)
    closed_day = orders["closed"] // DAY
    no_start = (style > 0.9) & (orders["start"] == closed_day)
    starts = np.where(no_start, NO_TIME, orders["start"])
    ends = np.where((style > 0.6) & (style < 0.75), NO_TIME, orders["end"])
    terms = (orders["term"] > 0) & ~((style > 0.75) & (style < 0.9))
    currency_known = (currency > 0) | (rng.random(count) < 0.8)
    total_known = ~orders["has_lines"] | (rng.random(count) < 0.8)
    order_table = table(
        "orders",
        [
            order_id,
            keys("A", account[orders["who"]]),
            deal_id.take(pa.array(orders["deal"], mask=orders["deal"] < 0)),
            picks(list(STATUSES), orders["status"]),
            moments(orders["closed"]),
            picks(list(CURRENCIES), np.where(currency_known, currency, -1)),
            money(total, total_known),
            days(starts),
            days(ends),
            whole(orders["term"], terms),
            days(orders["terminated"]),
            order_id.take(pa.array(orders["replaces"], mask=orders["replaces"] < 0)),
        ],
    )

    stated = rng.random(count) < 0.8
    kept = orders["has_lines"][order]
    order, product, cents = order[kept], product[kept], cents[kept]
    kind, start, end = (lines[name][kept] for name in ("kind", "start", "end"))
    number = np.arange(order.size) - np.searchsorted(order, order) + 1
    span = np.where(start != NO_TIME, end - start, orders["end"][order] - orders["start"][order]) + 1
    years = np.where(kind == 1, span / 365.25, 1.0)
    price = np.where(product >= 0, UNIT_PRICE[product], 0)
    units = cents * USUAL_RATE[currency[order]] / 100 / years / np.maximum(price, 1)
    quantity = np.where(price > 0, np.maximum(np.round(units), 1), 1)
    ratio = np.array([item.cost for item in PRODUCTS])[product] * rng.uniform(0.85, 1.15, order.size)
    line_table = table(
        "order_lines",
        [
            pc.binary_join_element_wise(order_id.take(pa.array(order)), whole(number).cast(pa.string()), "-"),
            order_id.take(pa.array(order)),
            picks([item.product_id for item in PRODUCTS], product),
            whole(quantity),
            money(cents),
            money(np.round(np.maximum(cents, 0) * ratio)),
            picks(["", "recurring", "one_time"], np.where(stated[order], kind, -1)),
            days(start),
            days(end),
        ],
    )
    value = np.round(deals["amount"] * rng.uniform(0.7, 1.3, deals["who"].size), -2)
    value = np.round(value * 100 / USUAL_RATE[traits["currency"][deals["who"]]]).astype(np.int64)
    agreed = np.flatnonzero((orders["deal"] >= 0) & (orders["status"] == 0))
    value[orders["deal"][agreed]] = total[agreed]
    opportunities = _opportunity_tables(rng, world, account, traits, deals, deal_id, value)
    return opportunities | {"orders": order_table, "order_lines": line_table}


def _opportunity_tables(
    rng: np.random.Generator,
    world: World,
    account: np.ndarray,
    traits: Columns,
    deals: Columns,
    deal_id: pa.Array,
    value: np.ndarray,
) -> dict[str, pa.Table]:
    """Opportunities and the history of their stages."""
    n, created, closed = deals["who"].size, deals["created"], deals["closed"]
    is_closed = closed <= world.until
    is_won = deals["won"] & is_closed
    is_new = deals["type"] == 0
    # renewals and expansions start at the proposal; a lost pursuit stops at any stage
    steps = np.sort(rng.random((n, 4)) * 0.95, axis=1)
    steps[:, 0] = 0
    steps[~is_new] = np.column_stack([np.full((n, 2), np.nan), np.zeros(n), steps[:, 3]])[~is_new]
    with np.errstate(invalid="ignore"):
        entered = created[:, None] + np.nan_to_num(steps * (closed - created)[:, None], nan=-1).astype(np.int64)
    reached = np.where(is_closed & ~is_won, np.where(is_new, rng.integers(1, 5, n), rng.integers(3, 5, n)), 4)
    present = ~np.isnan(steps) & (np.arange(4) < reached[:, None]) & (entered <= world.until)
    last = np.where(present, np.arange(4), 0).max(axis=1)
    stage = np.where(is_closed, np.where(is_won, 4, 5), last)
    at = np.column_stack([entered, closed])
    present = np.column_stack([present, is_closed])
    row, column = np.nonzero(present)
    name = np.where(column == 4, stage[row], column)

    style = rng.random(n)
    stale = np.maximum(world.until - between(rng, DAY, 20 * DAY, n), created)
    expected = np.where(style < 0.6, closed, np.where(style < 0.7, stale, NO_TIME))
    known = is_won | (rng.random(n) < np.where(is_closed, 0.95, 0.85))
    label = pa.array(created, pa.timestamp("s")).cast(pa.string())
    month = pc.utf8_slice_codeunits(label, 0, 7)
    title = picks(["New business", "Expansion", "Renewal"], deals["type"])
    who = deals["who"]
    return {
        "opportunities": table(
            "opportunities",
            [
                deal_id,
                keys("A", account[who]),
                pc.binary_join_element_wise(title, month, " "),
                picks(list(TYPES), deals["type"]),
                picks(list(STAGES), stage),
                pa.array(is_closed),
                pa.array(is_won),
                money(value, known),
                picks(list(CURRENCIES), traits["currency"][who]),
                picks(list(SOURCES), np.where(is_new, traits["source"][who], -1)),
                moments(created),
                moments(np.where(is_closed, closed, expected)),
            ],
        ),
        "opportunity_stages": table(
            "opportunity_stages",
            [
                deal_id.take(pa.array(row)),
                picks(list(STAGES), name),
                whole(np.minimum(name, 4) + 1),
                moments(at[row, column]),
            ],
        ),
    }


def account_table(rng: np.random.Generator, account: np.ndarray, traits: Columns, plan: Columns) -> pa.Table:
    n = account.size
    name, domain = company_names(account, traits["industry"], traits["country"])
    countries = list(COUNTRIES)
    parent = np.where((rng.random(n) < 0.05) & (np.arange(n) > 50), account - rng.integers(1, 50, n), -1)
    return table(
        "accounts",
        [
            keys("A", account),
            pa.array(name, pa.string()),
            pa.array(domain, pa.string()),
            keys("A", parent),
            pa.nulls(n, pa.string()),
            picks(list(INDUSTRIES), traits["industry"]),
            whole(traits["employees"]),
            money(traits["revenue"], rng.random(n) < 0.9),
            picks(countries, traits["country"]),
            picks([COUNTRIES[code][0] for code in countries], traits["country"]),
            moments(plan["born"]),
        ],
    )


def external_table(rng: np.random.Generator, account: np.ndarray) -> pa.Table:
    """Record ids in other systems: most accounts are in HubSpot, a few twice, some in Salesforce."""
    draws = rng.random((account.size, 3)) < (0.85, 0.01, 0.15)
    draws[:, 1] &= draws[:, 0]
    row, system = np.nonzero(draws)
    record = 5_000_000_000 + account[row] * 173 + system * 61
    return table(
        "account_external_ids",
        [keys("A", account[row]), picks(["hubspot", "hubspot", "salesforce"], system), keys("", record, 10)],
    )


def attribute_table(rng: np.random.Generator, world: World, account: np.ndarray, plan: Columns, orders: Columns) -> pa.Table:
    """Further traits. None has an effect; `billing_tier` exists only where something was sold."""
    n = account.size
    is_customer = np.zeros(n, dtype=bool)
    is_customer[orders["who"][orders["status"] == 0]] = True
    filled = np.column_stack([rng.random((n, 3)) < (0.7, 0.6, 0.5), is_customer & (rng.random(n) < 0.9)])
    row, attribute = np.nonzero(filled)
    sizes = np.array([len(values) for values in ATTRIBUTES.values()])
    starts = np.cumsum(sizes) - sizes
    value = starts[attribute] + (rng.random(row.size) * sizes[attribute]).astype(np.int64)
    dated = rng.random(row.size) < np.array([0.5, 0.0, 1.0, 0.0])[attribute]
    # mostly known from the start, sometimes only later
    learned = plan["born"][row] + np.where(rng.random(row.size) < 0.7, 0, 1) * between(
        rng, 0, world.until - plan["born"][row], row.size
    )
    return table(
        "account_attributes",
        [
            keys("A", account[row]),
            picks(list(ATTRIBUTES), attribute),
            picks([value for values in ATTRIBUTES.values() for value in values], value),
            moments(np.where(dated, learned, NO_TIME)),
        ],
    )


def contact_table(rng: np.random.Generator, world: World, account: np.ndarray, traits: Columns, plan: Columns) -> pa.Table:
    """One to four contacts per account, the first of them qualifying, and a few leads without an account."""
    n = account.size
    size = 1 + rng.binomial(3, 0.28, n)
    strays = np.flatnonzero(rng.random(n) < 0.04)
    who = np.concatenate([np.repeat(np.arange(n), size), strays])
    rank = np.concatenate([np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size), np.full(strays.size, 8)])
    sequence = np.lexsort([rank, who])
    who, rank = who[sequence], rank[sequence]
    is_first, is_stray, m = rank == 0, rank == 8, who.size

    shares = np.array(list(TITLES.values()))
    group = np.zeros(len(INDUSTRIES), dtype=np.int64)
    group[[list(INDUSTRIES).index(name) for name in ("Financial Services", "Government", "Education")]] = [
        1,
        2,
        2,
    ]
    title = np.choose(group[traits["industry"][who]], [draw(rng, shares[:, k], m) for k in range(3)])
    source = np.where(is_first | (rng.random(m) < 0.7), traits["source"][who], draw(rng, SOURCE_SHARES, m))
    created = np.where(is_first, plan["contact_at"][who], between(rng, plan["born"][who], world.until, m))
    later = np.sort(rng.random((m, 2)), axis=1) * np.minimum(world.until - created, 200 * DAY)[:, None]
    at = created[:, None] + later.astype(np.int64)
    reach = rng.random(m)
    given, family = rng.integers(0, len(GIVEN), m), rng.integers(0, len(FAMILY), m)
    _, domain = company_names(account, traits["industry"], traits["country"])
    domain = np.where(is_stray, "mail.example", domain[who])
    email = np.array(GIVEN, dtype=object)[given] + "." + np.array(FAMILY, dtype=object)[family] + "@" + domain
    return table(
        "contacts",
        [
            keys("C", account[who], suffix=rank),
            keys("A", np.where(is_stray, -1, account[who])),
            pa.array(email, pa.string()),
            picks(list(TITLES), np.where(rng.random(m) < 0.05, -1, title)),
            picks(list(SOURCES), source),
            moments(created),
            moments(np.where(is_first, plan["lead_at"][who], np.where(reach < 0.5, at[:, 0], NO_TIME))),
            moments(np.where(is_first, plan["mql_at"][who], np.where(reach < 0.2, at[:, 1], NO_TIME))),
            moments(np.where(is_first, plan["sql_at"][who], NO_TIME)),
        ],
    )


def event_tables(world: World, account: np.ndarray, plan: Columns, events: Columns, made: dict[str, int]) -> dict[str, pa.Table]:
    who, member = events["who"], events["member_who"]
    first = np.zeros(who.size, dtype=np.int64)
    return {
        "engagements": table(
            "engagements",
            [
                keys("E", made.get("engagements", 0) + 1 + np.arange(who.size), 8),
                keys("A", np.where(events["has_account"], account[who], -1)),
                keys(
                    "C",
                    np.where(events["has_contact"] | ~events["has_account"], account[who], -1),
                    suffix=first,
                ),
                keys("K", events["campaign"], 4),
                picks(list(ENGAGEMENTS), events["kind"]),
                picks(list(TOPICS), events["topic"]),
                moments(events["at"]),
            ],
        ),
        "campaign_members": table(
            "campaign_members",
            [
                keys("K", events["member_campaign"], 4),
                keys("A", np.where(events["member_has_account"], account[member], -1)),
                keys("C", np.where(events["member_has_contact"], account[member], -1), suffix=0 * member),
                moments(events["member_at"]),
                pa.array(events["member_responded"]),
            ],
        ),
    }


def truth_table(world: World, account: np.ndarray, traits: Columns, plan: Columns, chance: Columns) -> pa.Table:
    """What was planted in each account, for a pursuit that began now and for the one that did begin."""
    worth = np.array([behaviour.value for behaviour in world.behaviours]) * world.values * YEARLY_RATE
    factor = size_factor(world, traits["employees"])
    value = worth[chance["now_kind"]] * factor
    then = np.where(plan["pursued"], chance["then"], np.nan)
    segment = traits["segment"] if world.signal else np.full(account.size, OTHER)
    return table(
        "truth",
        [
            keys("A", account),
            picks(list(SEGMENTS), segment),
            pa.array(chance["now"]),
            pa.array(value),
            pa.array(chance["now"] * value),
            pa.array(then, from_pandas=True),
            pa.array(then * worth[plan["kind"]] * factor, from_pandas=True),
        ],
    )


def shared_tables(world: World, members: np.ndarray) -> dict[str, pa.Table]:
    """Products, campaigns with what was spent on them, and exchange rates."""
    rng = stream(world, 1)
    campaigns = members.size
    period, channel = np.divmod(np.arange(campaigns), len(CHANNELS))
    start = world.periods[period]
    names = [name.replace("_", " ").capitalize() for name in CHANNELS]
    label = np.datetime_as_string(start.astype("datetime64[D]"), unit="M")
    price = np.array([price for _, price in CHANNELS.values()])[channel]
    budget = np.where(list(CHANNELS).index("brand") == channel, BRAND_PER_ACCOUNT * world.accounts / 4, members * price)
    currency = np.where(channel == 1, 1, np.where((channel == 4) & (period % 2 == 1), 2, 0))

    # paid in three monthly instalments
    month = add_months(np.repeat(start, 3), np.tile([0, 1, 2], campaigns)) + 14
    share = np.repeat(budget / 3, 3) * rng.uniform(0.8, 1.2, 3 * campaigns)
    campaign = np.repeat(np.arange(campaigns), 3)
    cents = np.round(share * 100 / USUAL_RATE[currency[campaign]]).astype(np.int64)
    paid = (cents > 0) & (month <= world.last_day)

    first = add_months(np.array([world.first_day]), np.array([-1]))[0].astype("datetime64[D]").astype("datetime64[M]")
    months = np.arange(first, LAST_DAY.astype("datetime64[M]") + 1).astype("datetime64[D]").astype(np.int64)
    # a random walk that is pulled back to the usual rate
    walk = np.zeros((months.size, 2))
    for row in range(1, months.size):
        walk[row] = 0.9 * walk[row - 1] + rng.normal(0, 0.014, 2)
    rates = np.round(USUAL_RATE[1:] * np.exp(walk), 4).T.ravel()
    return {
        "products": table(
            "products",
            [pa.array(values, pa.string()) for values in zip(*(item[:4] for item in PRODUCTS), strict=True)],
        ),
        "campaigns": table(
            "campaigns",
            [
                keys("K", np.arange(campaigns), 4),
                pa.array([f"{names[c]} {label[k]}" for k, c in enumerate(channel)], pa.string()),
                picks(list(CHANNELS), channel),
                days(start),
                days(add_months(start, np.full(campaigns, 3)) - 1),
            ],
        ),
        "campaign_spend": table(
            "campaign_spend",
            [
                keys("K", campaign[paid], 4),
                days(month[paid]),
                money(cents[paid]),
                picks(list(CURRENCIES), currency[campaign[paid]]),
            ],
        ),
        "exchange_rates": table(
            "exchange_rates",
            [
                picks(list(CURRENCIES), np.repeat([1, 2], months.size)),
                days(np.tile(months, 2)),
                money(np.round(rates * 1_000_000), kind=RATE),
            ],
        ),
    }
