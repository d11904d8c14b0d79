with

starts as (
    select
        order_id,
        min(starts_on) as starts_on
    from {{ ref('int_order_lines') }}
    where line_kind = 'contract'
    group by order_id
),

-- From the order's start, but not before that of its first contract.
replacements as (
    select
        orders.order_id,
        orders.replaces_order_id,
        greatest(
            coalesce(orders.stated_starts_on, starts.starts_on, orders.starts_on),
            coalesce(starts.starts_on, orders.starts_on)
        ) as starts_on
    from {{ ref('int_orders') }} as orders
    left join starts on orders.order_id = starts.order_id
    where orders.replaces_order_id is not null
)

select
    order_id,
    replaces_order_id,
    starts_on,
    row_number() over (partition by replaces_order_id order by starts_on, order_id) = 1 as is_first
from replacements
