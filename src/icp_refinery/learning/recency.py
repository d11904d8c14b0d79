"""Since when pursuits tell of today: where what traits are worth changed at some date, only later ones are learned from.

Two questions, both answered by pursuits that were not learned from. Whether anything changed: of all dates the one at which the
levels of traits changed most is taken, and boosted trees learn for whom outcomes rose or fell after it. And whether it pays to
forget: what is learned from pursuits since the date must foretell others since then better than what is learned from all. Both
answers count together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri
from threadpoolctl import threadpool_limits

from icp_refinery.learning.boosting import TAUGHT_BINS, boosted, teach
from icp_refinery.learning.effects.leaks import leak_verdicts, suspected
from icp_refinery.learning.periods import FOLDS, began_on, centred, folds, time_cells
from icp_refinery.learning.pooled import Levels, levels_of
from icp_refinery.learning.segments import LEAST_WINS, checked
from icp_refinery.learning.signal import sampled
from icp_refinery.learning.traits import Trait, coded_traits
from icp_refinery.learning.value import expected_value, log_score, winsorised

ERROR = 0.004  # that something changed and it pays to forget, where neither is so
LEAST_HINT = 1.0  # t, of sums of levels, below which trees are not asked
LEAST_CHANGE = 2.0  # t, below which it is not asked whether it pays to forget
NOT_EXCLUDED = 3.84  # difference of squared t within which dates are about as likely: the 95 % point of chi-squared
LEAST_SINCE = 200  # pursuits after a date, and before it
LEAST_SHARE = 0.15  # of all, after a date
BLOCKS = 3  # of the pursuits since a date, each foretold from the others
GROUPS = 5  # of pursuits of like expectation, whose outcomes scatter alike


class Recent(NamedTuple):
    """The `pursuits` to learn from, the day on which the first of them began (None where all are), and `notes` as of a model."""

    pursuits: pd.DataFrame
    since: pd.Timestamp | None
    notes: list[tuple[str, str]]


def recent_pursuits(pursuits: pd.DataFrame, traits: pd.DataFrame, *, seed: int = 0, leaks: pd.DataFrame | None = None) -> Recent:
    """The pursuits that tell of today; all, unless something changed.

    `pursuits`, `traits` and `leaks` as `learn_segments` takes them. 200 pursuits or more are left.
    """
    frame = checked(pursuits, traits)
    everything = Recent(pursuits, None, [])
    won = frame["is_won"].to_numpy(dtype=bool)
    if len(frame) < 2 * LEAST_SINCE or won.sum() < 2 * LEAST_WINS:
        return everything
    leaks = leak_verdicts(frame, traits) if leaks is None else leaks
    value = winsorised(expected_value(frame)[0].to_numpy(), won)
    rows = sampled(len(frame), seed)
    known = frame.iloc[rows].reset_index(drop=True)
    table = traits.loc[known["account_id"]].drop(columns=suspected(leaks), errors="ignore")
    coded = coded_traits(table)
    cells = time_cells(known)
    if not coded or not 0 < won[rows].sum() < len(rows):
        return everything
    seen = centred(log_score(won[rows], value[rows]), cells)
    began, levels = began_on(known), [levels_of(trait) for trait in coded]
    with threadpool_limits(limits=1):
        found = _change(coded, levels, seen, cells, folds(len(rows), cells, seed))
        if found is None:
            return everything
        dates, changed = found
        order = began.rank(method="first").to_numpy()
        first, pays = _pays(coded, levels, seen, won[rows], cells // 3, dates, order)
    if pays <= 0 or changed + pays <= np.sqrt(2) * ndtri(1 - ERROR):
        return everything
    since = began[cells // 3 >= first].min().normalize()
    kept = begun_since(frame, since)
    note = f"what traits are worth changed: learned from the {len(kept):,} of {len(frame):,} first deals since {since:%Y-%m-%d}"
    return Recent(kept, since, [("recent", note)])


def begun_since(pursuits: pd.DataFrame, since: pd.Timestamp | None) -> pd.DataFrame:
    """The pursuits that began since a day, or all."""
    return pursuits if pd.isna(since) else pursuits[began_on(pursuits) >= since].reset_index(drop=True)


def _change(
    traits: list[Trait], levels: list[Levels], seen: np.ndarray, cells: np.ndarray, fold: np.ndarray
) -> tuple[list[int], float] | None:
    """Periods that may be the first after a change, and the t of that change; None where there is none to ask about.

    A period is a third of the `cells`' numbers.
    """
    period, each = cells // 3, np.arange(len(seen))
    counts = np.bincount(period)
    before = np.append(0, counts.cumsum()[:-1])
    least = max(LEAST_SINCE, LEAST_SHARE * len(seen))
    possible = np.flatnonzero((before >= LEAST_SINCE) & (len(seen) - before >= least))
    if not len(possible):
        return None
    rest = _standardised(seen, _sums_of_levels(levels, seen, fold))
    changes = {date: centred(rest * _contrast(period >= date), cells) for date in possible}
    # Sums of levels are quick and say which date is worth trees.
    told = {date: _sums_of_levels(levels, change, fold) for date, change in changes.items()}
    hints = {date: _t(told[date] * change) for date, change in changes.items()}
    date = max(hints, key=hints.__getitem__)
    if hints[date] < LEAST_HINT:
        return None
    guess = told[date] + teach(traits, changes[date], fold)[each, fold]
    # Who changed is known; when, is where their outcomes differ most, or at the latest date that is about as likely.
    t = np.array([_t(guess * change) for change in changes.values()])
    if t.max() < LEAST_CHANGE:
        return None
    likely = possible[(t > 0) & (t**2 >= t.max() ** 2 - NOT_EXCLUDED)]
    return sorted({int(possible[t.argmax()]), int(likely.max())}), float(t.max())


def _sums_of_levels(levels: list[Levels], y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """What levels add up to, learned without each fold; each trait's are held back by how much its levels differ."""
    out = np.arange(FOLDS)[:, None] != np.arange(FOLDS)
    count = np.bincount(fold, minlength=FOLDS)
    n = out @ count
    mean, squares = (out @ np.bincount(fold, its, FOLDS) / n for its in (y, y**2))
    variance = np.maximum(squares - mean**2, 1e-12)
    told = np.zeros(len(y))
    for one in levels:
        place = fold * one.size + one.codes
        many, total = (out @ np.bincount(place, its, FOLDS * one.size).reshape(FOLDS, -1) for its in (None, y))
        total = total - many * mean[:, None]
        by_chance = np.maximum((many > 0).sum(axis=1) - 1, 1)
        between = (total**2 / np.maximum(many, 1)).sum(axis=1) / variance - by_chance
        # In units of the variance within levels: how much their means differ (DerSimonian and Laird).
        spread = np.maximum(between, 0) / np.maximum(n - (many**2).sum(axis=1) / n, 1)
        effects = total * spread[:, None] / (many * spread[:, None] + 1)
        told += effects[fold, one.codes]
    return told


