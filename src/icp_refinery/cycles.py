"""The review of every cycle: has a segment's outcome, or who is pursued in it, moved, and has an attribute emerged?

Looking every cycle is paid for: each p-value is of the largest statistic that a whole year of looks, with all segments and
outcomes, has by chance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import false_discovery_control, norm

from icp_refinery.effects import _coded_traits, leaking_traits
from icp_refinery.segments import TIER_1, TIER_2

YEARLY = 0.05  # the error of a year of looks
WATCHED = 0.10  # of the same, what is watched without being beyond the bound
LEAST_REFERENCE, LEAST_WINDOW, LEAST_WINS = 20, 10, 5
LEAST_SUPPORT, LEAST_SIDE = 30, 10  # pursuits with a value, for it to be tried; then, before and of late, on either side
DRAWS, DRAWN, MIX_DRAWS = 999, 37, 299  # in all, at a time, and of the mix
MIX_LEAST = 20  # pursuits of a quarter, for its mix to be compared
ALL = "all"
WIN_RATE, FIRST_VALUE, DAYS = "win_rate", "first_order_value", "days_to_close"
WORDS = {WIN_RATE: "win rate", FIRST_VALUE: "first-order value", DAYS: "time to close"}

LOOKS = {
    "cycle_start": "datetime64[us]",
    "segment_id": "object",
    "verdict": "object",
    "reason": "object",
    "outcome": "object",
    "direction": "object",
    "window_start": "datetime64[us]",
    "window_pursuits": "float64",
    "window_wins": "float64",
    "early_lift": "float64",
    "z": "float64",
    "p_value": "float64",
    "psi": "float64",
    "psi_attribute": "object",
    "psi_pursuits": "float64",
    "psi_p_value": "float64",
}
ATTRIBUTES = {
    "cycle_start": "datetime64[us]",
    "attribute": "object",
    "value": "object",
    "trend": "object",
    "segment_id": "object",
    "latest_pursuits": "int64",
    "latest_wins": "int64",
    "latest_lift": "float64",
    "before_pursuits": "int64",
    "before_wins": "int64",
    "before_lift": "float64",
    "p_value": "float64",
    "change_p_value": "float64",
}


class _Counts(NamedTuple):
    """By cycle and segment (and in the reference, by segment): how many, and the sum of what is measured."""

    n: np.ndarray
    total: np.ndarray
    n0: np.ndarray
    total0: np.ndarray


def review_cycles(
    pursuits: pd.DataFrame,
    cycles: pd.DataFrame,
    tiers: pd.Series,
    traits: pd.DataFrame,
    attributes: pd.DataFrame,
    reference_end: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Judge the segments in the finished cycles of the last year: one row per cycle and segment (and `all`), as `LOOKS`.

    Parameters
    ----------
    pursuits : `account_id`, `segment_id`, `cycle_start` (that of the close), `closed_on`, `is_won`, and of wins
        `first_order_value` and `days_to_close` (missing where unknown).
    cycles : `cycle_start`, `cycle_end` (days), `is_finished`.
    tiers : by segment_id, of every segment.
    traits : index `account_id`, text or numbers.
    attributes : as `emerged_attributes` returns it.
    reference_end : the last day of the data that the adopted segments were learned from; without it what is
        compared with is the history before the last year.

    An outcome of a segment is compared with the reference over windows that end with the cycle (from one to a year
    of cycles), less what is common to all segments: a tier is relative. `all` is compared as it is. `p_value` is that of the
    largest |z| that a year of looks has without a change, by simulation: over all segments, outcomes and windows that can
    contradict a tier, and apart from them over all that cannot (time to close, `all`, what only confirms the tier).
    `revise`: the win rate or first-order value is beyond the bound (5 % a year) in the direction that contradicts the tier, and
    the window's early lift (first-order value per pursuit against all) is one that the tier does not have. `watch`: the
    same at 10 %, or without contradiction by the lift; a longer time to close; the mix; an attribute that emerged or
    faded. Without a verdict `reason` says why.
    """
    looks, a_year = year_of_looks(cycles)
    if looks.empty or pursuits.empty:
        return _typed([], LOOKS)
    pursuits = pursuits.sort_values("account_id", ignore_index=True)
    until = reference_end if reference_end is not None else looks["cycle_end"].iloc[-1] - pd.DateOffset(years=1)
    looks = looks[looks["cycle_end"] > until].reset_index(drop=True)
    if looks.empty:
        return _typed([], LOOKS)
    names = sorted(tiers.index)
    old = (pursuits["closed_on"] < until + pd.Timedelta(days=1)).to_numpy()
    place = pursuits["cycle_start"].map(pd.Series(looks.index, looks["cycle_start"])).to_numpy(dtype=float)
    place = np.where(old | np.isnan(place), -1, place).astype(int)
    codes = pd.Categorical(pursuits["segment_id"], categories=names).codes.astype(int)
    tested = _tested(pursuits, old, place, codes, len(looks), [tiers[name] for name in names], a_year)
    mix = _mix(pursuits, traits, old, place, codes, len(looks), names, a_year)
    rows = []
    for look, cycle in enumerate(looks["cycle_start"]):
        trends = attributes[attributes["cycle_start"] == cycle]
        for number, name in enumerate([*names, ALL]):
            own = trends if name == ALL else trends[trends["segment_id"] == name]
            rows.append((cycle, name, *_judged(look, number, name, tiers.get(name), looks, tested, mix, own)))
    return _typed(rows, LOOKS)


