"""Which attributes go with which outcomes, cycle after cycle: a row per outcome and value that was tried."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import gammaln, ndtr
from scipy.stats import chi2, false_discovery_control

OUTCOMES = ("won", "high_value", "multi_year", "add_on", "retained", "expanded")
# What a first order holds is no news about what it holds; one with an add-on is nearly always a bundle.
TAUTOLOGIES = frozenset({("multi_year", "multi_year"), ("add_on", "add_on"), ("bundle", "add_on")})

BANDS = 5
CYCLE_ACCOUNTS = 10
CYCLE_RESULTS = 2.0
LATEST_PERIODS = 4
CONSISTENCY_BAR = 2 / 3
LEAK_INFORMATION = 0.5
LEAK_MISSINGNESS = 0.1
LEAK_LEVEL = 0.001
COMMON_SHARE = 0.5
REDUNDANT_SHARE = 0.9
EXACT_BELOW_VARIANCE = 2500.0
EXACT_BELOW_P = 0.1
Z_95 = 1.959963984540054

COLUMNS = {
    "outcome": "object",
    "attribute": "object",
    "value": "object",
    "kind": "object",
    "accounts": "int64",
    "successes": "int64",
    "rate": "float64",
    "baseline_rate": "float64",
    "lift": "float64",
    "lift_low": "float64",
    "lift_high": "float64",
    "p_value": "float64",
    "q_value": "float64",
    "consistency": "float64",
    "periods": "int64",
    "latest_accounts": "int64",
    "latest_rate": "float64",
    "latest_baseline_rate": "float64",
    "latest_lift": "float64",
    "latest_lift_low": "float64",
    "latest_lift_high": "float64",
    "latest_q_value": "float64",
    "change_p_value": "float64",
    "trend": "object",
    "information_value": "float64",
    "is_leak": "bool",
    "verdict": "object",
}


class _Coded(NamedTuple):
    """A trait as integers: `codes` per account (-1 = missing) into `labels`."""

    codes: np.ndarray
    labels: list[str]


class _Counts(NamedTuple):
    """Tests x periods: accounts with the value, their successes, all that are compared, their successes."""

    n1: np.ndarray
    a: np.ndarray
    n: np.ndarray
    m: np.ndarray

    def take(self, rows: np.ndarray) -> _Counts:
        return _Counts(*(part[rows] for part in self))

    def during(self, periods: np.ndarray) -> _Counts:
        return _Counts(*(part[:, periods] for part in self))


def attribute_effects(
    outcomes: pd.DataFrame,
    traits: pd.DataFrame,
    behaviours: pd.DataFrame | None = None,
    *,
    minimum_support: int = 30,
    most_frequent: int = 50,
    level: float = 0.05,
    pair_traits: list[str] | None = None,
) -> pd.DataFrame:
    """Test single trait values, pairs of them and first-order behaviours against outcomes, within periods.

    Parameters
    ----------
    outcomes : one row per account: `account_id`, `period` (anything sortable: the quarter in which the
        pursuit closed), and any of `won`, `high_value`, `multi_year`, `add_on`, `retained`, `expanded` as 1, 0
        or missing (not observed, not applicable). Or long: `account_id`, `period`, `outcome`, `value`, where
        an account's period may differ from outcome to outcome.
    traits : index (or column) `account_id`; text and boolean columns are categorical, number columns are cut
        into at most five bands at rounded quantiles. Accounts that `outcomes` does not name are ignored.
    behaviours : index (or column) `account_id`, boolean columns `multi_year`, `add_on`, `services`, `bundle`
        of the first order. Never tested against `won`, nor where that is a tautology (`TAUTOLOGIES`).
    minimum_support : accounts with the value, and accounts to compare them with, that a test needs.
    most_frequent : of a trait at most so many values are tried; pairs are made of the so many most frequent
        values (of those that at most half of the accounts share) over `pair_traits` (default: all traits). Both
        are chosen by frequency among all accounts in `outcomes`, whatever their outcome.
    level : of the false discovery rate.

    Returns
    -------
    One row per outcome, attribute and value, sorted by these (a pair's parts are joined by ` & `, a behaviour
    is called `first_order_...`). An account whose value is missing takes no part in the trait's tests, unless
    the trait knows one value only: then missing means "not".

    `kind` : `trait`, `pair` or `behaviour`.
    `accounts`, `successes`, `rate` : of the accounts with the value, as counted.
    `baseline_rate`, `lift` : the rate that the accounts with the value would have if each had that of all
        compared accounts (its own included) of its period; lift = rate / baseline_rate.
    `lift_low`, `lift_high` : 95 % interval, from that of the Mantel-Haenszel risk ratio against all others
        (variance of Greenland and Robins 1985); it holds 1 exactly where that does.
    `p_value` : Cochran-Mantel-Haenszel, exact where counts are small, at its largest with any one cycle left
        out: evidence that rests on one cycle (or on a change within one period) is none (the partial
        conjunction of Benjamini and Heller 2008).
    `q_value` : Benjamini-Hochberg over all rows.
    `periods`, `consistency` : successive periods are joined into cycles of enough accounts to have a
        direction; their number, and the share of them with the direction of the whole (null without any).
    `latest_...` : the same figures over the latest four periods that have a result for the outcome; `latest_q_value`
        without leaving out a cycle, over all rows with ten accounts on either side then.
    `change_p_value` : that the odds ratio of those with the value to the others is the same in the latest four periods as
        before, given how often the outcome came in both together (exact where counts are small: Zelen 1971). Null
        with fewer than ten accounts on either side, before or then.
    `trend` : `emerging` raises of late (latest_q_value <= level, the interval above 1, p <= 0.05 without any one period)
        and more than before; `fading` has the verdict `raises` and does so less than before; each after
        Benjamini-Hochberg of the change over the rows that raise of late, or have the verdict. `stable` has no such
        evidence; `unknown` cannot be tested, or leaks.
    `information_value` : of the whole trait for `won`, within periods, missing as a value of its own, less
        what chance gives. Null for pairs and behaviours.
    `is_leak` : the trait's information value is above 0.5, or that of its being missing above 0.1, beyond
        chance (p < 0.001). A pair leaks if one of its traits does.
    `verdict` : `raises` or `lowers` where q_value <= level, the interval excludes 1, consistency is at least
        2/3 and the trait is no leak; else `no_evidence`.

    Raises
    ------
    ValueError : no `account_id` or `period`, an account twice, or an outcome other than 1, 0 or missing.
    """
    long = _long(outcomes)
    accounts = np.sort(long["account_id"].unique())
    coded = _coded_traits(_aligned(traits, accounts))
    values = _frequent_values(coded, minimum_support, most_frequent)
    pairs = _frequent_pairs(coded, values, minimum_support, most_frequent, pair_traits)
    acts = _aligned(behaviours, accounts) if behaviours is not None else pd.DataFrame(index=accounts)

    periods = np.sort(long["period"].unique())
    known = [name for name in OUTCOMES if name in set(long["outcome"])]
    known += sorted(set(long["outcome"]) - set(known))
    leaks = _leaks(coded, *_observed(long, "won", accounts, periods), len(periods), minimum_support)
    tried = []
    for outcome in known:
        rows, period, success = _observed(long, outcome, accounts, periods)
        if len(rows) == 0 or success.min() == success.max():
            continue
        labels, counts = _count_all(outcome, coded, values, pairs, acts, rows, period, success, len(periods), minimum_support)
        if labels:
            tried.append(_test(outcome, labels, counts))
    if not tried:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})

    table = pd.concat(tried, ignore_index=True)
    table["q_value"] = false_discovery_control(table["p_value"].to_numpy())
    table["latest_q_value"] = _adjusted(table["latest_p_value"])
    parts = table["attribute"].str.split(" & ", regex=False)
    is_trait = (table["kind"] != "behaviour").to_numpy()
    information = {name: leak[0] for name, leak in leaks.items()}
    single = (table["kind"] == "trait").to_numpy()
    table["information_value"] = table["attribute"].map(information).where(single).astype("float64")
    leaking = {name for name, leak in leaks.items() if leak[1]}
    table["is_leak"] = is_trait & np.array([not leaking.isdisjoint(names) for names in parts], dtype=bool)
    table["verdict"] = _verdicts(table, level)
    table["trend"] = _trends(table, level)
    table["order"] = table["outcome"].map({name: number for number, name in enumerate(known)})
    table = table.sort_values(["order", "attribute", "value"], ignore_index=True)
    return table[list(COLUMNS)].astype(COLUMNS)


def leaking_traits(outcomes: pd.DataFrame, traits: pd.DataFrame, *, minimum_support: int = 30) -> pd.DataFrame:
    """Say of every trait whether it seems to know who won: what `attribute_effects` flags.

    Takes `outcomes` (with `won`) and `traits` as `attribute_effects` does. Returns one row per trait:
    `attribute`, `information_value`, `missingness_information`, `is_leak`. Without winners and losers no
    trait leaks and the figures are null.
    """
    long = _long(outcomes)
    accounts = np.sort(long["account_id"].unique())
    periods = np.sort(long["period"].unique())
    coded = _coded_traits(_aligned(traits, accounts))
    leaks = _leaks(coded, *_observed(long, "won", accounts, periods), len(periods), minimum_support)
    rows = [(name, *leaks.get(name, (np.nan, False, np.nan))) for name in coded]
    table = pd.DataFrame(rows, columns=["attribute", "information_value", "is_leak", "missingness_information"])
    table = table[["attribute", "information_value", "missingness_information", "is_leak"]]
    return table.sort_values("attribute", ignore_index=True).astype(
        {"information_value": "float64", "missingness_information": "float64", "is_leak": "bool"}
    )


# Frames to arrays -------------------------------------------------------------------------------------------


def _long(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Rows of account_id, period, outcome and value (1.0, 0.0 or NaN), one per account and outcome."""
    frame = outcomes if "account_id" in outcomes.columns else outcomes.reset_index()
    if absent := {"account_id", "period"} - set(frame.columns):
        raise ValueError(f"outcomes lack the column {sorted(absent)[0]}")
    if {"outcome", "value"} <= set(frame.columns):
        long = frame[["account_id", "period", "outcome", "value"]].copy()
    else:
        named = [name for name in frame.columns if name not in ("account_id", "period")]
        long = frame.melt(["account_id", "period"], named, var_name="outcome", value_name="value")
    long["value"] = pd.to_numeric(long["value"], errors="raise").astype("float64")
    if frame["period"].isna().any():
        raise ValueError("outcomes have a row without a period")
    if not long["value"].dropna().isin([0.0, 1.0]).all():
        raise ValueError("an outcome is 1, 0 or missing")
    long["account_id"] = long["account_id"].astype(str)
    if long.duplicated(["account_id", "outcome"]).any():
        raise ValueError("outcomes have an account twice")
    return long


