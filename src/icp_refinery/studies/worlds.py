"""Simulated frames with a known truth, in the shape that the learning reads: pursuits and traits.

A world has accounts that were pursued and new prospects, a dozen traits with missing values, and rules that
raise (or lower) the chance of winning and the value of a win. What an account is worth is known exactly.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from icp_refinery.learning.value import DAYS_PER_MONTH

Kind = Literal["value", "set", "size", "pair", "value_and_size", "set_and_size", "two_rules"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Trouble = Literal["none", "time", "leak", "move"]

START = pd.Timestamp("2021-01-01")
DAYS = 4 * 365
BASE_WIN_RATE = 0.22
HARD_WIN_RATE = 0.18
FIRST_ORDER = 20_000.0
RENEWAL = 0.6
SPREAD = 0.8  # of the logarithm of a first order
HARD_SPREAD = 1.0
STRENGTHS = (2.5, 6.0)  # by how much a planted rule multiplies the expected value
HARD_STRENGTHS = (2.0, 4.5)

CATEGORIES = {
    "industry": 14,
    "country": 18,
    "lead_source": 7,
    "funding_stage": 6,
    "tech_stack": 10,
    "seniority": 5,
    "job_function": 8,
}
MISSING = {
    "funding_stage": 0.3,
    "tech_stack": 0.2,
    "industry": 0.03,
    "employee_count": 0.08,
    "annual_revenue": 0.25,
}


class Rule(NamedTuple):
    """What is planted: accounts in `values` of some traits, and in the range of employees."""

    values: dict[str, list[str]]
    employees: tuple[float, float] | None


class World(NamedTuple):
    """Frames of a simulated company.

    `pursuits` and `traits` are as `learn_segments` takes them. `expected_value` (per account) is the true
    expected value of a pursuit, `is_planted` says where a rule raises it, and `is_prospect` marks accounts
    that were not pursued yet. `sales` (`account_id`, `sold_on`, `value`) are the orders that the values add up, and
    everything is as of the end of the day `as_of`.
    """

    pursuits: pd.DataFrame
    traits: pd.DataFrame
    expected_value: pd.Series
    is_planted: pd.Series
    is_prospect: pd.Series
    kind: str
    sales: pd.DataFrame
    as_of: pd.Timestamp


def world(
    pursuits: int = 3000,
    seed: int = 0,
    *,
    kind: Kind | None = None,
    strength: float | None = None,
    signal: bool = True,
    trouble: Trouble = "none",
    prospects: int = 5000,
    hard: bool = False,
) -> World:
    """Simulate one company.

    `kind` and `strength` (by how much a planted rule multiplies the expected value, 2.5 to 6) are drawn from
    the seed where they are not given. Without `signal` no trait has an effect. `trouble` adds what must not be
    found: "time" lets the mix of lead sources and the win rate change at one date, "leak" adds the
    trait `billing_system`, which is filled in after a sale, and "move" draws the rules anew from one date on, after 35 to 75 %
    of the time: what is expected and planted is then as of the last day. `hard` worlds have fewer wins, more scattered values
    and weaker rules (2 to 4.5).
    """
    rng = np.random.default_rng([seed, 20_240_601])
    kind = kind or KINDS[int(rng.integers(len(KINDS)))]
    strength = strength or float(rng.uniform(*(HARD_STRENGTHS if hard else STRENGTHS)))
    accounts = pursuits + prospects
    traits = _traits(rng, accounts)
    began = START + pd.to_timedelta(np.sort(rng.integers(0, DAYS - 120, accounts)), unit="D")
    pursued = np.zeros(accounts, dtype=bool)
    pursued[rng.choice(accounts, pursuits, replace=False)] = True

    base = HARD_WIN_RATE if hard else BASE_WIN_RATE
    win_rate, size, planted = np.full(accounts, base), np.full(accounts, FIRST_ORDER), np.zeros(accounts, dtype=bool)
    if signal:
        win_rate, size, planted = _planted(rng, traits, kind, strength, base)
    now = win_rate, size
    if trouble == "move":
        *now, planted = _planted(rng, traits, kind, strength, base)
        is_late = (began - START).days.to_numpy() >= rng.uniform(0.35, 0.75) * DAYS
        win_rate, size = (np.where(is_late, after, before) for before, after in zip((win_rate, size), now, strict=True))
    change = 0.55 * DAYS
    if trouble == "time":
        late = (began - START).days.to_numpy() >= change
        win_rate = np.where(late, win_rate * 2.0, win_rate * 0.7)
        now = win_rate, size
        moved = rng.random(accounts) < np.where(late, 0.7, 0.1)
        traits["lead_source"] = traits["lead_source"].mask(moved, "partner program")
    win_rate = np.minimum(win_rate, 0.9)

    won = rng.random(accounts) < win_rate
    cycle = rng.gamma(3.0, np.where(won, 28.0, 22.0)).astype(int) + 1
    closed = began + pd.to_timedelta(np.minimum(cycle, 110), unit="D")
    as_of = START + pd.Timedelta(days=DAYS)
    months = np.minimum((as_of - closed).days.to_numpy() / DAYS_PER_MONTH, 24.0)
    spread = HARD_SPREAD if hard else SPREAD
    first = size * rng.lognormal(-(spread**2) / 2, spread, accounts)
    renews = rng.random(accounts) < RENEWAL
    value = np.where(won, first * (1 + (renews & (months >= 12))), 0.0)
    ids = traits.index.to_numpy()
    frame = pd.DataFrame(
        {
            "account_id": ids,
            "began_on": began,
            "closed_on": closed,
            "is_won": won,
            "value": value.round(2),
            "months_observed": np.where(won, months, np.nan),
        }
    )[pursued].reset_index(drop=True)
    if trouble == "leak":
        filled = pursued & (rng.random(accounts) < np.where(won, 0.8, 0.04))
        systems = rng.choice(["Alpha", "Beta", "Gamma"], accounts)
        traits["billing_system"] = pd.Series(np.where(filled, systems, None), index=ids, dtype=object)
    truth = np.minimum(now[0], 0.9) * now[1] * (1 + RENEWAL)
    return World(
        frame,
        traits,
        pd.Series(truth, index=ids, name="expected_value"),
        pd.Series(planted, index=ids, name="is_planted"),
        pd.Series(~pursued, index=ids, name="is_prospect"),
        kind if signal else "none",
        _sales(frame, renewed=(won & renews & (months >= 12))[pursued]),
        as_of,
    )


def _planted(
    rng: np.random.Generator, traits: pd.DataFrame, kind: Kind, strength: float, base: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The chance of winning, the mean first order, and where a rule raises either, by account."""
    accounts = len(traits)
    win_rate, size, planted = np.full(accounts, base), np.full(accounts, FIRST_ORDER), np.zeros(accounts, dtype=bool)
    for rule in _rules(rng, traits, kind):
        hit = matches(rule, traits) & ~planted
        share_of_winning = rng.uniform(0.45, 0.75)
        win_rate[hit] *= strength**share_of_winning
        size[hit] *= strength ** (1 - share_of_winning)
        planted |= hit
    eater = str(traits["industry"].value_counts().index[2])
    win_rate[((traits["industry"] == eater) & ~planted).to_numpy()] *= 0.35
    sources = dict(zip(sorted(traits["lead_source"].unique()), rng.uniform(0.9, 1.1, 7), strict=True))
    return win_rate * traits["lead_source"].map(sources).to_numpy(dtype=float), size, planted


