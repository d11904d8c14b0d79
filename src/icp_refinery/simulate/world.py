"""What a simulated world is made of: who is out there, what is planted, and its settings."""

from typing import NamedTuple

import numpy as np

from icp_refinery.simulate.customers import DAY, Behaviour, expected_value

# the demo company; this seed's world lies close to what was planted, few of its rates are lucky ones
ACCOUNTS, MONTHS, SEED, LINES_PER_ACCOUNT = 1500, 42, 9, 2.4

CHUNK = 20_000
LAST_DAY = np.datetime64("2025-06-30")
YEAR = 365

OTHER, FINANCE, MEDIA, EMERGING, GOVERNMENT, EDUCATION = range(6)
SEGMENTS = (
    "other",
    "finance_mid_market",
    "media_small_paid_social",
    "energy_emea_emerging",
    "government_in_september",
    "education_in_summer",
)
BEHAVIOURS = (
    Behaviour(0.19, 1.0, (0.10, 0.62, 0.18, 0.10), 0.30, 0.25, 0.78, 0.22, 55),
    Behaviour(0.60, 1.8, (0.00, 0.25, 0.35, 0.40), 0.75, 0.65, 0.93, 0.45, 70),
    Behaviour(0.03, 0.5, (0.50, 0.50, 0.00, 0.00), 0.10, 0.05, 0.50, 0.05, 55),
    Behaviour(0.62, 1.3, (0.05, 0.55, 0.25, 0.15), 0.35, 0.30, 0.85, 0.30, 55),
)
NO_SIGNAL = (Behaviour(0.25, 1.2, (0.08, 0.55, 0.22, 0.15), 0.38, 0.33, 0.80, 0.27, 58),)
PURSUED = np.array([0.46, 0.74, 0.70, 0.80, 0.60, 0.60])
PURSUED_NO_SIGNAL = 0.54
UNPURSUED = 0.47  # what is left, those whose pursuit has not begun at the end of the window included
SEASONS = {GOVERNMENT: (9,), EDUCATION: (6, 7)}
IN_SEASON = 0.75
WEBINAR_LOGIT, REFERRAL_LOGIT, SIZE_POWER = 0.35, 0.25, 0.06
YEARLY_RATE, TEAM_RATE, RATE_SPREAD = 24_000.0, 3_600.0, 0.6

INDUSTRY_SHARES = (0.18, 0.12, 0.10, 0.08, 0.07, 0.13, 0.09, 0.09, 0.10, 0.04)
COUNTRY_SHARES = (0.34, 0.06, 0.14, 0.10, 0.06, 0.05, 0.04, 0.05, 0.05, 0.03, 0.05, 0.03)
SIZE_BANDS = np.array([[5, 50], [50, 200], [200, 1000], [1000, 20_000]])
SIZE_SHARES = (0.38, 0.22, 0.25, 0.15)
SIZE_SHARES_FINANCE, SIZE_SHARES_MEDIA = (0.18, 0.15, 0.55, 0.12), (0.65, 0.15, 0.15, 0.05)
SOURCES = ("organic", "paid_search", "paid_social", "referral", "event", "partner")
SOURCE_SHARES = (0.26, 0.20, 0.14, 0.12, 0.13, 0.15)
SOURCE_SHARES_SMALL_MEDIA = (0.08, 0.06, 0.75, 0.03, 0.05, 0.03)
ATTRIBUTES = {
    "funding_stage": ("bootstrapped", "seed", "series_a", "series_b", "private_equity", "public"),
    "tech_stack": ("snowflake", "databricks", "bigquery", "on_premise", "spreadsheets"),
    "hiring_trend": ("growing", "flat", "shrinking"),
    "billing_tier": ("A", "B", "C"),  # filled in after the sale: it tells winners from losers and is not a trait
}
ENGAGEMENTS = ("email", "content", "webinar", "demo", "event")
ENGAGEMENT_SHARES = (0.36, 0.26, 0.18, 0.09, 0.11)
WEBINAR = 2
TOPICS = (
    "pricing",
    "compliance",
    "data quality",
    "forecasting",
    "integration",
    "security",
    "getting started",
)

