"""Backtest: what the segments would have been worth to whoever had followed them, quarter after quarter.

At each cut-off everything is learned from pursuits that were closed before it, with what they had brought by then. The
pursuits that began in the year after it are then put in the order of their scores, and what they really brought is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from icp_refinery.leaks import leak_flags
from icp_refinery.scorecard import fit_scores, learn_scorecard
from icp_refinery.segments import LEAST_PURSUITS, LEAST_WINS, assign, expected_value, learn_segments, winsorised

MOST_ACCOUNTS = 10_000  # pursuits that are read, and as many accounts that were only paid for
MOST_CUTOFFS = 8
PERMUTATIONS = 199  # at each cut-off, of the test whether segments are learned at all
WINDOW_MONTHS = 12  # pursuits that began so many months after the cut-off are scored
LEAST_SCORED = 30  # pursuits of a window
LEAST_SCORED_WINS = 5
RESAMPLES = 500  # of the accounts, and random orders of them
AT_ONCE = 50  # resamples in memory
MOST_STEPS = 1_000  # of a score; a finer one is read in so many steps of equal count
MOST_VALUES = 200  # of a trait, that gradient boosting tells apart
TENTHS = tuple(n / 10 for n in range(1, 11))
KEPT = (0.9, 0.95)
MEASURES = {"value_captured": TENTHS, "pursuits_skippable": KEPT, "spend_skippable": KEPT}
SKIPPED = "deprioritized"  # beside the scores: the accounts that would have been skipped
SKIPPED_MEASURES = {"deprioritized_pursuits": "pursuits", "deprioritized_value": "value", "deprioritized_spend": "spend"}
RANDOM = "random"
ADOPTED = "adopted"
LEAST_KNOWN = 0.975  # of the resamples have a total above 0, or a share of it means nothing
COLUMNS = {
    "cutoff": "str",
    "scorer": "str",
    "measure": "str",
    "share": "float64",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "pursuits": "int64",
    "wins": "int64",
    "learned_pursuits": "int64",
    "won_value": "float64",
    "spend": "float64",
    "note": "str",
}


class Known(NamedTuple):
    """What is known at a cut-off: `pursuits` closed before it, as `learn_segments` takes them, and all accounts' `traits`."""

    pursuits: pd.DataFrame
    traits: pd.DataFrame


class Adopted(NamedTuple):
    """The adopted definition: by account, the value per pursuit of its segment as recorded when it was learned, and that day."""

    value_per_pursuit: pd.Series
    learned_as_of: pd.Timestamp


Scores = Callable[[Known], dict[str, pd.Series]]


class Window(NamedTuple):
    """A cut-off, what was learned at it, and the accounts that its scores are tried on.

    `accounts` has the index `account_id` and the columns `pursuits` (1 if its pursuit began in the window, else 0), `value`
    (what that brought), `is_won`, `spend` (on the account, in the window) and `is_skipped` (in a deprioritized segment; missing
    where no tiers were given); `scores` has a column per scorer, and those of earlier windows are in all later ones.
    """

    cutoff: pd.Timestamp
    learned_pursuits: int
    accounts: pd.DataFrame
    scores: pd.DataFrame


# ---------------------------------------------------------------------------------------------- public


