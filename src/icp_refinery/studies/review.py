"""Study of the cycle review: years in which nothing changes, and a year in which the good segment moves to another industry."""

from __future__ import annotations

import sys
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm

from icp_refinery.learning.conditions import assign
from icp_refinery.learning.review.attributes import emerged_attributes
from icp_refinery.learning.review.cycles import review_cycles
from icp_refinery.learning.review.looks import YEARLY
from icp_refinery.learning.segments import learn_segments

World = Literal["no signal", "stable", "drift"]
INDUSTRIES = ("A", "B", "C", "D", "E")
SHARES = (0.25, 0.2, 0.25, 0.2, 0.1)
STABLE = (0.5, 0.2, 0.2, 0.2, 0.06)
MOVED = (0.2, 0.5, 0.2, 0.2, 0.06)
TIERS = pd.Series({"A": "tier_1", "B": "tier_3", "C": "tier_3", "D": "tier_3", "E": "deprioritized"})
CHANGE = 5  # the first cycle of the year, from 0, in which the good segment is another
MONTHS, BEFORE = 36, 24


class Year(NamedTuple):
    """Two years of history, on which a profile was adopted, and a year of monthly cycles after it."""

    pursuits: pd.DataFrame
    cycles: pd.DataFrame
    traits: pd.DataFrame
    adopted: pd.Timestamp


def simulate_year(seed: int, world: World, a_month: int = 40) -> Year:
    """Pursuits of five industries, which are the segments, with six traits that say nothing."""
    random = np.random.default_rng([seed, 20_250_104])
    months = pd.date_range("2022-01-01", periods=MONTHS, freq="MS")
    month = np.repeat(np.arange(MONTHS), random.poisson(a_month, MONTHS))
    n = len(month)
    industry = random.choice(len(INDUSTRIES), n, p=SHARES)
    chance = np.full(n, 0.25) if world == "no signal" else np.array(STABLE)[industry]
    if world == "drift":
        chance = np.where(month >= BEFORE + CHANGE, np.array(MOVED)[industry], chance)
    won = random.random(n) < chance
    accounts = pd.Index([f"account-{number:05d}" for number in range(n)], name="account_id")
    start = months[month]
    pursuits = pd.DataFrame(
        {
            "account_id": accounts,
            "segment_id": np.array(INDUSTRIES)[industry],
            "cycle_start": start,
            "closed_on": start + pd.to_timedelta(random.integers(0, 28, n), unit="D"),
            "is_won": won,
            "first_order_value": np.where(won, 20_000 * random.lognormal(0, 1.0, n), np.nan),
            "days_to_close": np.where(won, random.gamma(3.0, 25.0, n).round(), np.nan),
        }
    )
    traits = pd.DataFrame({"industry": np.array(INDUSTRIES, dtype=object)[industry]}, index=accounts)
    for name, count in {"region": 4, "size_band": 5, "lead_source": 6, "tech_stack": 8, "country": 12}.items():
        values = np.array([f"{name} {number}" for number in range(count)], dtype=object)
        traits[name] = random.choice(values, n, p=random.dirichlet(np.full(count, 6.0)))
    traits["webinar_count"] = random.poisson(0.8, n).astype(float)
    ends = months + pd.offsets.MonthEnd(0)
    cycles = pd.DataFrame({"cycle_start": months, "cycle_end": ends, "is_finished": True})
    return Year(pursuits, cycles, traits, ends[BEFORE - 1])


def with_learned_segments(it: Year) -> tuple[Year, pd.Series]:
    """The same year under the segments and tiers that its first two years teach."""
    frame = it.pursuits.assign(began_on=it.pursuits["closed_on"], value=it.pursuits["first_order_value"].fillna(0.0))
    frame["months_observed"] = np.where(frame["is_won"], 24.0, np.nan)
    known = frame[frame["closed_on"] <= it.adopted]
    learned = learn_segments(known, it.traits.loc[known["account_id"]])
    own = assign(it.traits, learned.rules) if len(learned.segments) > 1 else None
    names = it.pursuits["account_id"].map(own) if own is not None else learned.segments["segment_id"].iloc[0]
    return it._replace(pursuits=it.pursuits.assign(segment_id=names)), learned.segments.set_index("segment_id")["tier"]