def year_of_looks(cycles: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The finished cycles that end in the last year, and how many there are in a full year."""
    done = cycles[cycles["is_finished"].astype(bool)].sort_values("cycle_start", ignore_index=True)
    if done.empty:
        return done, 1
    days = float((done["cycle_end"] - done["cycle_start"]).dt.days.median() + 1)
    a_year = max(round(365.25 / days), 1)
    year = done["cycle_end"].iloc[-1] - pd.DateOffset(years=1)
    looks = done[done["cycle_end"] > year].reset_index(drop=True)
    # A year of weeks has 53 of them where the first is cut by its beginning.
    return looks, max(a_year, len(looks))


def _typed(rows: list[tuple], types: dict[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(types), dtype=object).astype(types)
    numbers = [name for name, kind in types.items() if kind == "float64"]
    frame[numbers] = frame[numbers].map(lambda x: float(f"{x:.10g}"))
    return frame


# ---------------------------------------------------------------------------------------------- outcomes


class _Tested(NamedTuple):
    """`z`: outcome -> looks x windows x (segments, all), better is positive; `p`: of the same; and what is needed to speak."""

    windows: list[int]
    z: dict[str, np.ndarray]
    p: dict[str, np.ndarray]
    won: _Counts
    early_lift: np.ndarray  # looks x windows x segments


def _windows(a_year: int) -> list[int]:
    return [*(width for width in (1, 2, 3, 4, 6, 8, 16, 26) if width < a_year), a_year]


def _tested(
    pursuits: pd.DataFrame, old: np.ndarray, place: np.ndarray, codes: np.ndarray, looks: int, tiers: list[str], a_year: int
) -> _Tested:
    """All tests. Those that can contradict a tier are one family, the others (time to close, all, what confirms) another."""
    windows, segments = _windows(a_year), len(tiers)
    won = pursuits["is_won"].to_numpy(dtype=bool)
    every = _counted(won.astype(float), np.ones(len(won), dtype=bool), old, place, codes, looks, segments)
    counts = {WIN_RATE: every}
    for outcome in (FIRST_VALUE, DAYS):
        value = pursuits[outcome].to_numpy(dtype=float)
        known = won & np.isfinite(value)
        score = _normal_scores(value, known & old) * (-1 if outcome == DAYS else 1)
        counts[outcome] = _counted(score, known, old, place, codes, looks, segments)
        mean = counts[outcome].total0 / np.maximum(counts[outcome].n0, 1)
        inside = score[known & old] - mean[codes[known & old]]
        # In units of the spread within segments, by which a sum of k has the variance k.
        spread = np.sqrt((inside**2).sum() / max(len(inside) - segments, 1)) if len(inside) > segments else 0.0
        scaled = counts[outcome].total / spread if spread else counts[outcome].total * 0
        scaled0 = counts[outcome].total0 / spread if spread else counts[outcome].total0 * 0
        counts[outcome] = counts[outcome]._replace(total=scaled, total0=scaled0)
    z = {name: (_win_scores if name == WIN_RATE else _mean_scores)(its, windows) for name, its in counts.items()}
    null = {name: _null_scores(name, its, windows, a_year) for name, its in counts.items()}
    contradicts = np.array([[_contradicts(tier, better) for tier in tiers] + [False] for better in (False, True)])
    p = {name: np.ones_like(its) for name, its in z.items()}
    for is_decisive in (True, False):

        def asked(name: str, its: np.ndarray, is_decisive: bool = is_decisive) -> np.ndarray:
            able = np.where(its > 0, contradicts[1], contradicts[0]) & (name != DAYS)
            return np.where(able == is_decisive, np.abs(its), 0.0)

        largest = np.maximum.reduce([asked(name, its).reshape(DRAWS, -1).max(axis=1) for name, its in null.items()])
        for name, its in z.items():
            size = asked(name, its)
            chance = (1 + (largest[:, None] >= size.reshape(1, -1) - 1e-9).sum(axis=0)) / (1 + DRAWS)
            p[name] = np.where(size > 0, chance.reshape(size.shape), p[name])
    lift = _early_lift(pursuits, won, old, place, codes, every, windows)
    return _Tested(windows, z, p, every, lift)


def _counted(
    value: np.ndarray, known: np.ndarray, old: np.ndarray, place: np.ndarray, codes: np.ndarray, looks: int, segments: int
) -> _Counts:
    now, before = known & (place >= 0), known & old
    cell, size = place[now] * segments + codes[now], looks * segments
    return _Counts(
        np.bincount(cell, minlength=size).reshape(looks, segments).astype(float),
        np.bincount(cell, value[now], minlength=size).reshape(looks, segments),
        np.bincount(codes[before], minlength=segments).astype(float),
        np.bincount(codes[before], value[before], minlength=segments),
    )


def _normal_scores(value: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Where a value lies among those of the reference, as a normal deviate: one large deal is no drift."""
    known = np.sort(value[reference])
    score = np.zeros(len(value))
    if len(known):
        place = (np.searchsorted(known, value, "left") + np.searchsorted(known, value, "right")) / 2
        score = norm.ppf((place + 0.5) / (len(known) + 1))
    return np.where(np.isfinite(value), score, 0.0)


def _win_scores(counts: _Counts, windows: list[int]) -> np.ndarray:
    """z of the wins, (..., looks, windows, segments and all): against the reference's odds, moved in each cycle by what all
    segments have in common."""
    n, wins = counts.n, counts.total
    chance = ((counts.total0 + 0.5) / (counts.n0 + 1))[..., None, :]
    odds, shift = logit(chance), np.zeros((*wins.shape[:-1], 1))
    for _ in range(4):
        moved = expit(odds + shift)
        information = np.maximum((n * moved * (1 - moved)).sum(axis=-1, keepdims=True), 1e-9)
        shift = np.clip(shift + (wins - n * moved).sum(axis=-1, keepdims=True) / information, -4, 4)
    moved = expit(odds + shift)
    part = n * moved * (1 - moved)
    variance = part * (1 - part / np.maximum(part.sum(axis=-1, keepdims=True), 1e-9))
    whole = chance * (1 - chance)
    level = (counts.total0.sum(axis=-1) / np.maximum(counts.n0.sum(axis=-1), 1))[..., None]
    n_all = n.sum(axis=-1)
    return _in_windows(
        np.concatenate([wins - n * moved, (wins.sum(axis=-1) - n_all * level)[..., None]], axis=-1),
        np.concatenate([np.minimum(variance, n * whole), (n_all * level * (1 - level))[..., None]], axis=-1),
        counts,
        windows,
        LEAST_WINDOW,
    )


def _mean_scores(counts: _Counts, windows: list[int]) -> np.ndarray:
    """The same of a mean whose values have the variance 1 within segments."""
    n, n_all = counts.n, np.maximum(counts.n.sum(axis=-1, keepdims=True), 1)
    surplus = counts.total - n * (counts.total0 / np.maximum(counts.n0, 1))[..., None, :]
    level = (counts.total0.sum(axis=-1) / np.maximum(counts.n0.sum(axis=-1), 1))[..., None]
    relative = surplus - n / n_all * surplus.sum(axis=-1, keepdims=True)
    overall = counts.total.sum(axis=-1) - n.sum(axis=-1) * level
    return _in_windows(
        np.concatenate([relative, overall[..., None]], axis=-1),
        np.concatenate([n * (1 - n / n_all), n.sum(axis=-1)[..., None]], axis=-1),
        counts,
        windows,
        LEAST_WINS,
    )


def _in_windows(surplus: np.ndarray, variance: np.ndarray, counts: _Counts, windows: list[int], least: int) -> np.ndarray:
    n = np.concatenate([counts.n, counts.n.sum(axis=-1, keepdims=True)], axis=-1)
    n0 = np.concatenate([counts.n0, counts.n0.sum(axis=-1, keepdims=True)], axis=-1)
    sums = [_trailing(part, windows) for part in (surplus, variance, np.broadcast_to(n, surplus.shape))]
    # The reference is an estimate too.
    spread = np.sqrt(np.maximum(sums[1], 0) * (1 + sums[2] / np.maximum(n0, 1)[..., None, None, :]))
    enough = (sums[2] >= least) & (n0[..., None, None, :] >= (LEAST_REFERENCE if least == LEAST_WINDOW else LEAST_WINS))
    return np.where(enough & (spread > 1e-6), sums[0] / np.maximum(spread, 1e-6), 0.0)


def _trailing(part: np.ndarray, windows: list[int]) -> np.ndarray:
    """Sums over the last so many cycles: (..., cycles, k) to (..., cycles, windows, k)."""
    running = np.cumsum(part, axis=-2)
    sums = []
    for width in windows:
        before = np.zeros_like(running)
        before[..., width:, :] = running[..., :-width, :]
        sums.append(running - before)
    return np.stack(sums, axis=-2)


def _null_scores(name: str, counts: _Counts, windows: list[int], a_year: int) -> np.ndarray:
    """z of a year of looks without a change, `DRAWS` times. Cycles still to come are as large as those so far."""
    random = np.random.default_rng([len(name), 20_250_101])
    looks, segments = counts.n.shape
    to_come = np.ceil(counts.n.mean(axis=0))[None, :].repeat(max(a_year - looks, 0), axis=0)
    n = np.concatenate([counts.n, to_come]).astype(int)
    n0 = counts.n0.astype(int)
    if name == WIN_RATE:
        chance = (counts.total0 + counts.total.sum(axis=0) + 0.5) / (counts.n0 + counts.n.sum(axis=0) + 1)
        total0 = random.binomial(n0, chance, (DRAWS, segments)).astype(float)
        total = random.binomial(n, chance, (DRAWS, *n.shape)).astype(float)
        z = _win_scores(_Counts(n.astype(float), total, n0.astype(float), total0), windows)
    else:
        total0 = random.standard_normal((DRAWS, segments)) * np.sqrt(n0)
        total = random.standard_normal((DRAWS, *n.shape)) * np.sqrt(n)
        z = _mean_scores(_Counts(n.astype(float), total, n0.astype(float), total0), windows)
    return z


def _early_lift(
    pursuits: pd.DataFrame,
    won: np.ndarray,
    old: np.ndarray,
    place: np.ndarray,
    codes: np.ndarray,
    every: _Counts,
    windows: list[int],
) -> np.ndarray:
    """First-order value per pursuit over that of all, by look, window and segment (and all): wins without a known order yet
    count with the mean of the others; large ones are capped at the reference's 95th percentile."""
    value = pursuits[FIRST_VALUE].to_numpy(dtype=float)
    known = won & np.isfinite(value)
    if known.any():
        cap = np.quantile(value[known & old] if (known & old).sum() >= LEAST_REFERENCE else value[known], 0.95)
        value = np.minimum(value, cap)
    else:
        value, known = np.ones(len(value)), won
    looks, segments = every.n.shape
    worth = _counted(value, known, old, place, codes, looks, segments)

    def summed(part: np.ndarray) -> np.ndarray:
        return _trailing(np.concatenate([part, part.sum(axis=-1, keepdims=True)], axis=-1), windows)

    with np.errstate(invalid="ignore", divide="ignore"):
        mean = summed(worth.total) / summed(worth.n)
        mean = np.where(np.isfinite(mean), mean, 0.0)
        each = summed(every.total) / summed(every.n) * mean
        return np.where(each[..., -1:] > 0, each / each[..., -1:], np.nan)


def _contradicts(tier: str, better: bool) -> bool:
    """Whether a change in that direction can contradict the tier."""
    return {"tier_1": not better, "tier_2": not better, "deprioritized": better}.get(tier, True)


def _is_other(tier: str, better: bool, lift: float) -> bool:
    """Whether the tier does not have such a lift; without a lift nothing is said."""
    if tier == "tier_1":
        return lift < TIER_1
    return lift > TIER_2 if better else lift < TIER_2


def _judged(
    look: int,
    number: int,
    name: str,
    tier: str | None,
    looks: pd.DataFrame,
    tested: _Tested,
    mix: pd.DataFrame,
    trends: pd.DataFrame,
) -> tuple:
    """Verdict, reason and figures of one segment in one cycle."""
    best = None
    for outcome, p in tested.p.items():
        for width in range(len(tested.windows)):
            z = tested.z[outcome][look, width, number]
            if z == 0:
                continue
            lift = tested.early_lift[look, width, number]
            rank = _rank(outcome, name, tier, z > 0, lift, p[look, width, number])
            key = (rank, abs(z))
            if best is None or key > best[0]:
                best = (key, outcome, width, z, lift, p[look, width, number])
    own = mix.loc[(look, number)]
    said, verdict = [], None
    figures = [None, None, pd.NaT, np.nan, np.nan, np.nan, np.nan, np.nan]
    if best is not None:
        (rank, _), outcome, width, z, lift, p = best
        first = max(0, look - tested.windows[width] + 1)
        n = tested.won.n[first : look + 1].sum(axis=0)
        wins = tested.won.total[first : look + 1].sum(axis=0)
        n, wins = (n.sum(), wins.sum()) if name == ALL else (n[number], wins[number])
        start = looks["cycle_start"].iloc[first]
        figures = [outcome, "better" if z > 0 else "worse", start, n, wins, lift, z, p]
        verdict = {2: "revise", 1: "watch"}.get(rank, "keep")
        if rank:
            moved = {True: "better", False: "worse"}[z > 0]
            than = "than in the reference" if name == ALL else "against the other segments than in the reference"
            said.append(f"{WORDS[outcome]} {moved} {than} since {start:%Y-%m-%d}")
            if rank == 2 or _is_other(tier or "", z > 0, lift):
                said[-1] += f", early lift {lift:.2f}" if np.isfinite(lift) and name != ALL else ""
    if own["p_value"] <= YEARLY:
        verdict = verdict if verdict == "revise" else "watch"
        said.append(f"other accounts are pursued: {own['attribute']}")
    for trend, rows in trends.groupby("trend", sort=True):
        verdict = verdict if verdict == "revise" else "watch"
        said.append(f"{trend}: " + ", ".join(f"{row.attribute} {row.value}" for row in rows.itertuples()))
    if verdict is None:
        reason = "one segment: nothing to compare it with" if tested.won.n.shape[1] == 1 else None
        few = tested.won.n0[number] < LEAST_REFERENCE if name != ALL else tested.won.n0.sum() < LEAST_REFERENCE
        reason = (f"fewer than {LEAST_REFERENCE} pursuits to compare with" if few else None) or reason
        said = [reason or f"fewer than {LEAST_WINDOW} pursuits closed in the year so far"]
    reason = "; ".join(said) or "no change beyond chance"
    return verdict, reason, *figures, own["psi"], own["attribute"], own["pursuits"], own["p_value"]


def _rank(outcome: str, name: str, tier: str | None, better: bool, lift: float, p: float) -> int:
    """2 calls for a revision, 1 is watched."""
    if name == ALL:
        return int(p <= YEARLY)
    if outcome == DAYS:
        return int(p <= YEARLY and not better)
    if _contradicts(tier, better):
        return 2 if p <= YEARLY and _is_other(tier, better, lift) else int(p <= WATCHED)
    return int(tier == "tier_2" and p <= YEARLY and lift >= TIER_1)


# ---------------------------------------------------------------------------------------------- mix


def _mix(
    pursuits: pd.DataFrame,
    traits: pd.DataFrame,
    old: np.ndarray,
    place: np.ndarray,
    codes: np.ndarray,
    looks: int,
    names: list[str],
    a_year: int,
) -> pd.DataFrame:
    """PSI of the trait that moved most, of the quarter that ends with each look against the reference, by look and segment.

    Each PSI is set against those of the same pursuits with their dates permuted inside the segment; the p-value is of the
    largest excess over all traits, segments and looks.
    """
    index = pd.MultiIndex.from_product([range(looks), range(len(names) + 1)])
    result = pd.DataFrame({"psi": np.nan, "attribute": None, "pursuits": np.nan, "p_value": np.nan}, index=index)
    result["attribute"] = result["attribute"].astype(object)
    used = old | (place >= 0)
    table, columns = _one_code(traits.reindex(pursuits["account_id"]), codes if len(names) > 1 else None, names)
    if not used.any() or not columns:
        return result
    table, codes = table[used], codes[used]
    period = np.where(old[used], 0, place[used] + 1)
    sizes = np.array([size for _, size in columns])
    starts = np.r_[0, np.cumsum(sizes)]
    k, periods, cells = int(starts[-1]), looks + 1, len(names) + 1
    column_of = np.repeat(np.arange(len(sizes)), sizes)
    quarter = max(1, round(a_year / 4))
    flat = table + starts[:-1][None, :]

    def counts(when: np.ndarray, members: np.ndarray, codes: np.ndarray, many: int) -> np.ndarray:
        at = ((codes * periods + when)[:, None] * k + flat[members]).ravel()
        return np.bincount(at, minlength=many * periods * k).reshape(many, periods, k).astype(float)

    def psi(by_segment: np.ndarray, in_all: np.ndarray) -> np.ndarray:
        both = np.concatenate([by_segment, in_all])
        recent = _trailing(both[:, 1:], [quarter])[:, :, 0]
        recent, base = recent + 0.5, both[:, :1] + 0.5
        p = recent / np.add.reduceat(recent, starts[:-1], axis=2)[:, :, column_of]
        q = base / np.add.reduceat(base, starts[:-1], axis=2)[:, :, column_of]
        return np.add.reduceat((p - q) * np.log(p / q), starts[:-1], axis=2)

    everyone = np.arange(len(codes))
    nobody = np.zeros(len(codes), dtype=int)
    segments = len(names)
    seen = psi(counts(period, everyone, codes, segments), counts(period, everyone, nobody, 1))
    size = np.stack(
        [np.bincount(period[codes == s], minlength=periods) for s in range(segments)] + [np.bincount(period, minlength=periods)]
    )
    recent = _trailing(size[:, 1:, None].astype(float), [quarter])[:, :, 0, 0]
    judged = (recent >= MIX_LEAST) & (size[:, :1] >= MIX_LEAST)
    random = np.random.default_rng(20_250_102)
    # Sorted by segment, a permutation inside segments is a sort of random numbers by segment.
    order = np.argsort(codes, kind="stable")
    drawn = np.empty((MIX_DRAWS, *seen.shape))
    for draw in range(MIX_DRAWS):
        shuffled = np.empty_like(period)
        shuffled[order] = period[np.lexsort((random.random(len(codes)), codes))]
        drawn[draw] = psi(counts(shuffled, everyone, codes, segments), counts(random.permutation(period), everyone, nobody, 1))
    middle, spread = drawn.mean(axis=0), drawn.std(axis=0)
    able = judged[:, :, None] & (spread > 1e-9)
    excess = np.where(able, (seen - middle) / np.maximum(spread, 1e-9), -np.inf)
    largest = np.where(able, (drawn - middle) / np.maximum(spread, 1e-9), -np.inf).reshape(MIX_DRAWS, -1).max(axis=1)
    for segment in range(cells):
        for look in range(looks):
            if able[segment, look].any():
                best = int(excess[segment, look].argmax())
                p = (1 + (largest >= excess[segment, look, best]).sum()) / (1 + MIX_DRAWS)
                # Of a year that has just begun, the looks to come are paid for too.
                p = 1 - (1 - p) ** (a_year / looks)
                result.loc[(look, segment)] = [seen[segment, look, best], columns[best][0], recent[segment, look], p]
    return result


def _one_code(traits: pd.DataFrame, codes: np.ndarray | None, names: list[str]) -> tuple[np.ndarray, list[tuple[str, int]]]:
    """Every trait as whole numbers from 0 (missing, then rare ones together, then the frequent values): pursuits x traits."""
    parts, columns = [], []
    for name, coded in _coded_traits(traits[sorted(traits.columns)]).items():
        count = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.labels))
        frequent = np.flatnonzero(count >= MIX_LEAST)
        to = np.ones(len(count) + 1, dtype=int)
        to[frequent] = 2 + np.arange(len(frequent))
        to[-1] = 0
        parts.append(to[coded.codes])
        columns.append((name, 2 + len(frequent)))
    if codes is not None:
        parts.append(codes)
        columns.append(("segment", len(names)))
    return (np.stack(parts, axis=1) if parts else np.zeros((len(traits), 0), dtype=int)), columns


