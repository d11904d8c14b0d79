"""Effects of the levels of all traits, averaged over rules (Bayesian model averaging), for few pursuits.

A rule is a conjunction: values of some traits, a range of bands of others. Pursuits that meet it are won more often, or bring
more, by factors of its own; two rules add up. Which rules hold is not known from a few hundred pursuits, so rules are drawn as
often as they are likely (Gibbs sampling, many chains side by side), and a level is worth its mean over what was drawn. Pooled
effects know no rules: of few pursuits they shrink what levels have in common as much as what chance gave each.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from icp_refinery.learning.pooled import Levels, Outcome, strongest, summed

RULES = 2
CHAINS, HELD_OUT_CHAINS = 32, 6  # for all pursuits, and for those without each part
SWEEPS, UNHEARD = 50, 15  # of all rules and traits; the first are not counted
USED_TRAITS = 1.2  # of a rule, before any outcome is seen
INCLUDED = np.array([0.1, 0.2, 0.35])  # the share of a text's values that a rule holds for
LIFTS = (1.7, 2.5, 3.7, 5.5)  # of value
LOWERING = 0.25  # of rules lower it by as much
SHARES = {0.4: 0.4, 0.7: 0.4, -0.5: 0.1, 1.5: 0.1}  # of a lift's logarithm that is winning (the rest is price): how likely
STRENGTHS = np.array(
    [[sign * np.log(lift) * part for part in (share, 1 - share)] for sign in (1, -1) for lift in LIFTS for share in SHARES]
)
EXPECTED = np.concatenate([part / len(LIFTS) * np.tile(list(SHARES.values()), len(LIFTS)) for part in (1 - LOWERING, LOWERING)])
PROPOSALS = 3  # of a strength, in every sweep
PERIOD_PRIOR = 30.0  # pursuits that a period's win rate is drawn to the mean by
HIGHEST = np.log(0.95)  # of a chance of winning
LEAST_NOISE = 0.05  # variance of the logarithm of amounts


def averaged_effects(
    levels: list[Levels], outcome: Outcome, part: np.ndarray, parts: int, seed: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """The effect of each level of each trait on the logarithm of value, and of each pursuit the sum of its levels' effects,
    learned without its `part` (a number below `parts`).

    `outcome` as of `outcome_of`, with ratios. Effects are centred on the pursuits.
    """
    effects = [np.zeros(one.size) for one in levels]
    by_group = [set(strongest(levels, outcome, np.flatnonzero(part != number))) for number in range(parts + 1)]
    chosen = sorted(set().union(*by_group))
    levels = [levels[number] for number in chosen]
    group = np.repeat(np.arange(parts + 1), [HELD_OUT_CHAINS] * parts + [CHAINS])
    asked = np.array([[number in by_group[its] for its in group] for number in chosen])
    drawn = _Chains(levels, outcome, (part[:, None] != group).astype(float), asked, np.random.default_rng(seed)).mean_effects()
    of_group = [[its[:, group == number].mean(axis=1) for its in drawn] for number in range(parts + 1)]
    told = np.zeros(len(part))
    for number in range(parts):
        held = np.flatnonzero(part == number)
        told[held] = summed(levels, of_group[number], held)
    for number, its in zip(chosen, of_group[parts], strict=True):
        effects[number] = its
    return effects, told


class _Chains:
    """Pursuits × chains, all at once. `weight` is 1 where a chain learns from a pursuit, else 0; `asked` (traits × chains): which
    traits its rules may ask for."""

    def __init__(
        self, levels: list[Levels], outcome: Outcome, weight: np.ndarray, asked: np.ndarray, rng: np.random.Generator
    ) -> None:
        self.rng, self.many = rng, weight.shape[1]
        self.sizes = [one.size for one in levels]
        self.ranges = [_ranges(one.size - 1) if one.trait.is_numeric else None for one in levels]
        self.codes = [one.codes.astype(np.intp) for one in levels]
        self.at_level = [np.equal.outer(np.arange(one.size), one.codes).astype(float) for one in levels]
        self.shares = [its @ weight / weight.sum(axis=0) for its in self.at_level]
        used = np.minimum(USED_TRAITS / asked.sum(axis=0), 0.5)
        with np.errstate(divide="ignore"):
            self.log_odds = np.log(asked * used / (1 - used))
        won = outcome.won.astype(float)[:, None]
        self.weight, self.wins, self.losses = weight, weight * won, weight * (1 - won)
        self.all_won = bool(outcome.won.all())
        self.amount, self.by_period = (its[:, None] for its in _within_periods(outcome))
        self.won = np.maximum(self.wins.sum(axis=0), 0.5)
        self.rate = np.log(self.won / weight.sum(axis=0))
        self.strength = rng.choice(len(STRENGTHS), (RULES, self.many), p=EXPECTED)
        # Each chain begins with some values of one trait.
        first = rng.integers(len(levels), size=(RULES, 1, self.many))
        self.inside = [
            [(rng.random((self.many, size)).T < 0.3) | (first[rule] != t) for t, size in enumerate(self.sizes)]
            for rule in range(RULES)
        ]
        # 1 where a pursuit does not meet what a rule asks of a trait; and of how many traits that is so.
        self.lacks = [[self._lacking(t, its) for t, its in enumerate(of)] for of in self.inside]
        self.unmet = [sum(of, np.zeros(weight.shape, dtype=np.int8)) for of in self.lacks]

    def _lacking(self, t: int, inside: np.ndarray) -> np.ndarray:
        return (~inside).view(np.int8).take(self.codes[t], axis=0)

    def mean_effects(self) -> list[np.ndarray]:
        """By trait levels × chains: the mean effect over what is drawn."""
        effects = [np.zeros((size, self.many)) for size in self.sizes]
        for sweep in range(SWEEPS):
            for rule in range(RULES):
                self._draw(rule)
            if sweep >= UNHEARD:
                for rule in range(RULES):
                    self._add(rule, effects)
        return [its / (SWEEPS - UNHEARD) for its in effects]

    def _add(self, rule: int, effects: list[np.ndarray]) -> None:
        """What each level adds to the mean of a rule's effect, were all traits independent."""
        met = np.stack([(its * share).sum(axis=0) for its, share in zip(self.inside[rule], self.shares, strict=True)])
        none = np.ones((1, self.many))
        before, after = np.cumprod([*none, *met[:-1]], axis=0), np.cumprod([*none, *met[:0:-1]], axis=0)[::-1]
        size = STRENGTHS[self.strength[rule]].sum(axis=1) * before * after
        for t, its in enumerate(effects):
            its += size[t] * (self.inside[rule][t] - met[t])

    def _told(self, rules: list[int]) -> np.ndarray:
        """By how much rules move the logarithms of the chance of winning and of the amount: 2 × pursuits × chains."""
        told = np.zeros((2, *self.weight.shape))
        for rule in rules:
            told += STRENGTHS[self.strength[rule]].T[:, None] * (self.unmet[rule] == 0)
        return told

    def _draw(self, rule: int) -> None:
        """Draw a rule anew, trait by trait, given the other rules; then its strength."""
        others = self._told([other for other in range(RULES) if other != rule])
        mine = STRENGTHS[self.strength[rule]].T[:, None]
        winning, amount = others + mine * (self.unmet[rule] == 0)
        lifted = (np.exp(winning) * self.weight).sum(axis=0) / self.weight.sum(axis=0)
        rest = self.amount - amount
        mean = (rest * self.wins).sum(axis=0) / self.won
        noise = np.maximum(((rest - mean) ** 2 * self.wins).sum(axis=0) / self.won, LEAST_NOISE)
        before = np.minimum(self.rate - np.log(lifted) + self.by_period + others[0], HIGHEST)
        lost_before, rest = np.log(1 - np.exp(before)), self.amount - mean - others[1]

        def gained(strength: np.ndarray) -> np.ndarray:
            """The log likelihood ratio of each pursuit, were it to meet the rule."""
            more, dearer = STRENGTHS[strength].T
            ratio = (2 * rest - dearer) * dearer / (2 * noise)
            if self.all_won:
                return self.wins * ratio
            after = np.minimum(before + more, HIGHEST)
            return self.wins * (after - before + ratio) + self.losses * (np.log(1 - np.exp(after)) - lost_before)

        gain = gained(self.strength[rule])
        for t in self.rng.permutation(len(self.sizes)):
            self._draw_trait(rule, t, gain)
        held = self.unmet[rule] == 0
        now = (gain * held).sum(axis=0)
        for _ in range(PROPOSALS):
            asked = self.rng.choice(len(STRENGTHS), self.many, p=EXPECTED)
            new = (gained(asked) * held).sum(axis=0)
            taken = np.log(self.rng.random(self.many)) < new - now
            self.strength[rule], now = np.where(taken, asked, self.strength[rule]), np.where(taken, new, now)

    def _draw_trait(self, rule: int, t: int, gain: np.ndarray) -> None:
        """Draw whether a rule asks for a trait, and which of its levels, by what those pursuits gain that meet all else."""
        rng, size = self.rng, self.sizes[t]
        unmet = self.unmet[rule]
        unmet -= self.lacks[rule][t]
        by_level = self.at_level[t] @ (gain * (unmet == 0))
        if self.ranges[t] is not None:
            low, high = self.ranges[t]
            sums = np.zeros(by_level.shape)
            np.cumsum(by_level[:-1], axis=0, out=sums[1:])
            chosen, evidence = _one_of(sums[high + 1] - sums[low], rng)
            at = np.arange(size)[:, None]
            inside = (at >= low[chosen]) & (at <= high[chosen])
        else:
            odds = np.exp(by_level.clip(-30, 30))
            ratio = np.log(1 + INCLUDED[:, None, None] * (odds - 1)).sum(axis=1)
            chosen, evidence = _one_of(ratio, rng)
            share = INCLUDED[chosen]
            inside = share * odds / (1 - share + share * odds) > rng.random((self.many, size)).T
        log_odds = evidence - by_level.sum(axis=0) + self.log_odds[t]
        inside |= rng.random(self.many) >= expit(log_odds)
        self.inside[rule][t] = inside
        self.lacks[rule][t] = self._lacking(t, inside)
        unmet += self.lacks[rule][t]