def backtest(
    pursuits: pd.DataFrame,
    traits: pd.DataFrame,
    sales: pd.DataFrame,
    spend: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    scores: Scores | None = None,
    adopted: Adopted | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Learn before each cut-off, score what began after it, and count what the best pursuits brought.

    Parameters
    ----------
    pursuits
        One row per pursuit: `account_id` (unique), `began_on`, `closed_on` (times), `is_won`, `value` (sold so far).
    traits
        Index `account_id`, one column per trait, of all accounts with a pursuit or spend.
    sales
        `account_id`, `sold_on`, `value`: the orders that the values of `pursuits` add up.
    spend
        Optional: `account_id`, `spend_month`, `amount`, what was spent on accounts that were not customers yet.
    as_of
        The last day that exists.
    scores
        What gives the scores at a cut-off, by scorer and account, and under `deprioritized` whether an account is in a segment of
        that tier; `learned_scores` if left out.
    adopted
        Optional: a definition that is in force. It is the scorer `adopted` at the cut-offs after its `learned_as_of`; what began
        after an earlier one may be what it was learned from.
    resamples, seed
        Number of resamples for the intervals, and what they follow from.

    Returns
    -------
    One row per cut-off (or `all`), scorer (and `random`), measure and share; of `adopted` there is `all` only if it is at every
    cut-off. `value_captured`: of the won value, what the best `share` of pursuits brought. `pursuits_skippable`: the share of
    pursuits that could have been skipped while keeping `share` of the won value; `spend_skippable`: the share of spend on
    accounts below the same threshold. Accounts of equal score count
    with their average. `deprioritized_pursuits`, `deprioritized_value`, `deprioritized_spend` (with the scorer `segments` and the
    share 1): the share of pursuits, won value and spend of accounts that were in a deprioritized segment. `low`, `high`: 95 %
    intervals over resampled accounts, what was learned held fixed; of `random` the range of 95 % of random orders.
    Where nothing can be learned, `value` is missing and `note` says why.
    """
    pursuits = pursuits.sort_values("account_id", ignore_index=True)
    windows = []
    for cutoff in cutoffs(pursuits, as_of):
        known = Known(known_at(pursuits, sales, cutoff), traits)
        given = pd.DataFrame((scores or learned_scores)(known))
        accounts = accounts_after(pursuits, spend, cutoff)
        given = given.reindex(accounts.index)
        if SKIPPED in given:
            accounts["is_skipped"] = given.pop(SKIPPED).eq(True).astype(float)
        if adopted is not None and cutoff > adopted.learned_as_of:
            given[ADOPTED] = adopted.value_per_pursuit.reindex(accounts.index)
        windows.append(Window(cutoff, len(known.pursuits), accounts, given))
    if not windows:
        return _nothing()
    return _rows(windows, _estimates(windows, resamples, seed))


def cutoffs(pursuits: pd.DataFrame, as_of: pd.Timestamp) -> list[pd.Timestamp]:
    """The latest eight quarter starts that have enough closed pursuits before and, in a whole quarter or more, after them."""
    if pursuits.empty:
        return []
    end = as_of.normalize() + pd.Timedelta(days=1)
    found = []
    for cutoff in pd.date_range(pursuits["closed_on"].min().normalize(), end - pd.DateOffset(months=3), freq="QS"):
        before, after = pursuits["closed_on"] < cutoff, _began_after(pursuits, cutoff)
        enough = before.sum() >= LEAST_PURSUITS and pursuits.loc[before, "is_won"].sum() >= LEAST_WINS
        if enough and after.sum() >= LEAST_SCORED and pursuits.loc[after, "is_won"].sum() >= LEAST_SCORED_WINS:
            found.append(cutoff)
    return found[-MOST_CUTOFFS:]


def known_at(pursuits: pd.DataFrame, sales: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """The pursuits that were closed before the cut-off, with what they had brought by then, as `learn_segments` takes them."""
    known = pursuits[pursuits["closed_on"] < cutoff].reset_index(drop=True)
    sold = sales[sales["sold_on"] < cutoff].sort_values(["account_id", "sold_on", "value"])
    value = known["account_id"].map(sold.groupby("account_id")["value"].sum()).fillna(0.0)
    months = (cutoff - known["closed_on"].dt.normalize()).dt.days / 30.4375
    return known.assign(value=value.where(known["is_won"], 0.0), months_observed=months.where(known["is_won"]))


def accounts_after(pursuits: pd.DataFrame, spend: pd.DataFrame | None, cutoff: pd.Timestamp) -> pd.DataFrame:
    """The accounts that are scored at a cut-off: those whose pursuit began in its window, and others that were paid for in it.

    Accounts that were being pursued at the cut-off are out: whether to pursue them had been decided.
    """
    after = pursuits[_began_after(pursuits, cutoff)].set_index("account_id")
    accounts = pd.DataFrame({"pursuits": 1.0, "value": after["value"], "is_won": after["is_won"]})
    amount = pd.Series(dtype=float)
    if spend is not None and len(spend):
        open_then = pursuits.loc[(pursuits["began_on"] < cutoff) & (pursuits["closed_on"] >= cutoff), "account_id"]
        month = pd.to_datetime(spend["spend_month"])
        inside = (month >= cutoff) & (month < _window_end(cutoff)) & ~spend["account_id"].isin(open_then)
        amount = spend[inside].sort_values(["account_id", "spend_month"]).groupby("account_id")["amount"].sum()
    everyone = accounts.index.union(amount.index).sort_values()
    accounts = accounts.reindex(everyone).assign(spend=amount.reindex(everyone))
    accounts["is_won"] = accounts["is_won"].eq(True)
    return accounts.fillna({"pursuits": 0.0, "value": 0.0, "spend": 0.0})


def learned_scores(known: Known) -> dict[str, pd.Series]:
    """The scores that the project learns, and gradient boosting beside them."""
    learned = learn_segments(known.pursuits, known.traits, permutations=PERMUTATIONS)
    segment = assign(known.traits, learned.rules)
    segments = learned.segments.set_index("segment_id")
    card = learn_scorecard(known.pursuits, known.traits, learned)
    return {
        "segments": segment.map(segments["value_per_pursuit"]),
        "scorecard": fit_scores(known.traits, card, segment),
        "boosting": boosted_scores(known.pursuits, known.traits),
        SKIPPED: segment.map(segments["tier"] == "deprioritized"),
    }


def boosted_scores(pursuits: pd.DataFrame, traits: pd.DataFrame) -> pd.Series:
    """The unreadable yardstick: gradient boosting of the value of a pursuit on the same traits, for all accounts in `traits`.

    Small trees and capped values: on heavy-tailed money larger ones are a yardstick that is easy to beat.
    """
    # What was known of nobody then is no trait yet.
    learned_from = traits.loc[pursuits["account_id"]].dropna(axis="columns", how="all")
    flags = leak_flags(pursuits, learned_from)
    columns, kinds = {}, []
    for name in sorted(set(learned_from.columns) - set(flags.loc[flags["is_left_out"], "attribute"])):
        column = traits[name]
        kinds.append(not pd.api.types.is_numeric_dtype(column))
        columns[name] = _codes(column, learned_from[name]) if kinds[-1] else column.astype(float)
    if not columns:
        return pd.Series(0.0, index=traits.index)
    x = pd.DataFrame(columns)
    model = HistGradientBoostingRegressor(
        learning_rate=0.1,
        max_iter=60,
        max_leaf_nodes=3,
        min_samples_leaf=30,
        l2_regularization=20.0,
        categorical_features=kinds,
        early_stopping=False,
        random_state=0,
    )
    won = pursuits["is_won"].to_numpy(dtype=bool)
    value = winsorised(expected_value(pursuits)[0].to_numpy(), won)
    with threadpool_limits(limits=1):
        model.fit(x.loc[pursuits["account_id"]].to_numpy(), value)
        return pd.Series(model.predict(x.to_numpy()), index=x.index)


# --------------------------------------------------------------------------------------------- windows


def _window_end(cutoff: pd.Timestamp) -> pd.Timestamp:
    return cutoff + pd.DateOffset(months=WINDOW_MONTHS)


def _began_after(pursuits: pd.DataFrame, cutoff: pd.Timestamp) -> pd.Series:
    return (pursuits["began_on"] >= cutoff) & (pursuits["began_on"] < _window_end(cutoff))


def _codes(column: pd.Series, learned_from: pd.Series) -> pd.Series:
    """A categorical trait as numbers; values that are rare, or that nothing was learned from, share one."""
    counts = learned_from.dropna().astype(str).value_counts()
    kept = sorted(sorted(counts.index, key=lambda value: (-counts[value], value))[:MOST_VALUES])
    codes = column.astype(str).map({value: float(code) for code, value in enumerate(kept)}).astype(float)
    return codes.fillna(float(len(kept))).mask(column.isna())


# --------------------------------------------------------------------------------------------- figures


def _estimates(windows: list[Window], resamples: int, seed: int) -> dict[tuple[int, str], dict[str, np.ndarray]]:
    """By window (-1: over all) and scorer, each measure as shares × (1 + resamples); the first column is the data's own.

    An account is drawn, or not, in all windows at once.
    """
    rng = np.random.default_rng(seed)
    everyone = sorted(set().union(*(w.accounts.index for w in windows)))
    place = pd.Series(np.arange(len(everyone)), index=everyone)
    drawn = np.ones((resamples + 1, len(everyone)), dtype=np.uint8)
    order = np.empty((resamples, len(everyone)), dtype=np.float32)
    for b in range(resamples):
        drawn[b + 1] = np.bincount(rng.integers(0, len(everyone), len(everyone)), minlength=len(everyone))
        order[b] = rng.random(len(everyone), dtype=np.float32)
    totals: dict[tuple[int, str], list[np.ndarray]] = {}
    for number, window in enumerate(windows):
        at = place[window.accounts.index].to_numpy()
        lucky = _in_parts(window.accounts, lambda part, at=at: (order[part][:, at], None), resamples)
        alike = _in_parts(window.accounts, lambda part, at=at: (np.zeros(len(at)), drawn[part][:, at]), 1)
        totals[number, RANDOM] = [np.concatenate(pair, axis=-1) for pair in zip(alike, lucky, strict=True)]
        for scorer, score in window.scores.items():
            steps = _steps(score.to_numpy(dtype=float))
            if len(np.unique(steps)) == 1:
                totals[number, scorer] = totals[number, RANDOM]
                continue
            totals[number, scorer] = _in_parts(
                window.accounts, lambda part, at=at, steps=steps: (steps, drawn[part][:, at]), resamples + 1
            )
    for scorer in [RANDOM, *windows[0].scores]:
        each = [totals[number, scorer] for number in range(len(windows))]
        totals[-1, scorer] = [np.sum(parts, axis=0) for parts in zip(*each, strict=True)]
    found = {key: _as_shares(*parts) for key, parts in totals.items()}
    if "is_skipped" in windows[0].accounts:
        parts = np.stack([_skipped_amounts(w.accounts, drawn[:, place[w.accounts.index].to_numpy()]) for w in windows])
        for number, part in [*enumerate(parts), (-1, parts.sum(axis=0))]:
            found[number, SKIPPED] = _skipped_shares(part)
    return found


def _skipped_amounts(accounts: pd.DataFrame, weight: np.ndarray) -> np.ndarray:
    """Pursuits, value and spend × of the skipped accounts and of all × replicates (the rows of `weight`)."""
    amounts = accounts[list(SKIPPED_MEASURES.values())].to_numpy(dtype=float)
    both = np.stack([amounts * accounts[["is_skipped"]].to_numpy(), amounts])
    with threadpool_limits(limits=1):
        parts = [weight[start : start + AT_ONCE].astype(float) @ both for start in range(0, len(weight), AT_ONCE)]
    return np.concatenate(parts, axis=1).transpose(2, 0, 1)


def _skipped_shares(amounts: np.ndarray) -> dict[str, np.ndarray]:
    """Shares of the totals; missing where nothing of value was won, or nothing spent."""
    skipped, everyone = amounts[:, 0], amounts[:, 1]
    shares = np.divide(skipped, everyone, out=np.full(skipped.shape, np.nan), where=everyone > 0)
    return dict(zip(SKIPPED_MEASURES, shares[:, None], strict=True))


def _steps(score: np.ndarray) -> np.ndarray:
    """Scores as whole numbers in their order; differences in the last digits are none."""
    rounded = np.array([float(f"{s:.10g}") for s in np.nan_to_num(score)])
    steps = np.unique(rounded, return_inverse=True)[1]
    if steps.max(initial=0) >= MOST_STEPS:
        rank = np.searchsorted(np.sort(steps), steps)
        steps = rank * MOST_STEPS // len(steps)
    return steps


def _in_parts(accounts: pd.DataFrame, given: Callable, replicates: int) -> list[np.ndarray]:
    parts = [slice(start, min(start + AT_ONCE, replicates)) for start in range(0, replicates, AT_ONCE)]
    made = [_amounts(accounts, *given(part)) for part in parts]
    return [np.concatenate(several, axis=-1) for several in zip(*made, strict=True)]


def _amounts(accounts: pd.DataFrame, score: np.ndarray, weight: np.ndarray | None) -> list[np.ndarray]:
    """What the best accounts bring and cost, for each replicate (a row of `weight`, or of `score`).

    Returns captured value (shares × replicates), kept pursuits and kept spend (shares kept × replicates), and the totals of
    value, pursuits and spend (replicates).
    """
    each = np.stack([accounts[name].to_numpy(dtype=float) for name in ("pursuits", "value", "spend")])
    if weight is None:
        by_score = np.argsort(-score, axis=1, kind="stable")
        count, value, spend = (np.cumsum(figure[by_score], axis=1) for figure in each)
    else:
        by_score = np.argsort(-score, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(score[by_score]) != 0])
        weighted = weight[:, by_score].astype(float)
        count, value, spend = (np.cumsum(np.add.reduceat(weighted * f[by_score], starts, axis=1), axis=1) for f in each)
    captured = np.stack([_read(value, *_crossing(count, share * count[:, -1])) for share in TENTHS])
    kept = [_crossing(value, share * value[:, -1]) for share in KEPT]
    return [
        captured,
        np.stack([_read(count, *at) for at in kept]),
        np.stack([_read(spend, *at) for at in kept]),
        value[:, -1],
        count[:, -1],
        spend[:, -1],
    ]


def _crossing(running: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step in which a running sum first reaches its target, by row, and the part of the step that it takes."""
    close = np.abs(running[:, -1:]) * 1e-12
    step = np.argmax(running >= target[:, None] - close, axis=1)
    rows = np.arange(len(running))
    before = np.where(step > 0, running[rows, step - 1], 0.0)
    rise = running[rows, step] - before
    part = np.divide(target - before, rise, out=np.ones(len(rows)), where=rise > 0)
    return step, np.clip(part, 0.0, 1.0)


def _read(running: np.ndarray, step: np.ndarray, part: np.ndarray) -> np.ndarray:
    rows = np.arange(len(running))
    before = np.where(step > 0, running[rows, step - 1], 0.0)
    return before + part * (running[rows, step] - before)


def _as_shares(
    captured: np.ndarray, pursuits: np.ndarray, spend: np.ndarray, value: np.ndarray, count: np.ndarray, cost: np.ndarray
) -> dict[str, np.ndarray]:
    """Shares of the totals; missing where nothing of value was won, or nothing spent."""
    won = value > 0
    return {
        "value_captured": np.where(won, captured / np.where(won, value, 1.0), np.nan),
        "pursuits_skippable": np.where(won, 1 - pursuits / np.maximum(count, 1), np.nan),
        "spend_skippable": np.where(won & (cost > 0), 1 - spend / np.where(cost > 0, cost, 1.0), np.nan),
    }


# ------------------------------------------------------------------------------------------------ rows


def _rows(windows: list[Window], estimates: dict[tuple[int, str], dict[str, np.ndarray]]) -> pd.DataFrame:
    rows = []
    for number in [-1, *range(len(windows))]:
        read = windows if number < 0 else [windows[number]]
        counts = _counts(read)
        for scorer in [*read[0].scores, RANDOM]:
            note = _note(read, scorer)
            given = [(measure, shares, scorer, note) for measure, shares in MEASURES.items()]
            if scorer == "segments" and (number, SKIPPED) in estimates:
                note = _skipped_note(read)
                given += [(measure, (1.0,), SKIPPED, note) for measure in SKIPPED_MEASURES]
            for measure, shares, source, note in given:
                for at, share in enumerate(shares):
                    figures = estimates[number, source][measure][at]
                    said = (
                        note if np.isfinite(figures[0]) else "no spend" if "spend" in measure else "what was won is not above 0"
                    )
                    if np.isfinite(figures[0]) and np.isfinite(figures[1:]).mean() < LEAST_KNOWN:
                        figures, said = np.full_like(figures, np.nan), "what was won is too near to 0 for shares of it"
                    by_chance = estimates[number, RANDOM].get(measure)
                    is_shifted = by_chance is None or not np.array_equal(figures, by_chance[at], equal_nan=True)
                    low, high = _interval(figures, is_shifted) if np.isfinite(figures[0]) else (np.nan, np.nan)
                    cutoff = "all" if number < 0 else f"{windows[number].cutoff:%Y-%m-%d}"
                    rows.append([cutoff, scorer, measure, share, _digits(figures[0]), low, high, *counts, said])
    return _typed(rows)


def _skipped_note(windows: list[Window]) -> str:
    found = sum(w.accounts["is_skipped"].any() for w in windows)
    if not found:
        return "no segment was deprioritized"
    return "" if found == len(windows) else f"a segment was deprioritized at {found} of {len(windows)} cut-offs"


def _interval(figures: np.ndarray, is_shifted: bool) -> tuple[float, float]:
    """The 95 % interval of the first figure from its resamples, the others.

    Percentiles, shifted for bias and skew (BCa, Efron 1987; the acceleration is a sixth of the skewness of the resamples, as
    for a linear statistic): with a few large deals, plain percentiles lie too low.
    """
    known = figures[1:][np.isfinite(figures[1:])]
    if not len(known):
        return np.nan, np.nan
    spread = known.std()
    levels = np.array([0.025, 0.975])
    if is_shifted and spread > 1e-12:
        below = (known < figures[0]).mean() + (known == figures[0]).mean() / 2
        bias = norm.ppf(np.clip(below, 0.5 / len(known), 1 - 0.5 / len(known)))
        acceleration = ((known - known.mean()) ** 3).mean() / spread**3 / 6
        z = bias + norm.ppf(levels)
        levels = np.sort(norm.cdf(bias + z / (1 - acceleration * z)))
    low, high = np.quantile(known, levels)
    return _digits(low), _digits(high)


def _counts(windows: list[Window]) -> list[float]:
    """Pursuits, wins, pursuits learned from, won value and spend; an account counts once, however many windows it is in."""
    accounts = pd.concat([w.accounts[w.accounts["pursuits"] > 0] for w in windows])
    accounts = accounts[~accounts.index.duplicated()].sort_index()
    spend = sum(w.accounts["spend"].sum() for w in windows) if len(windows) == 1 else np.nan
    learned = max(w.learned_pursuits for w in windows)
    won_value = round(float(accounts["value"].sum()), 4)
    return [len(accounts), int(accounts["is_won"].sum()), learned, won_value, round(float(spend), 4)]


def _note(windows: list[Window], scorer: str) -> str:
    if scorer == RANDOM:
        return ""
    blind = sum(len(np.unique(_steps(w.scores[scorer].to_numpy(dtype=float)))) == 1 for w in windows)
    if not blind:
        return ""
    where = "at this cut-off" if len(windows) == 1 else f"at {blind} of {len(windows)} cut-offs"
    return f"all accounts have one score {where}: as random"


def _digits(number: float) -> float:
    return float(f"{number:.9g}")


def _nothing() -> pd.DataFrame:
    reason = (
        f"not enough evidence: no quarter starts with {LEAST_PURSUITS} closed pursuits and {LEAST_WINS} wins before it, "
        f"and {LEAST_SCORED} pursuits and {LEAST_SCORED_WINS} wins in the year after it"
    )
    empty = [np.nan, np.nan, np.nan, 0, 0, 0, 0.0, np.nan, reason]
    shares = MEASURES | dict.fromkeys(SKIPPED_MEASURES, (1.0,))
    return _typed([["all", "segments", measure, share, *empty] for measure, given in shares.items() for share in given])


def _typed(rows: list[list]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
