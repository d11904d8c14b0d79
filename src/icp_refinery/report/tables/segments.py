"""The tables of the segments: who is in them and what they buy."""

from icp_refinery.report.tables.model import LISTED_PRODUCTS, SEGMENT, Column, Definition

TABLES: dict[str, Definition] = {
    "profiles": (
        "Who is in each segment",
        """
        select * from marts.icp_segment_profiles where segment_id <> 'all'
        order by segment_id, aspect, dimension, index_against_all desc nulls last, value
        """,
        [
            SEGMENT,
            Column("aspect", "Aspect", "code"),
            Column("dimension", "Dimension", "code"),
            Column("value", "Value", "code"),
            Column("accounts", "Accounts known (n)", "count"),
            Column("share", "Share", "share"),
            Column("overall_share", "Of all accounts", "share"),
            Column("figure", "Figure", "number"),
            Column("overall_figure", "Of all", "number"),
            Column("index_against_all", "Against all", "number"),
        ],
    ),
    "product-mix": (
        f"What each segment buys: its {LISTED_PRODUCTS} products of the highest net amount",
        f"""
        select * from (
            select *, row_number() over (partition by segment_id order by net_amount desc, item_id) as place
            from marts.icp_product_mix where segment_id <> 'all' and item_type = 'product'
        ) as products
        where place <= {LISTED_PRODUCTS}
        order by segment_id, attach_rate desc nulls last, item_id
        """,
        [
            SEGMENT,
            Column("item_name", "Product", "name"),
            Column("product_family", "Family"),
            Column("customer_count", "Customers (n)", "count"),
            Column("attach_rate", "Bought by", "share"),
            Column("overall_attach_rate", "Of all customers", "share"),
            Column("index_against_all", "Against all", "number"),
            Column("net_amount", "Net amount ({currency})", "money"),
            Column("value_share", "Share of its net amount", "share"),
        ],
    ),
}
