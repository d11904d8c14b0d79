"""Accounts and what happens to them until they buy: traits, pursuits, engagements, campaigns, outcomes."""

import numpy as np

from icp_refinery.simulate.customers import DAY, Columns, office_time
from icp_refinery.simulate.files import NO_TIME
from icp_refinery.simulate.words import COUNTRIES, INDUSTRIES
from icp_refinery.simulate.world import (
    CHANNELS,
    COUNTRY_SHARES,
    CURRENCIES,
    EDUCATION,
    EMERGING,
    ENGAGEMENT_CHANNEL,
    ENGAGEMENT_SHARES,
    FINANCE,
    GOVERNMENT,
    IN_SEASON,
    INDUSTRY_SHARES,
    MEDIA,
    OTHER,
    PURSUED,
    PURSUED_NO_SIGNAL,
    REFERRAL_LOGIT,
    SEASONS,
    SIZE_BANDS,
    SIZE_POWER,
    SIZE_SHARES,
    SIZE_SHARES_FINANCE,
    SIZE_SHARES_MEDIA,
    SOURCE_SHARES,
    SOURCE_SHARES_SMALL_MEDIA,
    SOURCES,
    TOPICS,
    UNPURSUED,
    WEBINAR,
    WEBINAR_LOGIT,
    YEAR,
    World,
    between,
    draw,
)


def draw_traits(rng: np.random.Generator, world: World, n: int) -> Columns:
    """What an account is. The mix is the same with and without signal."""
    names = list(INDUSTRIES)
    industry = draw(rng, INDUSTRY_SHARES, n)
    is_finance, is_media = industry == names.index("Financial Services"), industry == names.index("Media")
    is_energy = industry == names.index("Energy")
    band = np.select(
        [is_finance, is_media],
        [draw(rng, SIZE_SHARES_FINANCE, n), draw(rng, SIZE_SHARES_MEDIA, n)],
        draw(rng, SIZE_SHARES, n),
    )
    low, high = SIZE_BANDS[band].T
    employees = np.floor(low * (high / low) ** rng.random(n)).astype(np.int64)
    emea = np.array([region == "EMEA" for region, *_ in COUNTRIES.values()])
    country = np.where(
        is_energy,
        draw(rng, np.array(COUNTRY_SHARES) * np.where(emea, 1.7, 1.0), n),
        draw(rng, COUNTRY_SHARES, n),
    )
    is_small_media = is_media & (employees < 50)
    source = np.where(is_small_media, draw(rng, SOURCE_SHARES_SMALL_MEDIA, n), draw(rng, SOURCE_SHARES, n))
    segment = np.select(
        [
            is_finance & (employees >= 200) & (employees < 1000),
            is_small_media & (source == SOURCES.index("paid_social")),
            is_energy & emea[country],
            industry == names.index("Government"),
            industry == names.index("Education"),
        ],
        [FINANCE, MEDIA, EMERGING, GOVERNMENT, EDUCATION],
        OTHER,
    )
    currency = np.array([CURRENCIES.index(code) for _, code, *_ in COUNTRIES.values()])[country]
    revenue = employees * 160_000 * rng.lognormal(0, 0.5, n)
    return {
        "industry": industry,
        "employees": employees,
        "revenue": (np.round(revenue, -3) * 100).astype(np.int64),
        "country": country,
        "source": source,
        "segment": segment,
        "currency": currency,
    }


def _behaviour(world: World, segment: np.ndarray, closed: np.ndarray) -> np.ndarray:
    """Position in the world's behaviours of a pursuit that closes then."""
    if not world.signal:
        return np.zeros(segment.size, dtype=np.int64)
    emerged = (segment == EMERGING) & (closed > world.until - YEAR * DAY)
    return np.select([segment == FINANCE, segment == MEDIA, emerged], [1, 2, 3], 0)


