"""The tables of the backtest."""

from icp_refinery.report.labels import SCORERS
from icp_refinery.report.tables.model import Column, Definition

TABLES: dict[str, Definition] = {
    "headline": (
        "What it would have been worth, by what is followed, all cut-offs together",
        "select measure, share, max(pursuit_count) as pursuit_count, max(won_pursuit_count) as won_pursuit_count, "
        + ", ".join(
            f"max({figure}) filter (where scorer = '{scorer}') as {scorer}{end}"
            for scorer in SCORERS
            for figure, end in {"value": "", "low": "_low", "high": "_high"}.items()
        )
        + """
        from marts.icp_backtest
        where cutoff = 'all' and value is not null
            and (measure = 'value_captured' and share = 0.2 or measure like '%_skippable' and share in (0.9, 0.95))
        group by measure, share
        order by measure = 'value_captured' desc, measure, share
        """,
        [
            Column("said", "Measure", "name"),
            *[Column(scorer, scorer.capitalize(), "share") for scorer in SCORERS],
            Column("pursuit_count", "First deals (n)", "count"),
            Column("won_pursuit_count", "Won", "count"),
        ],
    ),
    "backtest": (
        "What following each order would have captured or skipped, all cut-offs together",
        """
        select *, low as value_low, high as value_high from marts.icp_backtest where cutoff = 'all'
        order by measure, share, scorer
        """,
        [
            Column("scorer", "Order by", "code"),
            Column("said", "Measure", "name"),
            Column("share", "At", "share"),
            Column("value", "Share", "share"),
            Column("pursuit_count", "First deals (n)", "count"),
            Column("won_pursuit_count", "Won", "count"),
            Column("note", "Note"),
        ],
    ),
}
