-- To the cent, and in number: what the segments say of orders, customers, accounts and opportunities is all of them.
with

segments as (
    select
        coalesce(sum(net_amount), 0) as net_amount,
        coalesce(sum(order_count), 0) as order_count,
        coalesce(sum(customer_count), 0) as customer_count,
        coalesce(sum(account_count), 0) as account_count,
        coalesce(sum(opportunity_count), 0) as opportunity_count
    from {{ ref('icp_segments') }}
),

totals as (
    select
        (select coalesce(sum(net_amount), 0) from {{ ref('fct_orders') }}) as net_amount,
        (select count(*) filter (where order_type <> 'credit') from {{ ref('fct_orders') }}) as order_count,
        (select count(*) from {{ ref('fct_customers') }}) as customer_count,
        (select count(*) from {{ ref('dim_accounts') }}) as account_count,
        (select count(*) from {{ ref('fct_opportunities') }}) as opportunity_count
)

select
    segments.*,
    totals.net_amount as net_amount_of_orders
from segments
cross join totals
where
    segments.net_amount <> totals.net_amount
    or segments.order_count <> totals.order_count
    or segments.customer_count <> totals.customer_count
    or segments.account_count <> totals.account_count
    or segments.opportunity_count <> totals.opportunity_count