def reviewed(it: Year, tiers: pd.Series = TIERS) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The looks of the year, and the attributes that emerged or faded."""
    attributes = emerged_attributes(it.pursuits, it.cycles, it.traits)
    return review_cycles(it.pursuits, it.cycles, tiers, it.traits, attributes, it.adopted), attributes


def look_with_power(it: Year, power: float = 0.8) -> int:
    """The cycle of the year, from 0, by which a one-sided 5 % test of the old good segment's wins has that power, where
    the cycle of the change and both win rates are known."""
    year = it.pursuits[(it.pursuits["segment_id"] == "A") & (it.pursuits["closed_on"] > it.adopted)]
    counts = year.groupby("cycle_start").size().reindex(it.cycles["cycle_start"][BEFORE:], fill_value=0).to_numpy()
    n = counts[CHANGE:].cumsum()
    p, q = STABLE[0], MOVED[0]
    reached = ((p - q) * np.sqrt(n) - norm.ppf(0.95) * np.sqrt(p * (1 - p))) / np.sqrt(q * (1 - q)) >= norm.ppf(power)
    return CHANGE + int(reached.argmax())


def delays(seeds: range) -> pd.DataFrame:
    """One row per drifting world: the cycle (from 0) of the first `revise` and of the knowing test; what was said before."""
    rows = []
    for seed in seeds:
        it = simulate_year(seed, "drift")
        looks, attributes = reviewed(it)
        by_look = looks[looks["verdict"] == "revise"]["cycle_start"].map(pd.Series(range(12), it.cycles["cycle_start"][BEFORE:]))
        before = looks[looks["cycle_start"] < it.cycles["cycle_start"][BEFORE + CHANGE]]
        first = int(by_look.min()) if len(by_look) else 99
        emerged = (attributes["trend"].eq("emerged") & attributes["value"].eq("B")).any()
        rows.append(
            (first, look_with_power(it), before["verdict"].eq("revise").any(), before["verdict"].eq("watch").any(), emerged)
        )
    return pd.DataFrame(rows, columns=["revise", "knowing", "early_revise", "early_watch", "emerged"])


def cycle_review_study(seeds: int = 100, drifting: int = 20, learned: int = 20) -> str:
    """Returns a section in Markdown. Takes the number of worlds without a change, with one, and with learned segments."""
    lines = ["## Review of every cycle", ""]
    lines += ["Two years of 40 pursuits a month, a profile adopted on them, and a year of twelve monthly cycles after it."]
    lines += ["Shares of worlds in which the year shows, in any segment or cycle:", ""]
    lines += [
        "| world | worlds | `revise` | `watch` | mix | emerged attribute | faded attribute |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, world, worlds in (
        ("no signal, five segments", "no signal", seeds),
        ("no signal, 12 pursuits a month", "no signal", seeds),
        ("segments that stay as they are", "stable", seeds),
        ("the same, segments learned before the year", "stable", learned),
    ):
        rows = []
        for seed in range(worlds):
            it, tiers = simulate_year(seed, world, 12 if "12" in name else 40), TIERS
            if "learned" in name:
                it, tiers = with_learned_segments(it)
            looks, attributes = reviewed(it, tiers)
            shown = [(looks["verdict"] == verdict).any() for verdict in ("revise", "watch")]
            shown += [(looks["psi_p_value"] <= YEARLY).any()]
            rows.append(shown + [(attributes["trend"] == trend).any() for trend in ("emerged", "faded")])
        lines.append(f"| {name} | {worlds} | " + " | ".join(f"{share:.0%}" for share in np.mean(rows, axis=0)) + " |")
    found = delays(range(drifting))
    late = (found["revise"] - found["knowing"]).where(found["revise"] < 99)
    within = (late <= 3).sum()
    knowing = found["knowing"].median() - CHANGE + 1
    lines += [
        "",
        f"In {drifting} worlds the good segment moves to another industry in cycle {CHANGE + 1} of the year: win rates of",
        "50 % and 20 % change places. A test that knew the change and looked once would have 80 % power after",
        f"{knowing:.0f} cycles (median). `revise` came {late.median():.0f} cycles later (median; {late.min():.0f} to",
        f"{late.max():.0f}), within three cycles in {within} of {drifting}, never in {late.isna().sum()}. Before the change:",
        f"`revise` in {found['early_revise'].sum()}, `watch` in {found['early_watch'].sum()}. By the year's end the new industry",
        f"had emerged in {found['emerged'].sum()}.",
    ]
    counts = late.value_counts().sort_index()
    lines += ["", "| cycles after the knowing test | worlds |", "|---:|---:|"]
    lines += [f"| {after:.0f} | {count} |" for after, count in counts.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(cycle_review_study())