def _observed(
    long: pd.DataFrame, outcome: str, accounts: np.ndarray, periods: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions in `accounts`, positions in `periods` and successes (1.0, 0.0) of those with a result."""
    rows = long[(long["outcome"] == outcome) & long["value"].notna()].sort_values("account_id")
    return (
        np.searchsorted(accounts, rows["account_id"].to_numpy()),
        np.searchsorted(periods, rows["period"].to_numpy()),
        rows["value"].to_numpy(dtype="float64"),
    )


def _aligned(frame: pd.DataFrame, accounts: np.ndarray) -> pd.DataFrame:
    """The frame with one row per account in `accounts`, in that order; columns by name."""
    if "account_id" in frame.columns:
        frame = frame.set_index("account_id")
    frame = frame.set_axis(frame.index.astype(str), axis=0)
    if frame.index.has_duplicates:
        raise ValueError("traits or behaviours have an account twice")
    return frame.reindex(accounts)[sorted(frame.columns)]


def _coded_traits(traits: pd.DataFrame) -> dict[str, _Coded]:
    coded = {}
    for name in traits.columns:
        column = traits[name]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            coded[name] = _banded(column.to_numpy(dtype="float64", na_value=np.nan))
        else:
            text = column.map(_text, na_action="ignore")
            codes, labels = pd.factorize(text, sort=True)
            coded[name] = _Coded(codes.astype("int64"), list(labels))
    return coded


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, (bool, np.bool_)) else str(value)


def _banded(numbers: np.ndarray) -> _Coded:
    """Cut numbers at rounded quantiles; few distinct numbers, and a frequent lowest one, stand alone."""
    known = numbers[np.isfinite(numbers)]
    distinct = np.unique(known)
    codes = np.full(len(numbers), -1, dtype="int64")
    if len(distinct) == 0:
        return _Coded(codes, [])
    if len(distinct) <= BANDS:
        cuts = distinct[1:]
    else:
        # Many a count is mostly 0: nothing, then bands of the rest.
        alone = (known == distinct[0]).mean() >= 1 / BANDS
        rest, bands = (known[known > distinct[0]], BANDS - 1) if alone else (known, BANDS)
        inner = np.quantile(rest, np.arange(1, bands) / bands)
        rounded = [float(f"{cut:.2g}") for cut in ([rest.min(), *inner] if alone else inner)]
        cuts = np.unique([cut for cut in rounded if cut > distinct[0]])
    finite = np.isfinite(numbers)
    codes[finite] = np.searchsorted(cuts, numbers[finite], side="right")
    edges = [f"{cut:.10g}" for cut in cuts]
    if len(edges) == 0:
        labels = [f"{distinct[0]:.10g}" if len(distinct) == 1 else "any"]
    elif len(distinct) <= BANDS:
        labels = [f"{number:.10g}" for number in distinct]
    else:
        below = f"{distinct[0]:.10g}" if (known[known < cuts[0]] == distinct[0]).all() else f"< {edges[0]}"
        between = [f"{low} to < {high}" for low, high in pairwise(edges)]
        labels = [below, *between, f">= {edges[-1]}"]
    return _Coded(codes, labels)


# What is tried: chosen by frequency, before any outcome is looked at ---------------------------------------


def _frequent_values(coded: dict[str, _Coded], minimum_support: int, most_frequent: int) -> dict[str, list[tuple[int, int]]]:
    """Per trait the codes to try with their accounts, the most frequent first."""
    values = {}
    for name, trait in coded.items():
        counts = np.bincount(trait.codes[trait.codes >= 0], minlength=len(trait.labels))
        ranked = np.lexsort((np.arange(len(counts)), -counts))
        values[name] = [(int(code), int(counts[code])) for code in ranked if counts[code] >= minimum_support]
        values[name] = values[name][:most_frequent]
    return values


def _frequent_pairs(
    coded: dict[str, _Coded],
    values: dict[str, list[tuple[int, int]]],
    minimum_support: int,
    most_frequent: int,
    pair_traits: list[str] | None,
) -> list[tuple[str, int, str, int]]:
    """Pairs of values of two traits that enough accounts share and that are not just one of the two."""
    names = [name for name in coded if pair_traits is None or name in pair_traits]
    singles = [
        (-count, name, coded[name].labels[code], code)
        for name in names
        for code, count in values[name]
        # With a value that most accounts have, a pair is little more than its other half.
        if count <= COMMON_SHARE * (coded[name].codes >= 0).sum()
    ]
    singles = sorted(singles)[:most_frequent]
    if len(singles) < 2:
        return []
    member = np.column_stack([coded[name].codes == code for _, name, _, code in singles]).astype("float64")
    shared = member.T @ member
    return [
        (singles[i][1], singles[i][3], singles[j][1], singles[j][3])
        for i, j in sorted(combinations(range(len(singles)), 2))
        if singles[i][1] != singles[j][1]
        and shared[i, j] >= minimum_support
        and shared[i, j] <= REDUNDANT_SHARE * min(shared[i, i], shared[j, j])
    ]


# Counting ---------------------------------------------------------------------------------------------------


def _by_code(codes: np.ndarray, period: np.ndarray, weights: np.ndarray | None, size: int, periods: int):
    flat = np.bincount(codes * periods + period, weights=weights, minlength=size * periods)
    return flat.reshape(size, periods).astype("float64")


def _count_all(
    outcome: str,
    coded: dict[str, _Coded],
    values: dict[str, list[tuple[int, int]]],
    pairs: list[tuple[str, int, str, int]],
    acts: pd.DataFrame,
    rows: np.ndarray,
    period: np.ndarray,
    success: np.ndarray,
    periods: int,
    minimum_support: int,
) -> tuple[list[tuple[str, str, str]], _Counts]:
    """Count every value, pair and behaviour that enough accounts with a result have: labels and counts."""
    labels: list[tuple[str, str, str]] = []
    parts: list[_Counts] = []

    for name, trait in coded.items():
        codes = trait.codes[rows]
        # A trait that knows one value only says "has it" or nothing.
        lone = len(trait.labels) == 1
        seen = np.ones(len(rows), dtype=bool) if lone else codes >= 0
        size = len(trait.labels) + 1
        n1 = _by_code(codes + 1, period, None, size, periods)
        a = _by_code(codes + 1, period, success, size, periods)
        chosen = [code for code, _ in values[name]]
        if not chosen:
            continue
        n = np.bincount(period[seen], minlength=periods).astype("float64")
        m = np.bincount(period[seen], weights=success[seen], minlength=periods)
        take = np.array(chosen) + 1
        labels += [("trait", name, trait.labels[code]) for code in chosen]
        parts.append(_Counts(n1[take], a[take], *(np.tile(x, (len(take), 1)) for x in (n, m))))

    if pairs:
        columns = sorted({part for a1, c1, a2, c2 in pairs for part in ((a1, c1), (a2, c2))})
        place = {column: number for number, column in enumerate(columns)}
        left = np.array([place[a1, c1] for a1, c1, _, _ in pairs])
        right = np.array([place[a2, c2] for _, _, a2, c2 in pairs])
        member = np.column_stack([coded[name].codes[rows] == code for name, code in columns])
        named = np.column_stack([coded[name].codes[rows] >= 0 for name, _ in columns])
        counted = [np.zeros((len(pairs), periods)) for _ in range(4)]
        for number in range(periods):
            inside = period == number
            won = inside & (success == 1.0)
            for slot, indicator, chosen_rows in (
                (0, member, inside),
                (1, member, won),
                (2, named, inside),
                (3, named, won),
            ):
                block = indicator[chosen_rows].astype("float64")
                counted[slot][:, number] = (block.T @ block)[left, right]
        labels += [
            ("pair", f"{a1} & {a2}", f"{coded[a1].labels[c1]} & {coded[a2].labels[c2]}")
            for a1, c1, a2, c2 in (_sorted_pair(pair) for pair in pairs)
        ]
        parts.append(_Counts(*counted))

    for name in acts.columns if outcome != "won" else []:
        if (name, outcome) in TAUTOLOGIES:
            continue
        answer = acts[name].to_numpy(dtype="float64", na_value=np.nan)[rows]
        seen = np.isfinite(answer)
        codes = np.where(seen, answer, 0).astype("int64") + 1
        codes = np.where(seen, codes, 0)
        n1 = _by_code(codes, period, None, 3, periods)
        a = _by_code(codes, period, success, 3, periods)
        labels.append(("behaviour", f"first_order_{name}", "true"))
        parts.append(_Counts(n1[2:3], a[2:3], (n1[1] + n1[2])[None, :], (a[1] + a[2])[None, :]))

    if not parts:
        return [], _Counts(*(np.zeros((0, periods)),) * 4)
    counts = _Counts(*(np.concatenate([part[slot] for part in parts]) for slot in range(4)))
    with_value, compared = counts.n1.sum(axis=1), counts.n.sum(axis=1)
    enough = (with_value >= minimum_support) & (compared - with_value >= minimum_support)
    return [label for label, keep in zip(labels, enough, strict=True) if keep], counts.take(enough)


def _sorted_pair(pair: tuple[str, int, str, int]) -> tuple[str, int, str, int]:
    """The pair with its attributes in alphabetical order, so that it has one name."""
    a1, c1, a2, c2 = pair
    return pair if a1 < a2 else (a2, c2, a1, c1)


# Testing ----------------------------------------------------------------------------------------------------


def _test(outcome: str, labels: list[tuple[str, str, str]], counts: _Counts) -> pd.DataFrame:
    n1, a, n, m = counts
    n0 = n - n1
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(n > 0, m / n, 0.0)
        variance = np.where(n > 1, n1 * n0 * m * (n - m) / (n**2 * (n - 1)), 0.0)
    expected = n1 * share
    excess = a - expected
    cycle, cycles = _cycles(n1, n0, expected)
    direction = np.sign(np.round(excess.sum(axis=1), 9))
    p_value = _replicated_p(counts, excess, variance, cycle, cycles, direction)
    consistency = _consistency(excess, cycle, cycles, direction)
    observed = np.flatnonzero(n.sum(axis=0) > 0)
    latest, before = observed[-LATEST_PERIODS:], observed[:-LATEST_PERIODS]
    latest_p, latest_z = _recent(counts.during(latest), excess[:, latest], variance[:, latest])
    change, change_p = _change(counts, before, latest)
    kinds, attributes, values = zip(*labels, strict=True)
    return pd.DataFrame(
        {
            "outcome": outcome,
            "attribute": attributes,
            "value": values,
            "kind": kinds,
            **_figures(counts),
            "p_value": p_value,
            "consistency": consistency,
            "periods": cycles,
            **{f"latest_{name}": figure for name, figure in _figures(counts.during(latest)).items()},
            "latest_p_value": latest_p,
            "latest_z": latest_z,
            "change": change,
            "change_p_value": change_p,
        }
    )


def _figures(counts: _Counts) -> dict[str, np.ndarray]:
    """Accounts, successes, rate, baseline rate and lift with its interval, over the periods of `counts`."""
    n1, a, n, m = counts
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = n1 * np.where(n > 0, m / n, 0.0)
        rate, baseline = a.sum(axis=1) / n1.sum(axis=1), expected.sum(axis=1) / n1.sum(axis=1)
        lift = np.where(baseline > 0, rate / baseline, np.nan)
        low, high = _lift_interval(n1, a, n - n1, m - a, n)
    return {
        "accounts": n1.sum(axis=1).astype("int64"),
        "successes": a.sum(axis=1).astype("int64"),
        "rate": rate,
        "baseline_rate": baseline,
        "lift": lift,
        "lift_low": np.where(np.isnan(lift), np.nan, low),
        "lift_high": np.where(np.isnan(lift), np.nan, high),
    }


def _cycles(n1: np.ndarray, n0: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join successive periods until a cycle has enough accounts on both sides to have a direction at all.

    Returns each period's cycle (tests x periods) and the number of complete cycles per test; what is left over
    at the end joins the last complete one.
    """
    tests, periods = n1.shape
    cycle = np.zeros((tests, periods), dtype="int64")
    number = np.zeros(tests, dtype="int64")
    total = [np.zeros(tests) for _ in range(3)]
    for period in range(periods):
        cycle[:, period] = number
        for amount, part in zip(total, (n1, n0, expected), strict=True):
            amount += part[:, period]
        full = (
            (total[0] >= CYCLE_ACCOUNTS)
            & (total[1] >= CYCLE_ACCOUNTS)
            & (total[2] >= CYCLE_RESULTS)
            & (total[0] - total[2] >= CYCLE_RESULTS)
        )
        number = number + full
        for amount in total:
            amount[full] = 0.0
    return np.minimum(cycle, np.maximum(number - 1, 0)[:, None]), number


def _replicated_p(
    counts: _Counts,
    excess: np.ndarray,
    variance: np.ndarray,
    cycle: np.ndarray,
    cycles: np.ndarray,
    direction: np.ndarray,
) -> np.ndarray:
    """The largest CMH p-value with one cycle left out; 1 where fewer than two cycles are there."""
    tests = len(cycles)
    worst, left_out = np.full(tests, np.inf), np.zeros(tests, dtype="int64")
    for number in range(int(cycles.max(initial=0))):
        stays = cycle != number
        rest = (variance * stays).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(rest > 0, direction * (excess * stays).sum(axis=1) / np.sqrt(rest), 0.0)
        lower = (number < cycles) & (z < worst)
        worst, left_out = np.where(lower, z, worst), np.where(lower, number, left_out)
    replicated = (cycles >= 2) & (worst > 0) & np.isfinite(worst)
    p = np.where(replicated, 2 * ndtr(-np.where(replicated, worst, 0.0)), 1.0)
    stays = cycle != left_out[:, None]
    rest = (variance * stays).sum(axis=1)
    # The normal tail is too thin for small counts, and it is the tail that decides among many tests.
    for test in np.flatnonzero(replicated & (p < EXACT_BELOW_P) & (rest < EXACT_BELOW_VARIANCE)):
        strata = [part[test][stays[test]] for part in counts]
        p[test] = _exact_p(*strata, upper=direction[test] > 0)
    return p


def _exact_p(n1: np.ndarray, a: np.ndarray, n: np.ndarray, m: np.ndarray, *, upper: bool) -> float:
    """Twice the tail of the sum of the strata's hypergeometric distributions."""
    pmf, lowest = _sum_of_hypergeometric(n1, n, m)
    place = int(a.sum()) - lowest
    tail = pmf[max(place, 0) :].sum() if upper else pmf[: max(place + 1, 0)].sum()
    return float(min(1.0, 2 * tail))


def _sum_of_hypergeometric(n1: np.ndarray, n: np.ndarray, m: np.ndarray, odds: float = 1.0) -> tuple[np.ndarray, int]:
    """Probabilities of the strata's successes together, where each has this odds ratio, from the lowest number on."""
    pmf, lowest = np.ones(1), 0
    for n1_k, n_k, m_k in zip(n1, n, m, strict=True):
        low, high = int(max(0, n1_k + m_k - n_k)), int(min(n1_k, m_k))
        x = np.arange(low, high + 1, dtype="float64")
        log_pmf = _log_choose(m_k, x) + _log_choose(n_k - m_k, n1_k - x) + x * np.log(odds)
        log_pmf -= log_pmf.max()
        keep = np.flatnonzero(log_pmf > -80)
        part = np.exp(log_pmf[keep[0] : keep[-1] + 1])
        pmf, lowest = np.convolve(pmf, part / part.sum()), lowest + low + int(keep[0])
    return pmf, lowest


def _log_choose(n: float, k: np.ndarray) -> np.ndarray:
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)


