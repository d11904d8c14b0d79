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
    case
        when pursuits.value_basis = 'margin' then coalesce(orders.margin_amount, orders.net_amount)
        else orders.net_amount
    end as value,
    -- What was sold between a pursuit's beginning and its win counts as sold with it.
    cast(
        floor({{ days_between('pursuits.closed_at', 'greatest(orders.closed_at, pursuits.closed_at)') }} / {{ days_per_month() }}) as integer
    ) as months_since_win,
    orders.closed_at as sold_at
from pursuits
inner join orders
    on
        pursuits.account_id = orders.account_id
        and orders.closed_at >= pursuits.began_at
        and orders.closed_at < pursuits.horizon_at
where
    pursuits.value_basis <> 'wins'
    and orders.net_amount is not null
union all
-- A win itself, where it is what counts.
select
    pursuit_id as order_id,
    account_id,
    value,
    0 as months_since_win,
    closed_at as sold_at
from pursuits
where value_basis = 'wins'
