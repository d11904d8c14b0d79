"""What a table is, how its rows are read, and the columns that many share."""

from dataclasses import dataclass
from typing import Any

import duckdb

from icp_refinery.project import TIERS
from icp_refinery.report.words import TEXTS

Row = dict[str, Any]
Marts = duckdb.DuckDBPyConnection

LISTED_ACCOUNTS = 3_000
LISTED_EFFECTS = 60
LISTED_PRODUCTS = 20
LISTED_ROWS = 300
LEAST_SHOWN = 10  # of what a rate is of: no rate is shown of fewer

# A tier's place in an order by tier: the best first, what has no tier last.
BY_TIER = f"coalesce(list_position({list(TIERS)}, tier), {len(TIERS) + 1}), tier"


@dataclass(frozen=True)
class Company:
    """What figures and tables are told of the company: the unit of money, the unit of a first deal's value, and the last day.

    Without a lost first deal a win rate says nothing (`has_losses`), so that none is shown.
    """

    currency: str
    value_basis: str
    as_of: str
    has_losses: bool

    @property
    def value_unit(self) -> str:
        """What a first deal's value is counted in."""
        return "wins" if self.value_basis == "wins" else self.currency

    @property
    def won_value(self) -> str:
        """What shares of value are shares of."""
        return "wins" if self.value_basis == "wins" else "won value"

    def says(self, text: str) -> str:
        """A text with what `{currency}`, `{value_unit}` and `{won_value}` are of this company."""
        return text.format(currency=self.currency, value_unit=self.value_unit, won_value=self.won_value)

    def shows(self, column: str) -> bool:
        """Whether a column of a mart says something of this company."""
        return self.has_losses or "win_rate" not in column

    def shown(self, *tips: tuple[str, str, str]) -> list[tuple[str, str, str]]:
        """The tooltips (title, column, format) whose column says something of this company."""
        return [tip for tip in tips if self.shows(tip[1])]


@dataclass(frozen=True)
class Column:
    """A column: the mart's name, the heading, and how it is written (`words.KINDS`)."""

    key: str
    label: str
    kind: str = "text"

    @property
    def is_text(self) -> bool:
        return self.kind in TEXTS


@dataclass(frozen=True)
class Table:
    """Rows with `segment_id` or `tier` follow the page's filter. A row's `<column>_low` and `<column>_high` are its interval."""

    id: str
    caption: str
    columns: list[Column]
    rows: list[Row]
    note: str = ""


SEGMENT = Column("segment_name", "Segment", "name")
TIER = Column("tier", "Tier", "tier")
WIN_RATE = [
    Column("pursuit_count", "First deals (n)", "count"),
    Column("won_pursuit_count", "Won", "count"),
    Column("win_rate", "Win rate", "share"),
]
LIFT = Column("lift", "Lift", "number")
# Caption, query, columns; in what is read `{currency}`, `{value_unit}` and `{won_value}` are the company's.
Definition = tuple[str, str, list[Column]]


def rows(marts: Marts, query: str, *parameters: Any) -> list[Row]:
    """The rows of a query, by column."""
    cursor = marts.execute(query, list(parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def cut(shown: int, of: int, what: str) -> str:
    return f"The first {shown:,} of {of:,} {what}." if shown < of else ""
