"""Study of the backtest on simulated worlds: is what it says about the segments true?"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
import pandas as pd

from icp_refinery.learning.backtest import Known, backtest, learned_scores
from icp_refinery.studies.worlds import RENEWAL, World, world

BEST = 0.2
SCORERS = ("segments", "scorecard", "boosting", "truth")
SIZES = ((3000, False), (800, False), (3000, True))


class Judged(NamedTuple):
    """What the backtest says of one world, over all cut-offs: frames by scorer with `value`, `low`, `high`, and what is true.

    `captured` is of the best 20 % of pursuits, `skippable` of pursuits while keeping 90 % of won value; `expected` is the
    share of the truly expected value in the best 20 %, by the very scores that were learned.
    """

    captured: pd.DataFrame
    skippable: pd.DataFrame
    expected: pd.Series


def judge(it: World) -> Judged:
    """Backtest one world, and once more with each pursuit's expected value in place of what it happened to bring."""
    learned: dict[int, dict[str, pd.Series]] = {}

    def scores(known: Known) -> dict[str, pd.Series]:
        key = len(known.pursuits)
        if key not in learned:
            learned[key] = learned_scores(known) | {"truth": it.expected_value}
        return learned[key]

    found = backtest(it.pursuits, it.traits, it.sales, as_of=it.as_of, scores=scores)
    account = it.pursuits["account_id"]
    renewable = it.pursuits["closed_on"] + pd.Timedelta(days=366) <= it.as_of
    expected = account.map(it.expected_value) * (1 + RENEWAL * renewable) / (1 + RENEWAL)
    ideal = backtest(it.pursuits.assign(value=expected), it.traits, it.sales, as_of=it.as_of, scores=scores, resamples=2)
    return Judged(
        _overall(found, "value_captured", BEST),
        _overall(found, "pursuits_skippable", 0.9),
        _overall(ideal, "value_captured", BEST)["value"],
    )


def _overall(found: pd.DataFrame, measure: str, share: float) -> pd.DataFrame:
    rows = found[(found["cutoff"] == "all") & (found["measure"] == measure) & (found["share"] == share)]
    return rows.set_index("scorer")[["value", "low", "high", "note"]]


def backtest_study(seeds: int = 10, null_seeds: int = 40, sizes: tuple[tuple[int, bool], ...] = SIZES) -> str:
    """Compare the backtest's figures with the truth.

    Takes the number of worlds with and without signal, and
    the number of pursuits of the former and whether they are hard; returns Markdown.
    """
    lines = ["## Backtest", ""]
    lines += [
        f"{seeds} worlds each, four years, up to eight cut-offs. *Captured*: share of the won value in the best 20 % of pursuits",
        "that began after a cut-off, over all cut-offs, median over worlds; random order captures 20 %. *Truth* ranks by the",
        "expected value that no one knows. *Above random*: worlds in which the interval of the segments lies above 20 %.",
        "*Coverage*: worlds in which the interval holds the share of expected value that the same scores capture. Seeds from",
        "30,000, without signal from 40,000.",
        "",
        "| pursuits | worlds | captured: segments | scorecard | boosting | truth "
        "| skippable, keeping 90 %: segments | scorecard | boosting | truth | above random | coverage: segments | boosting |",
        "|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for pursuits, hard in sizes:
        judged = [judge(world(pursuits, 30_000 + seed, hard=hard, prospects=100)) for seed in range(seeds)]
        captured, skippable = (
            pd.DataFrame([getattr(j, name)["value"] for j in judged]).median() for name in ("captured", "skippable")
        )
        above = np.mean([j.captured.loc["segments", "low"] > BEST for j in judged])
        figures = " | ".join(f"{f[s]:.1%}" for f in (captured, skippable) for s in SCORERS)
        covered = " | ".join(f"{np.mean([_covers(j, scorer) for j in judged]):.0%}" for scorer in ("segments", "boosting"))
        lines.append(f"| {pursuits:,} | {'hard' if hard else 'plain'} | {figures} | {above:.0%} | {covered} |")
    if not null_seeds:
        return "\n".join(lines) + "\n"
    quiet = [judge(world(800, 40_000 + seed, signal=False, prospects=100)) for seed in range(null_seeds)]
    blind = np.mean([j.captured.loc["segments", "value"] == BEST for j in quiet])
    lines += ["", f"Without signal ({null_seeds} worlds of 800 pursuits): the segments are exactly as random in {blind:.0%};"]
    wrong = {s: np.mean([not _holds(j.captured.loc[s], BEST) for j in quiet]) for s in SCORERS[:3]}
    lines.append(f"the interval leaves out 20 % in {', '.join(f'{share:.1%} ({s})' for s, share in wrong.items())}.")
    return "\n".join(lines) + "\n"


def _covers(judged: Judged, scorer: str) -> bool:
    return _holds(judged.captured.loc[scorer], judged.expected[scorer])


def _holds(interval: pd.Series, figure: float) -> bool:
    return bool(interval["low"] - 1e-9 <= figure <= interval["high"] + 1e-9)


if __name__ == "__main__":
    sys.stdout.write(backtest_study())
