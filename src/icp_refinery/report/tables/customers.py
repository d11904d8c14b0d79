"""The tables of customers by value."""

from icp_refinery.report.tables.model import Column, Definition

TABLES: dict[str, Definition] = {
    "clusters": (
        "Value clusters of customers",
        "select * from marts.icp_value_clusters order by value_cluster_number",
        [
            Column("value_cluster", "Cluster", "name"),
            Column("customer_count", "Customers (n)", "count"),
            Column("customer_share", "Share of customers", "share"),
            Column("net_amount_share", "Share of net amount", "share"),
            Column("average_net_amount", "Net amount per customer ({currency})", "money"),
            Column("live_share", "Live", "share"),
            Column("contract_customer_count", "With a contract (n)", "count"),
            Column("renewal_rate", "Renewed when due", "share"),
            Column("renewals_due", "Renewals due (n)", "count"),
            Column("mrr_growth", "MRR now / first", "number"),
            Column("current_mrr", "MRR ({currency})", "money"),
        ],
    ),
}