def _recent(counts: _Counts, excess: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """CMH p-value over a few periods (null with too few accounts), and the z nearest to 0 with any one of them left out."""
    enough = np.minimum(counts.n1.sum(axis=1), (counts.n - counts.n1).sum(axis=1)) >= CYCLE_ACCOUNTS
    total, spread = excess.sum(axis=1, keepdims=True), variance.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(spread > 0, total / np.sqrt(spread), 0.0)[:, 0]
        without = np.where(spread > variance, (total - excess) / np.sqrt(spread - variance), 0.0)
    p = np.where(enough, 2 * ndtr(-np.abs(z)), np.nan)
    for test in np.flatnonzero((p < EXACT_BELOW_P) & (spread[:, 0] < EXACT_BELOW_VARIANCE)):
        p[test] = _exact_p(*(part[test] for part in counts), upper=z[test] > 0)
    nearest = np.abs(without).argmin(axis=1)[:, None]
    same = (np.sign(without) == np.sign(z)[:, None]).all(axis=1)
    return p, np.where(same, np.take_along_axis(without, nearest, axis=1)[:, 0], 0.0)


def _change(counts: _Counts, before: np.ndarray, latest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction (1, -1 or 0) in which the odds ratio changed from the periods `before` to the `latest`, and its p-value.

    Null where too few accounts are on either side. A score test of equal odds ratios (Breslow and Day 1980, with the
    correction of Tarone 1985), exact where counts are small.
    """
    n1, a, n, m = counts
    n0, tests = n - n1, len(n)
    if min(len(before), len(latest)) == 0:
        return np.zeros(tests), np.full(tests, np.nan)
    sizes = [size[:, side].sum(axis=1) for side in (before, latest) for size in (n1, n0)]
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(n > 0, 1 / n, 0.0)
        odds = (a * (n0 - m + a) * weight).sum(axis=1) / ((n1 - a) * (m - a) * weight).sum(axis=1)
    # Without any contrast there is none that could change.
    testable = (np.min(sizes, axis=0) >= CYCLE_ACCOUNTS) & np.isfinite(odds) & (odds > 0)
    odds = np.where(testable, odds, 1.0)
    expected = _expected_at(odds[:, None], n1, n0, m)
    with np.errstate(divide="ignore"):
        variance = 1 / (1 / expected + 1 / (n1 - expected) + 1 / (m - expected) + 1 / (n0 - m + expected))
    excess = a - expected

    early, late = (variance[:, side].sum(axis=1) for side in (before, latest))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = late / (early + late)
        z = (excess[:, latest].sum(axis=1) - share * excess.sum(axis=1)) / np.sqrt(share * early)
    z = np.round(np.where(np.isfinite(z), z, 0.0), 9)
    p = np.where(testable, 2 * ndtr(-np.abs(z)), np.nan)
    for test in np.flatnonzero((p < EXACT_BELOW_P) & (early + late < EXACT_BELOW_VARIANCE)):
        sides = ([part[test, side] for part in counts] for side in (before, latest))
        p[test] = _exact_change_p(*sides, odds=odds[test], upper=z[test] > 0)
    return np.sign(z), p


def _expected_at(odds: np.ndarray, n1: np.ndarray, n0: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Successes among the n1 that would give each table, with its margins kept, this odds ratio."""
    linear = n0 - m + odds * (n1 + m)
    root = np.sqrt(np.maximum(linear**2 + 4 * (1 - odds) * odds * n1 * m, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = 2 * odds * n1 * m / (linear + root)
    return np.where(linear + root > 0, np.clip(expected, np.maximum(0, m - n0), np.minimum(n1, m)), 0.0)


def _exact_change_p(early: list[np.ndarray], late: list[np.ndarray], *, odds: float, upper: bool) -> float:
    """Twice the tail of the successes of late, given those of both, where their odds ratios are equal.

    `early` and `late`: n1, a, n, m by period. The conditional distribution does not depend on `odds`; near the truth it keeps
    the numbers from running out.
    """
    (early_pmf, early_low), (late_pmf, late_low) = (_sum_of_hypergeometric(n1, n, m, odds) for n1, _, n, m in (early, late))
    total, observed = int(early[1].sum() + late[1].sum()), int(late[1].sum())
    late_counts = late_low + np.arange(len(late_pmf))
    partner = total - late_counts - early_low
    inside = (partner >= 0) & (partner < len(early_pmf))
    pmf = np.where(inside, late_pmf * early_pmf[np.clip(partner, 0, len(early_pmf) - 1)], 0.0)
    tail = pmf[late_counts >= observed].sum() if upper else pmf[late_counts <= observed].sum()
    return float(min(1.0, 2 * tail / pmf.sum())) if pmf.sum() > 0 else 0.0


def _consistency(excess: np.ndarray, cycle: np.ndarray, cycles: np.ndarray, direction: np.ndarray) -> np.ndarray:
    agreeing = np.zeros(len(cycles))
    for number in range(int(cycles.max(initial=0))):
        sign = np.sign(np.round((excess * (cycle == number)).sum(axis=1), 9))
        # A cycle without any direction speaks half for it.
        agreeing += (number < cycles) * np.where(sign == 0, 0.5, sign == direction)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(cycles > 0, agreeing / cycles, np.nan)


def _lift_interval(n1: np.ndarray, a: np.ndarray, n0: np.ndarray, b: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval of rate / baseline, from the Mantel-Haenszel risk ratio R and its variance.

    With f = sum(a n1/n) / sum(a n0/n), lift = R (1 + f) / (1 + R f): f depends on the make-up of the periods, not
    on the effect, so the ends of R's interval give those of the lift's.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(n > 0, 1 / n, 0.0)
    one, none = (a * n0 * weight).sum(axis=1), (b * n1 * weight).sum(axis=1)
    within = (a * n1 * weight).sum(axis=1)
    spread = (((a + b) * n1 * n0 * weight - a * b) * weight).sum(axis=1)
    # No success on one side: half a success on both keeps the interval finite where it must be.
    empty = (one <= 0) | (none <= 0)
    shares = n1.sum(axis=1) / n.sum(axis=1)
    one_, none_ = np.where(empty, one + 0.5 * (1 - shares), one), np.where(empty, none + 0.5 * shares, none)
    spread_ = np.where(empty, spread + shares * (1 - shares), spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = one_ / none_
        half = Z_95 * np.sqrt(np.maximum(spread_, 0) / (one_ * none_))
        f = np.where(one > 0, within / one, shares / (1 - shares))
        ends = [ratio * np.exp(-half), ratio * np.exp(half)]
        low, high = (end * (1 + f) / (1 + end * f) for end in ends)
        # With no success on the other side the ratio has no upper end, the lift that of all successes its own.
        return np.where(one <= 0, 0.0, low), np.where((none <= 0) & (one > 0), (1 + f) / f, high)


def _verdicts(table: pd.DataFrame, level: float) -> np.ndarray:
    proven = ((table["q_value"] <= level) & (table["consistency"] >= CONSISTENCY_BAR - 1e-12) & ~table["is_leak"]).to_numpy()
    raises = proven & (table["lift_low"] > 1).to_numpy()
    lowers = proven & (table["lift_high"] < 1).to_numpy()
    return np.where(raises, "raises", np.where(lowers, "lowers", "no_evidence"))


def _trends(table: pd.DataFrame, level: float) -> np.ndarray:
    recent = (table["latest_q_value"] <= level) & (table["latest_lift_low"] > 1) & (table["latest_z"] >= Z_95)
    # What has been found is asked one more question; the change does not depend on how often both together succeeded.
    emerging = _adjusted(table["change_p_value"].where(recent & ~table["is_leak"])) <= level
    fading = _adjusted(table["change_p_value"].where(table["verdict"] == "raises")) <= level
    unknown = table["change_p_value"].isna() | table["is_leak"]
    return np.select(
        [unknown, emerging & (table["change"] > 0), fading & (table["change"] < 0)], ["unknown", "emerging", "fading"], "stable"
    )


def _adjusted(p_values: pd.Series) -> np.ndarray:
    """Benjamini-Hochberg over the p-values that are there."""
    p = p_values.to_numpy(dtype="float64")
    q, there = np.full(len(p), np.nan), np.isfinite(p)
    if there.any():
        q[there] = false_discovery_control(p[there])
    return q


# Leaks ------------------------------------------------------------------------------------------------------


def _leaks(
    coded: dict[str, _Coded],
    rows: np.ndarray,
    period: np.ndarray,
    success: np.ndarray,
    periods: int,
    minimum_support: int,
) -> dict[str, tuple[float, bool, float]]:
    """Per trait: information value, whether it leaks, and the information value of its being missing."""
    if len(rows) == 0 or success.min() == success.max():
        return {}
    n = np.bincount(period, minlength=periods).astype("float64")
    m = np.bincount(period, weights=success, minlength=periods)
    found = {}
    for name, trait in coded.items():
        codes = trait.codes[rows] + 1
        n1 = _by_code(codes, period, None, len(trait.labels) + 1, periods)
        a = _by_code(codes, period, success, len(trait.labels) + 1, periods)
        # Values too rare to judge are one value, or a trait of many values would know it all.
        rare = (n1.sum(axis=1) < minimum_support) & (np.arange(len(n1)) > 0)
        whole = [np.vstack([x[~rare], x[rare].sum(axis=0)]) for x in (n1, a)]
        missing = [np.vstack([x[0], x[1:].sum(axis=0)]) for x in (n1, a)]
        value, value_p = _information_value(*whole, n, m)
        gap, gap_p = _information_value(*missing, n, m)
        leaks = (value > LEAK_INFORMATION and value_p < LEAK_LEVEL) or (gap > LEAK_MISSINGNESS and gap_p < LEAK_LEVEL)
        found[name] = (value, bool(leaks), gap)
    return found


def _information_value(n1: np.ndarray, a: np.ndarray, n: np.ndarray, m: np.ndarray) -> tuple[float, float]:
    """Information value of a trait's values (rows) within periods, less its mean by chance, and its p-value.

    With one period it is the usual sum over values of (share of winners - share of losers) x weight of
    evidence. With several, a value's winners are compared with those that its periods' win rates let expect.
    """
    there = n1.sum(axis=1) > 0
    n1, a = n1[there], a[there]
    winners, losers = m.sum(), (n - m).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(n > 0, m / n, 0.0)
        variance = np.where(n > 1, n1 * (n - n1) * m * (n - m) / (n**2 * (n - 1)), 0.0).sum(axis=1)
    size, won, expected = n1.sum(axis=1), a.sum(axis=1), (n1 * share).sum(axis=1)
    scale = 1 / winners + 1 / losers
    evidence = np.log((won + 0.5) / (size - won + 0.5)) - np.log((expected + 0.5) / (size - expected + 0.5))
    raw = float(((won - expected) * scale * evidence).sum())
    spread = (expected + 0.5) * (size - expected + 0.5) / (size + 1.0)
    chance = float((variance * scale / spread).sum())
    freedom = max(len(size) - 1, 0)
    if freedom == 0:
        return 0.0, 1.0
    return max(0.0, raw - chance), float(chi2.sf(max(raw, 0.0) / scale, freedom))
