-- To the cent, and in number: what the clusters say of customers and orders is all of them.
with

clusters as (
    select
        coalesce(sum(customer_count), 0) as customer_count,
        coalesce(sum(order_count), 0) as order_count,
        coalesce(sum(net_amount), 0) as net_amount,
        coalesce(sum(margin_amount), 0) as margin_amount,
        coalesce(sum(current_mrr), 0) as current_mrr
    from {{ ref('icp_value_clusters') }}
),

customers as (
    select
        count(*) as customer_count,
        coalesce(sum(order_count), 0) as order_count,
        coalesce(sum(net_amount), 0) as net_amount,
        coalesce(sum(margin_amount), 0) as margin_amount,
        coalesce(sum(current_mrr), 0) as current_mrr
    from {{ ref('fct_customers') }}
)

select
    clusters.*,
    customers.net_amount as net_amount_of_customers
from clusters
cross join customers
where
    clusters.customer_count <> customers.customer_count
    or clusters.order_count <> customers.order_count
    or clusters.net_amount <> customers.net_amount
    or clusters.margin_amount <> customers.margin_amount
    or clusters.current_mrr <> customers.current_mrr
