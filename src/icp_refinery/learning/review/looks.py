"""The looks of a year: finished cycles, and sums over the last of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

YEARLY = 0.05  # the error of a year of looks
DRAWS = 999


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


def typed_rows(rows: list[tuple], types: dict[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(types), dtype=object).astype(types)
    numbers = [name for name, kind in types.items() if kind == "float64"]
    frame[numbers] = frame[numbers].map(lambda x: float(f"{x:.10g}"))
    return frame


def trailing(part: np.ndarray, windows: list[int]) -> np.ndarray:
    """Sums over the last cycles of each width in `windows`: (..., cycles, k) to (..., cycles, windows, k)."""
    running = np.cumsum(part, axis=-2)
    sums = []
    for width in windows:
        before = np.zeros_like(running)
        before[..., width:, :] = running[..., :-width, :]
        sums.append(running - before)
    return np.stack(sums, axis=-2)