def _contrast(is_late: np.ndarray) -> np.ndarray:
    share = is_late.mean()
    return np.where(is_late, np.sqrt((1 - share) / share), -np.sqrt(share / (1 - share)))


def _t(products: np.ndarray) -> float:
    return float(products.sum() / max(np.sqrt((products**2).sum()), 1e-12))


def _standardised(seen: np.ndarray, told: np.ndarray) -> np.ndarray:
    """What was not foretold, in units of its spread among pursuits of like expectation."""
    rest = seen - told
    group = ((pd.Series(told).rank(method="first").to_numpy() - 1) * GROUPS // len(told)).astype(int)
    spread = np.array([rest[group == number].std() for number in range(GROUPS)])
    return rest / np.maximum(spread, 1e-12)[group]


def _pays(
    traits: list[Trait],
    levels: list[Levels],
    seen: np.ndarray,
    won: np.ndarray,
    period: np.ndarray,
    dates: list[int],
    order: np.ndarray,
) -> tuple[int, float]:
    """The date since which it pays most to learn, and by how much (t): pursuits since then are foretold by others since then and
    by all others. Trees are asked where sums of levels say that it pays."""

    def gain(date: int, both: np.ndarray, recent: np.ndarray) -> float:
        return _t((seen[period >= date] - both) ** 2 - (seen[period >= date] - recent) ** 2)

    hinted = []
    for date in dates:
        late = np.flatnonzero(period >= date)
        block = np.full(len(seen), BLOCKS)
        block[late[np.argsort(order[late], kind="stable")]] = np.arange(len(late)) * BLOCKS // len(late)
        only = [one._replace(codes=one.codes[late]) for one in levels]
        told = _sums_of_levels(levels, seen, block)[late], _sums_of_levels(only, seen[late], block[late])
        hinted.append((gain(date, *told), date, late, block))
    hint, date, late, block = max(hinted, key=lambda one: one[0])
    if hint <= 0 or won[late].sum() < LEAST_WINS:
        return date, -np.inf
    train = np.array([[block != number, (block < BLOCKS) & (block != number)] for number in range(BLOCKS)])
    columns, is_text = np.stack([t.raw for t in traits]), np.array([not t.is_numeric for t in traits])
    told = boosted(columns, is_text, seen, train.reshape(2 * BLOCKS, -1), TAUGHT_BINS).reshape(BLOCKS, 2, -1)
    return date, gain(date, *(told[block[late], number, late] for number in (0, 1)))
