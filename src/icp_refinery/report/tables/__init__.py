"""The report's tables: which rows of which mart, and how each column is called and written."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from icp_refinery.report.labels import BACKTESTED, DISAGREEMENTS, MEASURES, OUTCOMES, PAIRS, POLICIES, SCORERS, STAGES
from icp_refinery.report.tables import changes, customers, proof, quality, seasons, segments, spend, teams, value
from icp_refinery.report.tables.model import LISTED_ACCOUNTS, LISTED_ROWS, Column, Company, Marts, Row, Table, cut, rows

ROOMS = (spend, segments, value, customers, teams, seasons, proof, changes, quality)
IN_WORDS = {
    "backtest": ("measure", BACKTESTED),
    "disagreements": ("reason", DISAGREEMENTS),
    "agreement": ("pair", PAIRS),
    "what-if": ("what_if", POLICIES),
}
# Codes in the tables of figures.
WRITTEN = {"what_if": POLICIES, "pair": PAIRS, "stage": STAGES, "outcome": OUTCOMES}
HEADINGS = {"kappa": "Agreement beyond chance (0: none)", "p_value": "Chance of a change this large by accident"}
MAY_BE_EMPTY = {"note", *SCORERS}


def tables(marts: Marts, company: Company, names: Mapping[str, str]) -> dict[str, Table]:
    """Every table by id; `names` are the segments' by id."""
    made = {}
    for id, (caption, query, columns) in (table for room in ROOMS for table in room.TABLES.items()):
        found = rows(marts, query)
        written = [
            Column(column.key, company.says(column.label), column.kind)
            for column in columns
            if company.shows(column.key) and (column.key not in MAY_BE_EMPTY or any(row[column.key] is not None for row in found))
        ]
        shown = [in_words(id, row, names, company) for row in found[: LISTED_ACCOUNTS if id == "disagreements" else LISTED_ROWS]]
        made[id] = Table(id, caption, written, shown, sampling(marts, id, len(shown), len(found)))
    return made


def in_words(id: str, row: Row, names: Mapping[str, str], company: Company) -> Row:
    """A row with its segment's name, and what its code says."""
    if id == "challenger":
        return {key: value for key, value in row.items() if key not in {"segment_id", "tier"}}
    said = {"segment_name": names.get(row["segment_id"], str(row["segment_id"]).capitalize())} if "segment_id" in row else {}
    if id == "headline":
        said["said"] = company.says(MEASURES[row["measure"], row["share"]])
    if id in IN_WORDS:
        code, sentences = IN_WORDS[id]
        said["said"] = company.says(sentences[row[code]])
    return row | said


def sampling(marts: Marts, id: str, shown: int, found: int) -> str:
    """What a table leaves out."""
    if id == "disagreements":
        [of] = rows(marts, "select count(*) as n from marts.icp_disagreements")
        return cut(shown, of["n"], "accounts, by what is at stake")
    if id == "effects":
        [of] = rows(
            marts,
            """
            select count(*) as n, count(*) filter (where verdict in ('raises', 'lowers')) as found,
                count(*) filter (where verdict = 'leak_suspected') as leaks
            from marts.icp_attribute_effects
            """,
        )
        if not of["n"]:
            return "No trait has enough accounts to be tried."
        leaks = f", {of['leaks']:,} of them of suspected leaks" if of["leaks"] else ""
        return (
            f"{shown:,} of {of['found']:,} with a verdict, of {of['n']:,} combinations tried{leaks}; the others show no evidence."
        )
    return cut(shown, found, "rows")


def figure_table(figure: Any, company: Company, segments: Mapping[str, str]) -> Table:
    """What a chart shows (`charts.Figure`), as a table: columns by what they hold and are called; `segments` are names by id."""
    said = {column: {code: company.says(text) for code, text in texts.items()} for column, texts in WRITTEN.items()}
    table = figure.table.replace({column: texts for column, texts in said.items() if column in figure.table})
    if "segment_id" in table and "segment_name" not in table:
        table = table.assign(segment=table["segment_id"].map({"all": "All", **segments}).fillna(table["segment_id"]))
        table.insert(0, "segment", table.pop("segment"))
    found = table.astype(object).where(table.notna(), None).to_dict("records")
    names = list(table.columns)
    shown_with = {f"{name}{end}" for name in names for end in ("_low", "_high")} | {
        "segment_id" for name in names if name in {"segment", "segment_name"}
    }
    columns = [
        Column(
            name, HEADINGS.get(name) or name.replace("_", " ").replace("pursuit", "first deal").capitalize(), kind_of(name, found)
        )
        for name in names
        if name not in shown_with and company.shows(name)
    ]
    shown = found[:LISTED_ROWS]
    return Table(f"of-{figure.id}", figure.title, columns, shown, cut(len(shown), len(found), "rows"))


def kind_of(name: str, found: list[Row]) -> str:
    """How a column is written, from its name, as the marts are named, and its values."""
    value = next((row[name] for row in found if row[name] is not None), None)
    if name in {"tier", "calendar_month"}:
        return name
    if isinstance(value, bool):
        return "yes"
    if isinstance(value, str):
        return "text" if name.endswith(("name", "segment")) else "code"
    if isinstance(value, date):
        return "month" if name.endswith("month") else "day"
    if name.endswith(("rate", "share", "rate_low", "rate_high", "share_low", "share_high", "retention")):
        return "share"
    if name.endswith(("count", "customers", "orders", "months")):
        return "count"
    return "count" if isinstance(value, int) else "number"