def _sales(pursuits: pd.DataFrame, renewed: np.ndarray) -> pd.DataFrame:
    """The order that won, and its renewal a year later, which is worth the same."""
    orders = pursuits[["account_id", "closed_on", "value"]].set_axis(["account_id", "sold_on", "value"], axis=1)
    orders = orders.assign(value=np.where(renewed, orders["value"] / 2, orders["value"]))[pursuits["is_won"]]
    again = orders[renewed[pursuits["is_won"]]]
    again = again.assign(sold_on=again["sold_on"] + pd.Timedelta(days=366))
    return pd.concat([orders, again]).sort_values(["account_id", "sold_on"], ignore_index=True)


def additive_world(pursuits: int = 3000, seed: int = 0) -> World:
    """Six traits that each change the chance of winning a little, and no rule: what a tree shows badly."""
    it = world(pursuits, seed, signal=False)
    rng = np.random.default_rng(seed + 99)
    change = 0.35 * (it.traits["employee_count"].fillna(0) > 200).to_numpy()
    for name in ("lead_source", "seniority", "funding_stage", "tech_stack", "job_function"):
        values = sorted(it.traits[name].dropna().unique())
        effects = dict(zip(values, rng.normal(0, 0.35, len(values)), strict=True))
        change = change + it.traits[name].map(effects).fillna(0).to_numpy(dtype=float)
    rate = pd.Series(np.minimum(0.2 * np.exp(change), 0.95), it.traits.index)
    won = rng.random(pursuits) < rate[it.pursuits["account_id"]].to_numpy()
    bought = np.where(won, 20_000 * rng.lognormal(-0.32, 0.8, pursuits), 0.0)
    frame = it.pursuits.assign(is_won=won, value=bought, months_observed=np.where(won, 24.0, np.nan))
    return it._replace(pursuits=frame, expected_value=rate * 20_000, kind="many small effects")


