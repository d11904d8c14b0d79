"""The tables of seasons."""

from icp_refinery.report.tables.model import Column, Definition

TABLES: dict[str, Definition] = {
    "seasonality": (
        "Months in which more new business is won, again and again",
        """
        select seasons.*, coalesce(segments.segment_name, seasons.value) as value_name, segments.segment_id
        from marts.icp_seasonality as seasons
        left join marts.icp_segments as segments on seasons.dimension = 'segment' and seasons.value = segments.segment_id
        where seasons.is_season
        order by seasons.dimension, value_name, seasons.calendar_month
        """,
        [
            Column("dimension", "By", "code"),
            Column("value_name", "Who", "name"),
            Column("calendar_month", "Month", "calendar_month"),
            Column("order_count", "New-business orders (n)", "count"),
            Column("order_index", "These / even spread", "number"),
            Column("net_amount_index", "Their net amount / even spread", "number"),
            Column("full_years", "Full years", "count"),
            Column("adjusted_p_value", "p, adjusted", "p"),
        ],
    ),
}
