"""How a study says what it saw: a Markdown section with a row for each thing that must hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest


class Finding(NamedTuple):
    """What was asked of how many `worlds`, the `bar` in words, the figure `seen`, and whether the bar was reached."""

    asked: str
    worlds: int
    bar: str
    seen: str
    is_reached: bool


def share(asked: str, hits: Iterable[bool], *, at_most: float | None = None, at_least: float | None = None) -> Finding:
    """A finding on the share of worlds in which something happened, with its 95 % interval (Wilson).

    Raises ValueError unless exactly one of `at_most` and `at_least` (shares of 1) is given.
    """
    if (at_most is None) == (at_least is None):
        raise ValueError("a share has one bar, at_most or at_least")
    hit = np.asarray(list(hits), dtype=bool)
    seen = float(hit.mean())
    interval = binomtest(int(hit.sum()), len(hit)).proportion_ci(method="wilson")
    bar = f"at most {at_most:.0%}" if at_most is not None else f"at least {at_least:.0%}"
    reached = seen <= at_most if at_most is not None else seen >= at_least
    return Finding(asked, len(hit), bar, f"{seen:.1%} ({interval.low:.1%} to {interval.high:.1%})", reached)


def section(title: str, question: str, findings: list[Finding], seeds: str, notes: Iterable[str] = ()) -> str:
    """The Markdown of a study: its question, its seeds, a table of its findings, notes as paragraphs."""
    rows = [
        f"| {it.asked} | {it.worlds:,} | {it.bar} | {it.seen} | {'reached' if it.is_reached else '**not reached**'} |"
        for it in findings
    ]
    table = "\n".join(["| Asked | Worlds | Must hold | Seen | |", "|---|---:|---|---|---|", *rows])
    return "\n\n".join([f"## {title}", question, table, *notes, f"Seeds: {seeds}."]) + "\n"
