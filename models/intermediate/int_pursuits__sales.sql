with

pursuits as (
    select * from {{ ref('int_pursuits') }}
    where is_won
),

orders as (
    select * from {{ ref('int_orders__priced') }}
)

select
    orders.order_id,
    orders.account_id,
    case when pursuits.is_margin then orders.margin_amount else orders.net_amount end as value,
    -- What was sold between a pursuit's beginning and its win counts as sold with it.
    cast(
        floor({{ days_between('pursuits.closed_at', 'greatest(orders.closed_at, pursuits.closed_at)') }} / 30.4375) as integer
    ) as months_since_win,
    orders.closed_at as sold_at
from pursuits
inner join orders
    on
        pursuits.account_id = orders.account_id
        and orders.closed_at >= pursuits.began_at
        and orders.closed_at < pursuits.horizon_at