# ---------------------------------------------------------------------------------------------- attributes


def emerged_attributes(pursuits: pd.DataFrame, cycles: pd.DataFrame, traits: pd.DataFrame) -> pd.DataFrame:
    """What raises the win rate in the year before a look and did not so before (`emerged`), or the other way round (`faded`).

    Two questions, as of `attribute_effects`. First, which values raise, in the year (or, for `faded`, before): wins against those
    expected in each cycle; the p-value is of the largest of all values and of a year of looks. Only of these it is
    asked whether the odds against the others have changed: 5 % of them at a look may be false (Benjamini-Hochberg).
    """
    none = _typed([], ATTRIBUTES)
    looks, a_year = year_of_looks(cycles)
    if looks.empty or pursuits.empty:
        return none
    pursuits = pursuits.sort_values("account_id", ignore_index=True)
    start = pursuits["cycle_start"].to_numpy()
    cycles = np.unique(start)
    wide = traits.reindex(pursuits["account_id"])
    won = pursuits["is_won"].to_numpy(dtype=float)
    if len(cycles) < 2 or won.min() == won.max():
        return none
    outcomes = pd.DataFrame({"account_id": pursuits["account_id"], "period": start, "won": won})
    leaks = leaking_traits(outcomes.assign(period=_quarters(pursuits["closed_on"])), wide)
    wide = wide.drop(columns=list(leaks.loc[leaks["is_leak"], "attribute"]), errors="ignore")
    values, members, compared = [], [], []
    for name, coded in _coded_traits(wide[sorted(wide.columns)]).items():
        count = np.bincount(coded.codes[coded.codes >= 0], minlength=len(coded.labels))
        # A trait with one value only: missing means "not".
        known = coded.codes >= 0 if len(coded.labels) > 1 else np.ones(len(won), dtype=bool)
        for code in np.flatnonzero(count >= LEAST_SUPPORT):
            values.append((name, coded.labels[code]))
            members.append(coded.codes == code)
            compared.append(known)
    if not values:
        return none
    has, of = np.stack(members, axis=1), np.stack(compared, axis=1)
    cycle = np.searchsorted(cycles, start)
    cells = [_by_cycle(part, cycle, len(cycles)) for part in (has, has * won[:, None], of, of * won[:, None])]
    ends = np.searchsorted(cycles, looks["cycle_start"].to_numpy(), "right")
    begins = np.searchsorted(cycles, (looks["cycle_end"] - pd.DateOffset(years=1)).to_numpy(), "right")

    def raises(a: np.ndarray, of_before: bool) -> np.ndarray:
        """z by look and value; zeros where too few are on either side."""
        n1, _, n, m = cells
        expected = n1 * m / np.maximum(n, 1)
        variance = expected * (n - n1) / np.maximum(n, 1) * (n - m) / np.maximum(n - 1, 1)
        parts = [
            np.cumsum(np.concatenate([np.zeros_like(x[..., :1, :]), x], axis=-2), axis=-2)
            for x in (a - expected, variance, n1, n)
        ]
        low, high = (np.zeros_like(begins), begins) if of_before else (begins, ends)
        excess, spread, inside, both = (x[..., high, :] - x[..., low, :] for x in parts)
        enough = (inside >= LEAST_SIDE) & (both - inside >= LEAST_SIDE) & (spread > 1e-6)
        return np.where(enough, excess / np.sqrt(np.maximum(spread, 1e-6)), 0.0)

    random = np.random.default_rng(20_250_103)
    n1, a, n, m = cells
    largest = {False: [], True: []}
    for _ in range(DRAWS // DRAWN):
        drawn = random.hypergeometric(n1.astype(int), (n - n1).astype(int), m.astype(int), (DRAWN, *n1.shape)).astype(float)
        for of_before, its in largest.items():
            its.append(raises(drawn, of_before).reshape(DRAWN, -1).max(axis=1))
    found = {}
    for trend, of_before in (("emerged", False), ("faded", True)):
        z = raises(a, of_before)
        chance = np.concatenate(largest[of_before])
        p = (1 + (chance[:, None] >= z.reshape(1, -1) - 1e-9).sum(axis=0)) / (1 + DRAWS)
        found[trend] = (1 - (1 - p) ** max(a_year / len(looks), 1)).reshape(z.shape)
    rows = []
    for look, cycle_start in enumerate(looks["cycle_start"]):
        late, early = slice(begins[look], ends[look]), slice(0, begins[look])
        for trend, sign in (("emerged", 1), ("faded", -1)):
            picked = np.flatnonzero(found[trend][look] <= YEARLY)
            sides = [_mantel_haenszel([part[when][:, picked] for part in cells]) for when in (late, early)]
            with np.errstate(invalid="ignore", divide="ignore"):
                z = sign * (sides[0][0] - sides[1][0]) / np.sqrt(sides[0][1] + sides[1][1])
            asked = np.isfinite(z)
            q = np.full(len(picked), np.nan)
            if asked.any():
                q[asked] = false_discovery_control(2 * norm.sf(np.abs(z[asked])))
            for at, value in enumerate(picked):
                if q[at] <= YEARLY and z[at] > 0:
                    recent = (cycle >= begins[look]) & (cycle < ends[look]) & has[:, value]
                    homes = pursuits.loc[recent, "segment_id"].value_counts(sort=False).sort_index()
                    home = homes.idxmax() if len(homes) else None
                    figures = [_lift([part[when][:, value] for part in cells]) for when in (late, early)]
                    p = found[trend][look, value]
                    change = 2 * norm.sf(abs(z[at]))
                    rows.append((cycle_start, *values[value], trend, home, *figures[0], *figures[1], p, change))
    return _typed(rows, ATTRIBUTES)


def _quarters(days: pd.Series) -> np.ndarray:
    return days.dt.to_period("Q").astype(str).to_numpy()


def _by_cycle(part: np.ndarray, cycle: np.ndarray, cycles: int) -> np.ndarray:
    summed = np.zeros((cycles, part.shape[1]))
    np.add.at(summed, cycle, part)
    return summed


def _mantel_haenszel(cells: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of the common odds ratio over the cycles and its variance (Robins, Breslow and Greenland 1986)."""
    n1, a, n, m = cells
    b, c = n1 - a, m - a
    d, t = n - n1 - c, np.maximum(n, 1)
    r, s, p, q = a * d / t, b * c / t, (a + d) / t, (b + c) / t
    r_all, s_all = r.sum(axis=0), s.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        odds = np.log(r_all / s_all)
        variance = (p * r).sum(axis=0) / (2 * r_all**2) + (p * s + q * r).sum(axis=0) / (2 * r_all * s_all)
        variance += (q * s).sum(axis=0) / (2 * s_all**2)
    few = (n1.sum(axis=0) < LEAST_SIDE) | ((n - n1).sum(axis=0) < LEAST_SIDE)
    return np.where(few | ~np.isfinite(odds), np.nan, odds), variance


def _lift(cells: list[np.ndarray]) -> tuple[int, int, float]:
    n1, a, n, m = cells
    expected = (n1 * m / np.maximum(n, 1)).sum()
    return int(n1.sum()), int(a.sum()), a.sum() / expected if expected else np.nan