def matches(rule: Rule, traits: pd.DataFrame) -> np.ndarray:
    """Which accounts a planted rule holds for; a missing value never matches."""
    hit = np.ones(len(traits), dtype=bool)
    for trait, values in rule.values.items():
        hit &= traits[trait].isin(values).to_numpy()
    if rule.employees is not None:
        low, high = rule.employees
        hit &= ((traits["employee_count"] >= low) & (traits["employee_count"] < high)).to_numpy()
    return hit


def captured(score: pd.Series, expected_value: pd.Series, share: float = 0.2) -> float:
    """Expected value in the best `share` of accounts by `score`, as a share of what ranking by truth gets.

    Accounts of equal score count with their average, as if drawn at random.
    """
    truth = expected_value.to_numpy(dtype=float)
    given = score.reindex(expected_value.index).to_numpy(dtype=float)
    return _best(given, truth, share) / _best(truth, truth, share)


def _best(score: np.ndarray, truth: np.ndarray, share: float) -> float:
    averaged = pd.Series(truth).groupby(pd.Series(score).round(12)).transform("mean").to_numpy()
    best = np.argsort(-score, kind="stable")[: round(share * len(score))]
    return float(averaged[best].sum())


def _traits(rng: np.random.Generator, accounts: int) -> pd.DataFrame:
    columns: dict[str, np.ndarray] = {}
    for name, count in CATEGORIES.items():
        weights = 1 / np.arange(1, count + 1) ** rng.uniform(0.3, 0.9)
        values = np.array([f"{name.replace('_', ' ')} {chr(65 + n)}" for n in range(count)], dtype=object)
        columns[name] = rng.choice(values, accounts, p=weights / weights.sum())
    regions = np.array([f"region {n}" for n in "ABCD"], dtype=object)
    columns["region"] = regions[[(ord(country[-1]) - 65) % 4 for country in columns["country"]]]
    employees = np.ceil(rng.lognormal(5.2, 1.5, accounts))
    columns["employee_count"] = employees
    columns["annual_revenue"] = np.round(employees * rng.lognormal(11.8, 0.7, accounts), -3)
    columns["webinar_count"] = rng.poisson(0.8, accounts).astype(float)
    columns["content_count"] = rng.negative_binomial(1, 0.3, accounts).astype(float)
    width = len(str(accounts))
    index = pd.Index([f"account-{n:0{width}d}" for n in range(accounts)], name="account_id")
    traits = pd.DataFrame(columns, index=index)
    for name, share in MISSING.items():
        gone = rng.random(accounts) < share
        traits[name] = traits[name].mask(gone, None if name in CATEGORIES else np.nan)
    return traits


def _rules(rng: np.random.Generator, traits: pd.DataFrame, kind: Kind) -> list[Rule]:
    """Draw rules of one kind that hold for 5 to 20 % of accounts each."""
    single = [k for k in KINDS if k != "two_rules"]
    kinds = list(rng.choice(single, 2, replace=False)) if kind == "two_rules" else [kind]
    rules = []
    for one in kinds:
        for _ in range(500):
            rule = _draw(rng, one)
            share = matches(rule, traits).mean()
            if 0.05 <= share <= 0.2:
                break
        rules.append(rule)
    return rules


def _draw(rng: np.random.Generator, kind: str) -> Rule:
    def some(trait: str, low: int, high: int) -> list[str]:
        chosen = rng.choice(CATEGORIES[trait], int(rng.integers(low, high + 1)), replace=False)
        return sorted(f"{trait.replace('_', ' ')} {chr(65 + n)}" for n in chosen)

    def pick(names: list[str]) -> str:
        return str(rng.choice(names))

    low = float(rng.choice([20, 50, 100, 200, 500]))
    employees = (low, low * float(rng.choice([2, 4, 5, 10])))
    first = pick(["industry", "tech_stack", "country"])
    second = pick(["lead_source", "funding_stage", "job_function", "seniority"])
    if kind == "value":
        return Rule({first: some(first, 1, 1)}, None)
    if kind == "set":
        return Rule({first: some(first, 2, 5)}, None)
    if kind == "size":
        return Rule({}, employees)
    if kind == "pair":
        return Rule({first: some(first, 1, 4), second: some(second, 1, 3)}, None)
    if kind == "value_and_size":
        return Rule({first: some(first, 1, 1)}, employees)
    return Rule({first: some(first, 2, 6)}, employees)