# channel: (share of memberships, US dollars per member)
CHANNELS = {
    "paid_social": (0.12, 180),
    "paid_search": (0.18, 90),
    "webinar": (0.20, 40),
    "content": (0.15, 60),
    "event": (0.10, 250),
    "email": (0.20, 5),
    "partner": (0.05, 70),
    "brand": (0.00, 0),  # nobody is a member: spend that cannot be allocated
}
ENGAGEMENT_CHANNEL = np.array([5, 3, 2, -1, 4])
BRAND_PER_ACCOUNT = 12
CURRENCIES = ("USD", "EUR", "GBP")
USUAL_RATE = np.array([1.0, 1.08, 1.27])
STAGES = ("Discovery", "Evaluation", "Proposal", "Negotiation", "Closed Won", "Closed Lost")
TYPES = ("new_business", "expansion", "renewal")
STATUSES = ("closed_won", "open", "lost", "cancelled")

# lines per account at 42 months: without any monthly plan, and per account on a monthly plan
LINES_BASE, LINES_PER_TEAM = 1.17, 38.0


class World(NamedTuple):
    """The settings of a simulation; days count from 1970-01-01, moments are seconds from then.

    `first_day` to `last_day` is the window and `until` its last moment. `team_share` is the share of accounts
    that start on the monthly plan without a pursuit. `values` has, for each of the `behaviours`, what a win
    brings per dollar of its yearly rate. `periods` are the first days of the quarters in which campaigns run.
    """

    accounts: int
    seed: int
    signal: bool
    first_day: int
    last_day: int
    until: int
    team_share: float
    behaviours: tuple[Behaviour, ...]
    values: np.ndarray
    periods: np.ndarray


def world_of(accounts: int, months: int, seed: int, signal: bool, lines_per_account: float) -> World:
    """Check the settings and work out what follows from them.

    Raises
    ------
    ValueError
        If a setting is out of its range.
    """
    if accounts < 1 or accounts > 9_999_999:
        raise ValueError("accounts must lie between 1 and 9,999,999")
    if not 6 <= months <= 240:
        raise ValueError("months must lie between 6 and 240")
    if seed < 0:
        raise ValueError("seed must not be negative")
    if not 1.5 <= lines_per_account <= 15:
        raise ValueError("lines per account must lie between 1.5 and 15")
    last = LAST_DAY.astype(np.int64)
    first_month = LAST_DAY.astype("datetime64[M]") - (months - 1)
    periods = np.arange(first_month, LAST_DAY.astype("datetime64[M]") + 1, 3).astype("datetime64[D]")
    behaviours = BEHAVIOURS if signal else NO_SIGNAL
    return World(
        accounts=accounts,
        seed=seed,
        signal=signal,
        first_day=int(first_month.astype("datetime64[D]").astype(np.int64)),
        last_day=int(last),
        until=int((last + 1) * DAY - 1),
        team_share=(lines_per_account - LINES_BASE) / LINES_PER_TEAM,
        behaviours=behaviours,
        values=expected_value(behaviours),
        periods=periods.astype(np.int64),
    )


def stream(world: World, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(world.seed, spawn_key=key))


def draw(rng: np.random.Generator, shares: tuple[float, ...] | np.ndarray, size: int) -> np.ndarray:
    """Positions drawn with the given shares."""
    edges = np.cumsum(shares)
    return np.minimum(np.searchsorted(edges / edges[-1], rng.random(size), side="right"), len(edges) - 1)


def between(rng: np.random.Generator, low: np.ndarray | int, high: np.ndarray | int, size: int) -> np.ndarray:
    """Whole numbers from `low` up to, but without, `high` (at least `low`)."""
    width = np.maximum(np.asarray(high) - low, 1)
    return low + (rng.random(size) * width).astype(np.int64)
