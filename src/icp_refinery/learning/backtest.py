"""Backtest: what the segments would have been worth to whoever had followed them, quarter after quarter.

At each cut-off everything is learned from pursuits that were closed before it, with what they had brought by then. The
pursuits that began in the year after it are then put in the order of their scores, and what they really brought is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from icp_refinery.learning.boosting import boosted_scores
from icp_refinery.learning.capture import (
    MEASURES,
    RANDOM,
    SKIPPED,
    SKIPPED_MEASURES,
    TENTHS,
    Window,
    digits,
    estimates,
    interval_of,
    steps,
)
from icp_refinery.learning.conditions import assign
from icp_refinery.learning.effects.leaks import leak_verdicts
from icp_refinery.learning.engagement import engagement_windows
from icp_refinery.learning.recency import recent_pursuits
from icp_refinery.learning.scorecard import fit_scores, learn_scorecard
from icp_refinery.learning.segments import LEAST_PURSUITS, LEAST_WINS, from_table, learn_segments
from icp_refinery.learning.value import DAYS_PER_MONTH

MOST_CUTOFFS = 8
PERMUTATIONS = 199  # at each cut-off, of the test whether segments are learned at all
WINDOW_MONTHS = 12  # pursuits that began within this many months of the cut-off are scored
LEAST_SCORED = 30  # pursuits of a window
LEAST_SCORED_WINS = 5
RESAMPLES = 500  # of the accounts, and random orders of them
ADOPTED = "adopted"
ENGAGED_SHARES = (0.1, 0.2)  # of accounts, by engagement
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
    "accounts": "float64",
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


def backtest(
    pursuits: pd.DataFrame,
    traits: pd.DataFrame,
    sales: pd.DataFrame,
    spend: pd.DataFrame | None = None,
    *,
    as_of: pd.Timestamp,
    scores: Scores | None = None,
    adopted: Adopted | None = None,
    engaged: tuple[pd.DataFrame, pd.DataFrame] | None = None,
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
    share 1): the share of pursuits, won value and spend of accounts that were in a deprioritized segment.
    `opportunities_captured` (with the scorer `engagement`): of the first opportunities that began in the 90 days after the
    cut-off (`pursuits`), how many began at the best `share` of the `accounts` that had none yet. `low`, `high`: 95 %
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
    found = _rows(windows, estimates(windows, resamples, seed))
    if engaged is None or engaged[1].empty:
        return found
    tried = engagement_windows(*engaged, [window.cutoff for window in windows])
    return pd.concat([found, _engaged_rows(tried, resamples, seed)], ignore_index=True) if tried else found


def adopted_values(segments: pd.DataFrame, traits: pd.DataFrame) -> Adopted | None:
    """The adopted definition by account, with its figures as recorded at adoption; None where what is in force was learned."""
    if segments["learned_as_of"].isna().all():
        return None
    own = assign(traits, from_table(segments).rules, segments["segment_id"])
    recorded = segments.set_index("segment_id")["recorded_value_per_pursuit"]
    return Adopted(own.map(recorded), segments["learned_as_of"].max())


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
    value = value.where(known["value"].notna())  # of a win without an amount nothing is known, then either
    months = (cutoff - known["closed_on"].dt.normalize()).dt.days / DAYS_PER_MONTH
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
    leaks = leak_verdicts(known.pursuits, known.traits)
    recent = recent_pursuits(known.pursuits, known.traits, leaks=leaks).pursuits
    learned = learn_segments(recent, known.traits, permutations=PERMUTATIONS, leaks=leaks)
    segment = assign(known.traits, learned.rules)
    segments = learned.segments.set_index("segment_id")
    card = learn_scorecard(recent, known.traits, learned, leaks=leaks)
    return {
        "segments": segment.map(segments["value_per_pursuit"]),
        "scorecard": fit_scores(known.traits, card, segment),
        "boosting": boosted_scores(known.pursuits, known.traits, leaks),
        SKIPPED: segment.map(segments["tier"] == "deprioritized"),
    }


def _window_end(cutoff: pd.Timestamp) -> pd.Timestamp:
    return cutoff + pd.DateOffset(months=WINDOW_MONTHS)


def _began_after(pursuits: pd.DataFrame, cutoff: pd.Timestamp) -> pd.Series:
    return (pursuits["began_on"] >= cutoff) & (pursuits["began_on"] < _window_end(cutoff))


def _rows(windows: list[Window], estimated: dict[tuple[int, str], dict[str, np.ndarray]]) -> pd.DataFrame:
    rows = []
    for number in [-1, *range(len(windows))]:
        read = windows if number < 0 else [windows[number]]
        counts = _counts(read)
        for scorer in [*read[0].scores, RANDOM]:
            note = _note(read, scorer)
            given = [(measure, shares, scorer, note) for measure, shares in MEASURES.items()]
            if scorer == "segments" and (number, SKIPPED) in estimated:
                note = _skipped_note(read)
                given += [(measure, (1.0,), SKIPPED, note) for measure in SKIPPED_MEASURES]
            for measure, shares, source, note in given:
                for at, share in enumerate(shares):
                    figures = estimated[number, source][measure][at]
                    said = (
                        note if np.isfinite(figures[0]) else "no spend" if "spend" in measure else "what was won is not above 0"
                    )
                    if np.isfinite(figures[0]) and np.isfinite(figures[1:]).mean() < LEAST_KNOWN:
                        figures, said = np.full_like(figures, np.nan), "what was won is too near to 0 for shares of it"
                    by_chance = estimated[number, RANDOM].get(measure)
                    is_shifted = by_chance is None or not np.array_equal(figures, by_chance[at], equal_nan=True)
                    low, high = interval_of(figures, is_shifted) if np.isfinite(figures[0]) else (np.nan, np.nan)
                    cutoff = "all" if number < 0 else f"{windows[number].cutoff:%Y-%m-%d}"
                    rows.append([cutoff, scorer, measure, share, digits(figures[0]), low, high, *counts, said, np.nan])
    return _typed(rows)


def _engaged_rows(windows: list[Window], resamples: int, seed: int) -> pd.DataFrame:
    """The rows of `engagement`: a pursuit is an opportunity that began; whether it was won is not asked."""
    estimated = estimates(windows, resamples, seed)
    rows = []
    for number in [-1, *range(len(windows))]:
        read = windows if number < 0 else [windows[number]]
        cutoff = "all" if number < 0 else f"{read[0].cutoff:%Y-%m-%d}"
        began = int(sum(w.accounts["value"].sum() for w in read))
        learned = max(w.learned_pursuits for w in read)
        accounts = len(set().union(*(w.accounts.index for w in read)))
        for share in ENGAGED_SHARES:
            captured, by_chance = (
                estimated[number, scorer]["value_captured"][TENTHS.index(share)] for scorer in ("engagement", RANDOM)
            )
            low, high = interval_of(captured, not np.array_equal(captured, by_chance, equal_nan=True))
            counts = [began, 0, learned, np.nan, np.nan, _note(read, "engagement"), accounts]
            rows.append([cutoff, "engagement", "opportunities_captured", share, digits(captured[0]), low, high, *counts])
    return _typed(rows)


def _skipped_note(windows: list[Window]) -> str:
    found = sum(w.accounts["is_skipped"].any() for w in windows)
    if not found:
        return "no segment was deprioritized"
    return "" if found == len(windows) else f"a segment was deprioritized at {found} of {len(windows)} cut-offs"


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
    blind = sum(len(np.unique(steps(w.scores[scorer].to_numpy(dtype=float)))) == 1 for w in windows)
    if not blind:
        return ""
    where = "at this cut-off" if len(windows) == 1 else f"at {blind} of {len(windows)} cut-offs"
    return f"all accounts have one score {where}: as random"


def _nothing() -> pd.DataFrame:
    reason = (
        f"not enough evidence: no quarter starts with {LEAST_PURSUITS} closed first deals and {LEAST_WINS} wins before it, "
        f"and {LEAST_SCORED} first deals and {LEAST_SCORED_WINS} wins in the year after it"
    )
    empty = [np.nan, np.nan, np.nan, 0, 0, 0, 0.0, np.nan, reason, np.nan]
    shares = MEASURES | dict.fromkeys(SKIPPED_MEASURES, (1.0,))
    return _typed([["all", "segments", measure, share, *empty] for measure, given in shares.items() for share in given])


def _typed(rows: list[list]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
