"""Effects of the levels of all traits on the value of a pursuit, partially pooled (empirical Bayes).

Two outcomes at once: whether a pursuit is won (a Bernoulli likelihood with a log link), and the logarithm of what a win brings
(a normal one). A level moves both alike or moves them apart; only the former changes their product and is an effect here. Each
trait has a variance of its own for either, by MacKay's updates of the evidence; neighboring bands of a number are correlated. A
trait whose variance vanishes says nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag, cho_solve, cholesky
from scipy.linalg.lapack import dtrtri

from icp_refinery.learning.traits import Trait
from icp_refinery.learning.value import all_positive, winsorised

BANDS = 12
REACH = 3.0  # bands over which the effects of a number stay alike
PENALTIES = (0.3, 1.0)  # of the size of effects; the lower alone is too bold, the higher too often silent
LEAST_SPREAD = 0.03  # of a trait's effects, or it says nothing
FIRST_SPREAD = 0.3
EVEN_SPREAD = 0.2  # of every trait alike
EVEN_SHARE = 0.1  # of what that says is added: an order of accounts also where no trait's variance is sure
STEPS, EVEN_STEPS = 18, 3
STILL = 0.05  # change of the logarithm of every variance, for a fit to end
OWN_LEVELS, OWN_SHARE, OWN_SPREAD = 4, 0.05, 0.7  # values with an effect of their own: how many, at most, and its size
OWN_PERIOD = 10.0  # pursuits that a period's win rate is drawn to the mean by
LEAST_TOLD, LEAST_SCATTER = 3.0, 0.3  # wins of a value that are expected, and their variance
MOST_CHANCE = 0.95
MOST_TRAITS = 24  # those that differ most, one at a time


class Levels(NamedTuple):
    """A trait as few levels: `codes` of all pursuits, the prior correlation of levels, and the edges between bands of a number.

    A text has the codes of its trait (its values, any other, missing); a number has its bands, then missing.
    """

    trait: Trait
    codes: np.ndarray
    alike: np.ndarray
    edges: list[float]

    @property
    def size(self) -> int:
        return len(self.alike)


class Outcome(NamedTuple):
    """Which pursuits are won, `amount` (the centred logarithm of what each brings, NaN where it is lost), and periods.

    Where values are not all positive, `amount` is the value of every pursuit in units of its spread, and nothing else counts.
    """

    won: np.ndarray
    amount: np.ndarray
    periods: np.ndarray
    is_ratio: bool


def outcome_of(won: np.ndarray, value: np.ndarray, cells: np.ndarray) -> Outcome:
    """What is learned from: `value` per pursuit, developed; `cells` as of `time_cells`."""
    periods = np.unique(cells // 3, return_inverse=True)[1]
    if not all_positive(value[won]):
        capped = winsorised(value, won, 0.95)
        return Outcome(won, (capped - capped.mean()) / max(capped.std(), 1e-12), periods, False)
    amount = np.full(len(won), np.nan)
    known = value[won]
    amount[won] = np.log(np.clip(known, np.quantile(known[known > 0], 0.01), np.quantile(known, 0.99)))
    return Outcome(won, amount - np.nanmean(amount), periods, True)


def levels_of(trait: Trait) -> Levels:
    """The levels of a trait: bands of equal numbers of pursuits, for a number."""
    if not trait.is_numeric:
        return Levels(trait, trait.codes, np.eye(trait.size), [])
    present = trait.codes[trait.codes != trait.missing]
    cuts = np.unique(np.quantile(present, np.arange(1, BANDS) / BANDS, method="inverted_cdf"))
    cuts = cuts[cuts > present.min()].astype(int)
    codes = np.where(trait.codes == trait.missing, len(cuts) + 1, np.searchsorted(cuts, trait.codes, side="right"))
    return Levels(
        trait, codes, block_diag(_smooth(len(cuts) + 1, REACH * (len(cuts) + 1) / BANDS), 1.0), [trait.edges[c - 1] for c in cuts]
    )


def _smooth(size: int, reach: float) -> np.ndarray:
    at = np.arange(size)
    return np.exp(-np.abs(at[:, None] - at) / reach)


def pooled_effects(levels: list[Levels], outcome: Outcome, rows: np.ndarray | None = None) -> list[np.ndarray]:
    """The effect of each level of each trait on the logarithm of value (or on value, in units of its spread).

    Learned from the pursuits `rows` (all by default): the average over `PENALTIES`, and a small share of what variances that are
    alike would say. Effects are centred on those pursuits.
    """
    rows = np.arange(len(outcome.won)) if rows is None else rows
    effects = [np.zeros(one.size) for one in levels]
    chosen = strongest(levels, outcome, rows)
    if not chosen:
        return effects
    known = [levels[number] for number in chosen]
    time = _smooth(outcome.periods.max() + 1, REACH)
    start = np.cumsum([0, *(one.size for one in known), len(time)])
    table = _Table(np.stack([*(one.codes[rows] for one in known), outcome.periods[rows]]) + start[:-1, None], start)
    inverse = [np.linalg.inv(its + 1e-9 * np.eye(len(its))) for its in [*(one.alike for one in known), time]]
    here = outcome._replace(won=outcome.won[rows], amount=outcome.amount[rows], periods=outcome.periods[rows])
    # Each fit begins where the one before ended: a higher penalty takes from what a lower one leaves.
    found = None
    for penalty, share, steps in (*((each, 1 / len(PENALTIES), STEPS) for each in PENALTIES), (None, EVEN_SHARE, EVEN_STEPS)):
        found = _fitted(table, inverse, here, penalty, steps, found)
        for number, its in zip(chosen, np.split(found.alike, start[1:-1]), strict=False):
            effects[number] += share * its
    counts = [np.bincount(one.codes[rows], minlength=one.size) for one in levels]
    return [its - its @ count / len(rows) for its, count in zip(effects, counts, strict=True)]


def own_effects(levels: list[Levels], outcome: Outcome, effects: list[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
    """What single values of texts have of their own on winning beside `effects`, by the pursuits `rows`.

    A value is won more or less often than `effects` say by chance or, seldom, by an effect of its own (a spike and a slab): what
    the values of a trait have in common does not show it where the others say nothing. There is none where all are won.
    """
    won = outcome.won[rows].astype(float)
    made = [np.zeros(one.size) for one in levels]
    if not outcome.is_ratio or won.all() or not won.any():
        return made
    period, rate = outcome.periods[rows], won.mean()
    expected = (np.bincount(period, won) + OWN_PERIOD * rate) / (np.bincount(period) + OWN_PERIOD)
    expected = expected[period] * np.exp(np.clip(summed(levels, effects, rows) / 2, -3, 3))
    expected = np.minimum(expected * won.sum() / expected.sum(), MOST_CHANCE)
    prior = min(OWN_LEVELS / max(sum(one.size for one in levels if not one.trait.is_numeric), 1), OWN_SHARE)
    for t, one in enumerate(levels):
        if one.trait.is_numeric:
            continue
        codes = one.codes[rows]
        wins, told, scatter = (np.bincount(codes, part, one.size) for part in (won, expected, expected * (1 - expected)))
        scatter = np.maximum(scatter, LEAST_SCATTER)
        error = scatter / np.maximum(told, 0.5) ** 2
        kept = OWN_SPREAD**2 / (OWN_SPREAD**2 + error)
        odds = prior * np.sqrt(1 - kept) * np.exp(np.minimum(kept * (wins - told) ** 2 / scatter / 2, 50))
        own = np.where(told < LEAST_TOLD, 0.0, odds / (1 + odds) * kept * np.log((wins + 0.5) / (told + 0.5)))
        made[t] = own - own @ np.bincount(codes, minlength=one.size) / len(rows)
    return made


def strongest(levels: list[Levels], outcome: Outcome, rows: np.ndarray) -> list[int]:
    """Which traits are worth fitting: the `MOST_TRAITS` whose levels differ most in the pursuits `rows`."""
    if len(levels) <= MOST_TRAITS:
        return list(range(len(levels)))
    y = np.where(outcome.won, 1.0, 0.0)[rows] if outcome.is_ratio else outcome.amount[rows]
    worth = np.where(outcome.won, np.nan_to_num(outcome.amount), 0.0)[rows]
    strength = []
    for one in levels:
        n = np.bincount(one.codes[rows], minlength=one.size)
        told = 0.0
        for part in (y, worth):
            part = (part - part.mean()) / max(part.std(), 1e-12)
            told += (np.bincount(one.codes[rows], part, minlength=one.size) ** 2 / np.maximum(n, 1)).sum()
        free = 2 * max((n > 0).sum() - 1, 1)
        strength.append((told - free) / np.sqrt(2 * free))
    return sorted(np.argsort(-np.array(strength), kind="stable")[:MOST_TRAITS].tolist())


class _Table(NamedTuple):
    """Pursuits as levels of some traits side by side: `codes` (traits × pursuits, each trait's after those before it)."""

    codes: np.ndarray
    start: np.ndarray

    @property
    def width(self) -> int:
        return int(self.start[-1])

    def of(self, rows: np.ndarray, traits: np.ndarray) -> _Table:
        """Some of the pursuits, and of the traits."""
        sizes = np.diff(self.start)[traits]
        start = np.cumsum([0, *sizes])
        return _Table(self.codes[np.ix_(traits, rows)] + (start[:-1] - self.start[traits])[:, None], start)

    def added(self, weight: np.ndarray) -> np.ndarray:
        """The sum of a weight of the pursuits by level."""
        return np.bincount(self.codes.ravel(), np.tile(weight, len(self.codes)), self.width)

    def crossed(self, weight: np.ndarray) -> np.ndarray:
        """The same by pair of levels."""
        made = np.zeros((self.width, self.width))
        for at, its in enumerate(self.codes):
            low, high = self.start[at], self.start[at + 1]
            pairs = ((its - low) * self.width + self.codes[at:]).ravel()
            made[low:high] = np.bincount(pairs, np.tile(weight, len(self.codes) - at), (high - low) * self.width).reshape(
                -1, self.width
            )
        return made + np.triu(made, 1).T

    def told(self, effects: np.ndarray) -> np.ndarray:
        """The sum of the effects of each pursuit's levels."""
        return effects[self.codes].sum(axis=0)


class _Fit(NamedTuple):
    """Where a fit ended, for another to begin: effects that move both alike, by level; variances (kinds × traits), which of them
    are above nothing; `eta`, the logarithm of each pursuit's chance; and the variance of amounts."""

    alike: np.ndarray
    variance: np.ndarray
    live: np.ndarray
    eta: np.ndarray
    noise: float


def _fitted(
    table: _Table, inverse: list[np.ndarray], outcome: Outcome, penalty: float | None, steps: int, begin: _Fit | None = None
) -> _Fit:
    """Penalised quasi-likelihood. Unknowns: of each trait (the last: periods) `alike` and `apart` effects; two intercepts.

    `inverse`: of the prior correlation of each trait's levels. Without a penalty all variances stay alike.
    """
    won, many = outcome.won, len(inverse)
    has_losses = outcome.is_ratio and not won.all()
    valued = np.flatnonzero(won) if outcome.is_ratio else np.arange(len(won))
    amount, y = outcome.amount[valued], won.astype(float)
    half = 0.5 if outcome.is_ratio else 1.0
    rate = won.mean()
    top = np.log((1 + rate) / 2)
    if begin is None:
        eta, noise = np.full(len(won), np.log(max(rate, 1e-9))), max(float(amount.var()), 1e-6)
    else:
        eta, noise = begin.eta, begin.noise
    if begin is None or penalty is None:
        variance = np.full((2, many), (FIRST_SPREAD if penalty is not None else EVEN_SPREAD) ** 2)
        live = np.ones((2, many), dtype=bool)
        if not outcome.is_ratio:
            live[1] = False  # one outcome: nothing to move apart
    else:
        variance, live = begin.variance.copy(), begin.live.copy()
    shown = None
    for step in range(steps):
        if shown is None or not np.array_equal(shown, np.flatnonzero(live.any(axis=0))):
            shown = np.flatnonzero(live.any(axis=0))
            here = table.of(np.arange(len(won)), shown)
            priced = here.of(valued, np.arange(len(shown)))
            crossed, sum_of_amounts = priced.crossed(np.ones(len(valued))), priced.added(amount)
            width = here.width
        held = np.clip(eta, -8, top)
        mu = np.exp(held)
        weight = mu / (1 - mu) if has_losses else np.zeros(len(won))
        a, a_right = here.crossed(weight), weight * (held + (y - mu) / mu)
        b = crossed / noise
        precision = np.zeros((2 * width + 2, 2 * width + 2))
        precision[:width, :width] = precision[width:-2, width:-2] = half**2 * (a + b)
        precision[:width, width:-2] = precision[width:-2, :width] = half**2 * (a - b)
        of_win, of_price = half * np.diagonal(a), half * np.diagonal(b)
        precision[-2, :-2] = precision[:-2, -2] = np.concatenate([of_win, of_win])
        precision[-1, :-2] = precision[:-2, -1] = np.concatenate([of_price, -of_price])
        precision[[-2, -1], [-2, -1]] = weight.sum() + 1e-6, len(valued) / noise + 1e-6
        win_right, price_right = half * here.added(a_right), half * sum_of_amounts / noise
        right = np.concatenate([win_right + price_right, win_right - price_right, [a_right.sum(), amount.sum() / noise]])
        places = {
            (kind, t): kind * width + np.arange(here.start[at], here.start[at + 1])
            for kind in (0, 1)
            for at, t in enumerate(shown)
            if live[kind, t]
        }
        for (kind, t), at in places.items():
            precision[at[0] : at[-1] + 1, at[0] : at[-1] + 1] += inverse[t] / variance[kind, t]
        kept = np.concatenate([*places.values(), [2 * width, 2 * width + 1]])
        factor = cholesky(precision[np.ix_(kept, kept)], lower=True, check_finite=False)
        solution = np.zeros(2 * width + 2)
        solution[kept] = cho_solve((factor, True), right[kept], check_finite=False)
        alike, apart = solution[:width], solution[width:-2]
        told = here.told(half * (alike + apart)) + solution[-2]
        residual = amount - priced.told(half * (alike - apart)) - solution[-1]
        eta = 0.5 * (eta + told) if step == 0 and begin is None else told
        free = max(len(valued) - min(len(kept), len(valued) / 4), 1)
        noise = 0.5 * noise + 0.5 * max(float(residual @ residual) / free, 1e-4)
        if penalty is None or step == steps - 1:
            continue
        root, moved, first = dtrtri(factor, lower=1)[0], 0.0, 0
        for (kind, t), at in places.items():
            its, own = solution[at], root[first:, first : first + len(at)]
            first += len(at)
            effective = max(len(at) - float(((own @ inverse[t]) * own).sum()) / variance[kind, t], 1e-3)
            is_time = t == many - 1
            goal = max(float(its @ inverse[t] @ its) / (effective + (0.0 if is_time else penalty)), 1e-6)
            new = float(np.exp(0.2 * np.log(variance[kind, t]) + 0.8 * np.log(goal)))
            if new > LEAST_SPREAD**2:
                moved = max(moved, abs(np.log(new / variance[kind, t])))
            elif (step >= 3 or begin is not None) and not is_time:
                live[kind, t] = False
            variance[kind, t] = max(new, 1e-5)
        if moved < STILL and (step > 5 or begin is not None):
            break
    effects = np.zeros(table.width)
    for at, t in enumerate(shown):
        if live[0, t]:
            effects[table.start[t] : table.start[t + 1]] = alike[here.start[at] : here.start[at + 1]]
    return _Fit(effects, variance, live, eta, noise)


def summed(levels: list[Levels], effects: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
    """The sum of the effects of each of the pursuits `rows`."""
    return sum((its[one.codes[rows]] for one, its in zip(levels, effects, strict=True)), np.zeros(len(rows)))
