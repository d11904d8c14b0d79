"""Which attributes go with which outcomes, cycle after cycle: a row per outcome and value that was tried."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from icp_refinery.learning.effects.counts import aligned, count_all, frequent_pairs, frequent_values, long_outcomes, observed
from icp_refinery.learning.effects.evidence import Z_95, evidence_of
from icp_refinery.learning.effects.leaks import leak_verdicts_within, suspected
from icp_refinery.learning.traits import banded_traits
from icp_refinery.project import OUTCOMES

CONSISTENCY_BAR = 2 / 3
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
    "verdict": "object",
    "leak_note": "object",
}


def attribute_effects(
    outcomes: pd.DataFrame,
    traits: pd.DataFrame,
    behaviours: pd.DataFrame | None = None,
    *,
    minimum_support: int = 30,
    most_frequent: int = 50,
    level: float = 0.05,
    pair_traits: list[str] | None = None,
    leaks: pd.DataFrame | None = None,
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
    most_frequent : of a trait at most this many values are tried; pairs are made of its most frequent
        values (of those that at most half of the accounts share) over `pair_traits` (default: all traits). Both
        are chosen by frequency among all accounts in `outcomes`, whatever their outcome.
    level : of the false discovery rate.
    leaks : as `leak_verdicts` returns it; by default judged within the periods of `outcomes`.

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
    `verdict` : `leak_suspected` where the trait is (of a pair, one of the traits); `raises` or `lowers` where q_value <=
        level, the interval excludes 1 and consistency is at least 2/3; else `no_evidence`.
    `leak_note` : why a leak is suspected; empty where none is.

    Raises
    ------
    ValueError : no `account_id` or `period`, an account twice, or an outcome other than 1, 0 or missing.
    """
    long = long_outcomes(outcomes)
    accounts = np.sort(long["account_id"].unique())
    coded = banded_traits(aligned(traits, accounts))
    values = frequent_values(coded, minimum_support, most_frequent)
    pairs = frequent_pairs(coded, values, minimum_support, most_frequent, pair_traits)
    acts = aligned(behaviours, accounts) if behaviours is not None else pd.DataFrame(index=accounts)

    periods = np.sort(long["period"].unique())
    known = [name for name in OUTCOMES if name in set(long["outcome"])]
    known += sorted(set(long["outcome"]) - set(known))
    leaks = leak_verdicts_within(long[long["outcome"] == "won"], traits) if leaks is None else leaks
    tried = []
    for outcome in known:
        rows, period, success = observed(long, outcome, accounts, periods)
        if len(rows) == 0 or success.min() == success.max():
            continue
        labels, counts = count_all(outcome, coded, values, pairs, acts, rows, period, success, len(periods), minimum_support)
        if labels:
            tried.append(evidence_of(outcome, labels, counts))
    if not tried:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})

    table = pd.concat(tried, ignore_index=True)
    table["q_value"] = false_discovery_control(table["p_value"].to_numpy())
    table["latest_q_value"] = _adjusted(table["latest_p_value"])
    parts = table["attribute"].str.split(" & ", regex=False)
    is_trait = (table["kind"] != "behaviour").to_numpy()
    single = (table["kind"] == "trait").to_numpy()
    told = leaks.set_index("attribute")
    table["information_value"] = table["attribute"].map(told["information_value"]).where(single).astype("float64")
    notes = told.loc[suspected(leaks), "note"].to_dict()
    table["leak_note"] = [
        "; ".join(f"{name}: {notes[name]}" for name in names if name in notes) if its else ""
        for names, its in zip(parts, is_trait, strict=True)
    ]
    table["is_leak"] = table["leak_note"] != ""
    table["verdict"] = _verdicts(table, level)
    table["trend"] = _trends(table, level)
    table["order"] = table["outcome"].map({name: number for number, name in enumerate(known)})
    table = table.sort_values(["order", "attribute", "value"], ignore_index=True)
    return table[list(COLUMNS)].astype(COLUMNS)


def _verdicts(table: pd.DataFrame, level: float) -> np.ndarray:
    proven = ((table["q_value"] <= level) & (table["consistency"] >= CONSISTENCY_BAR - 1e-12)).to_numpy()
    raises = proven & (table["lift_low"] > 1).to_numpy()
    lowers = proven & (table["lift_high"] < 1).to_numpy()
    return np.select([table["is_leak"], raises, lowers], ["leak_suspected", "raises", "lowers"], "no_evidence")


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
