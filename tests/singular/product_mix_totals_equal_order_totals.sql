-- To the cent, for each segment and the whole: products add up to its orders, and so do bundles.
with

mix as (
    select
        segment_id,
        sum(case when item_type = 'product' then net_amount else 0 end) as net_amount_of_products,
        sum(case when item_type = 'bundle' then net_amount else 0 end) as net_amount_of_bundles
    from {{ ref('icp_product_mix') }}
    group by segment_id
),

orders as (
    select
        segment_id,
        sum(net_amount) as net_amount
    from {{ ref('fct_orders') }}
    group by segment_id
    union all
    select
        'all' as segment_id,
        sum(net_amount) as net_amount
    from {{ ref('fct_orders') }}
    having count(*) > 0
)

select
    coalesce(orders.segment_id, mix.segment_id) as segment_id,
    orders.net_amount,
    mix.net_amount_of_products,
    mix.net_amount_of_bundles
from orders
full outer join mix on orders.segment_id = mix.segment_id
where
    coalesce(orders.net_amount, 0) is distinct from mix.net_amount_of_products
    or coalesce(orders.net_amount, 0) is distinct from mix.net_amount_of_bundles