def _one_of(log_weight: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a row for each column, by its weight; and the logarithm of the mean weight."""
    highest = log_weight.max(axis=0)
    running = np.cumsum(np.exp(log_weight - highest), axis=0)
    return (running < rng.random(log_weight.shape[1]) * running[-1]).sum(axis=0), highest + np.log(running[-1] / len(log_weight))


def _ranges(bands: int) -> tuple[np.ndarray, np.ndarray]:
    """The first and last band of every range but the whole (or of that, where there is one band)."""
    low, high = np.triu_indices(bands)
    partial = (high - low < bands - 1) | (bands == 1)
    return low[partial], high[partial]


def _within_periods(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    """Amounts relative to those of the period (0 where lost), and the logarithm of a period's win rate relative to all."""
    won, amount, period = outcome.won, np.where(outcome.won, np.nan_to_num(outcome.amount), 0.0), outcome.periods
    wins, count, total = (np.bincount(period, its) for its in (won.astype(float), np.ones(len(won)), amount))
    rate = max(won.mean(), 1e-9)
    drawn = np.log((wins + PERIOD_PRIOR * rate) / (count + PERIOD_PRIOR) / rate)
    return np.where(won, amount - (total / (wins + PERIOD_PRIOR * rate))[period], 0.0), drawn[period]