def _closing_days(rng: np.random.Generator, world: World, segment: np.ndarray, first: int, last: int) -> np.ndarray:
    """Days on which business closes: any day, but mostly in season for those who buy in season."""
    n = segment.size
    day = between(rng, first, last + 1, n)
    if not world.signal:
        return day
    months = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D"), dtype="datetime64[M]")
    calendar = months.astype(np.int64) % 12 + 1
    begins = months.astype("datetime64[D]").astype(np.int64)
    fits = (begins >= first) & (begins + 29 <= last)
    for kind, season in SEASONS.items():
        choice = begins[np.isin(calendar, season) & fits]
        at = np.flatnonzero((segment == kind) & (rng.random(n) < IN_SEASON))
        if choice.size:
            day[at] = choice[rng.integers(0, choice.size, at.size)] + rng.integers(0, 30, at.size)
    late = (segment == EMERGING) & (rng.random(n) < 0.55)
    recent = between(rng, world.last_day - YEAR, last + 1, n)
    return np.where(late, recent, day)


def draw_pursuits(rng: np.random.Generator, world: World, traits: Columns) -> Columns:
    """When each account appears, is pursued or simply starts to buy, and when its first contact qualifies."""
    segment, n = traits["segment"], traits["segment"].size
    rate = PURSUED[segment] if world.signal else PURSUED_NO_SIGNAL
    closed = office_time(rng, _closing_days(rng, world, segment, world.first_day + 25, world.last_day + 75))
    kind = _behaviour(world, segment, closed)
    cycle = np.array([behaviour.cycle_days for behaviour in world.behaviours])[kind]
    cycle = np.clip(cycle * rng.lognormal(0, 0.45, n), 8, 240)
    created = closed - (cycle * DAY).astype(np.int64)
    pursued = (rng.random(n) < rate) & (created <= world.until - DAY)

    # the others: a few start a monthly plan or buy once without anybody having pursued them
    style = rng.random(n)
    share = world.team_share / UNPURSUED
    buys = np.select([pursued, style < share, style < share + 0.04], [0, 1, 2], 0)
    first_buy = office_time(rng, _closing_days(rng, world, segment, world.first_day + 25, world.last_day - 1))
    anchor = np.select([pursued, buys > 0], [created, first_buy], NO_TIME)
    earliest, latest = (world.first_day - 300) * DAY, (world.last_day - 15) * DAY
    lead_time = between(rng, 20 * DAY, 300 * DAY, n)
    born = np.where(anchor == NO_TIME, between(rng, earliest, latest, n), anchor - lead_time)

    # a pursued account's contact qualifies before the pursuit; the others fall behind at some step
    span = np.where(pursued, lead_time, np.minimum(world.until - born, 250 * DAY))
    steps = np.sort(rng.random((n, 4)), axis=1) * 0.93 + 0.03
    at = born[:, None] + (span[:, None] * steps).astype(np.int64)
    reach = np.where(pursued, 4, 1 + draw(rng, (0.22, 0.36, 0.32, 0.10), n))
    at = np.where(np.arange(4) < reach[:, None], at, NO_TIME)
    return {
        "born": born,
        "pursued": pursued,
        "created": created,
        "closed": closed,
        "kind": kind,
        "buys": buys,
        "first_buy": first_buy,
        "contact_at": at[:, 0],
        "lead_at": at[:, 1],
        "mql_at": at[:, 2],
        "sql_at": at[:, 3],
    }


