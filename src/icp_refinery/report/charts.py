"""The charts of the report."""

from dataclasses import dataclass
from typing import Any

import duckdb
import pandas as pd


@dataclass(frozen=True)
class Figure:
    """A chart: `spec` is Vega-Lite, None where there is nothing to draw; `table` holds the same figures."""

    id: str
    title: str
    unit: str
    period: str
    spec: dict[str, Any] | None
    note: str
    table: pd.DataFrame


def figures(marts: duckdb.DuckDBPyConnection, currency: str, as_of: str) -> dict[str, Figure]:
    """Every figure by its id."""
    return {}