def draw_touches(rng: np.random.Generator, world: World, traits: Columns, plan: Columns) -> tuple[Columns, np.ndarray]:
    """Engagements and campaign memberships of the chunk's accounts, and how many joined each campaign."""
    n = plan["born"].size
    who = np.repeat(np.arange(n), rng.poisson(2.9, n))
    at = between(rng, plan["born"][who], world.until, who.size)
    # interest rises in the 90 days before a pursuit
    close_by = np.repeat(np.arange(n), np.where(plan["pursued"], rng.poisson(1.3, n), 0))
    begin = np.maximum(plan["born"], plan["created"] - 90 * DAY)[close_by]
    who = np.concatenate([who, close_by])
    at = np.concatenate([at, between(rng, begin, plan["created"][close_by], close_by.size)])
    sequence = np.lexsort([at, who])
    who, at = who[sequence], at[sequence]
    kind = draw(rng, ENGAGEMENT_SHARES, who.size)
    finance = traits["industry"][who] == list(INDUSTRIES).index("Financial Services")
    topic = np.where(finance & (rng.random(who.size) < 0.3), 1, draw(rng, np.ones(len(TOPICS)), who.size))
    topic[rng.random(who.size) < 0.1] = -1
    known = at >= plan["contact_at"][who]
    style = rng.random(who.size)
    period = np.searchsorted(world.periods, at // DAY, side="right") - 1
    channel = ENGAGEMENT_CHANNEL[kind]
    linked = (period >= 0) & (channel >= 0) & (rng.random(who.size) < 0.6)
    events = {
        "who": who,
        "at": at,
        "kind": kind,
        "topic": topic,
        "has_contact": known & (style < 0.8),
        "has_account": ~known | (style > 0.1),
        "campaign": np.where(linked, period * len(CHANNELS) + channel, -1),
    }

    spender = (traits["segment"] == MEDIA) & world.signal
    usual = rng.poisson(1.8, n)
    extra = np.where(spender, 2 + rng.poisson(5.0, n), 0)
    who = np.repeat(np.arange(n), usual + extra)
    social = np.arange(who.size) - np.repeat(np.cumsum(usual + extra) - usual - extra, usual + extra)
    channel = np.where(social < extra[who], 0, draw(rng, [share for share, _ in CHANNELS.values()], who.size))
    at = between(rng, np.maximum(plan["born"], world.first_day * DAY)[who], world.until, who.size)
    campaign = (np.searchsorted(world.periods, at // DAY, side="right") - 1) * len(CHANNELS) + channel
    _, once = np.unique(who * 100_000 + campaign, return_index=True)
    who, at, campaign = who[once], at[once], campaign[once]
    style = rng.random(who.size)
    known = at >= plan["contact_at"][who]
    events |= {
        "member_who": who,
        "member_at": at,
        "member_campaign": campaign,
        "member_has_account": ~known | (style < 0.65),
        "member_has_contact": known & (style > 0.45),
        "member_responded": rng.random(who.size) < 0.15,
    }
    return events, np.bincount(campaign, minlength=world.periods.size * len(CHANNELS))


def _win_chance(world: World, kind: np.ndarray, webinar: np.ndarray, referral: np.ndarray) -> np.ndarray:
    """Chance that a pursuit is won."""
    base = np.array([behaviour.win for behaviour in world.behaviours])[kind]
    if not world.signal:
        return base
    odds = base / (1 - base) * np.exp(WEBINAR_LOGIT * webinar + REFERRAL_LOGIT * referral)
    return odds / (1 + odds)


def _attended(events: Columns, before: np.ndarray) -> np.ndarray:
    """Whether each account attended a webinar in the 90 days before the given moments."""
    end = before[events["who"]]
    hit = (events["kind"] == WEBINAR) & (events["at"] >= end - 90 * DAY) & (events["at"] < end)
    return np.bincount(events["who"][hit], minlength=before.size) > 0


def size_factor(world: World, employees: np.ndarray) -> np.ndarray:
    return (employees / 200) ** SIZE_POWER if world.signal else np.ones(employees.size)


def draw_outcomes(rng: np.random.Generator, world: World, traits: Columns, plan: Columns, events: Columns) -> Columns:
    """Decide each pursuit, adding the decision to `plan`; returns the true chances at the pursuit and now."""
    n = plan["born"].size
    referral = traits["source"] == SOURCES.index("referral")
    then = _win_chance(world, plan["kind"], _attended(events, plan["created"]), referral)
    now_kind = _behaviour(world, traits["segment"], np.full(n, world.until))
    now = _win_chance(world, now_kind, _attended(events, np.full(n, world.until + 1)), referral)
    plan["won"] = plan["pursued"] & (rng.random(n) < then)

    # one lost pursuit in ten is tried again
    again = plan["closed"] + between(rng, 150 * DAY, 500 * DAY, n)
    retried = plan["pursued"] & ~plan["won"] & (rng.random(n) < 0.1) & (again < world.until - DAY)
    closed = again + (np.clip(50 * rng.lognormal(0, 0.45, n), 8, 240) * DAY).astype(np.int64)
    kind = _behaviour(world, traits["segment"], closed)
    chance = _win_chance(world, kind, np.zeros(n), referral)
    plan |= {
        "retried": retried,
        "again": again,
        "again_closed": office_time(rng, closed // DAY),
        "again_kind": kind,
        "again_won": retried & (rng.random(n) < chance),
    }
    return {"then": then, "now": now, "now_kind": now_kind}
