with

as_of as (
    select * from {{ ref('int_as_of') }}
),

orders as (
    select * from {{ ref('int_orders__priced') }}
),

first_opportunities as (
    select
        account_id,
        opportunity_id as pursuit_id,
        is_won,
        -- A deal that was entered after it was closed began no later than that.
        least(created_at, closed_at) as began_at,
        closed_at,
        row_number() over (partition by account_id order by closed_at, opportunity_id) as pursuit_number
    from {{ ref('int_opportunities') }}
    where
        is_closed
        and closed_at is not null
        and coalesce(opportunity_type, 'new_business') = 'new_business'
),

pursuits as (
    select
        account_id,
        pursuit_id,
        is_won,
        began_at,
        closed_at,
        cast({{ add_months('closed_at', var('value_horizon_months')) }} as timestamp) as horizon_at
    from first_opportunities
    where pursuit_number = 1
    union all
    -- With orders only, an account's first order is its pursuit.
    select
        account_id,
        order_id as pursuit_id,
        true as is_won,
        closed_at as began_at,
        closed_at,
        cast({{ add_months('closed_at', var('value_horizon_months')) }} as timestamp) as horizon_at
    from orders
    where
        order_number = 1
        and not exists (select 1 from {{ ref('int_opportunities') }})
),

sold as (
    select
        pursuits.account_id,
        sum(orders.net_amount) as net_amount,
        sum(coalesce(orders.margin_amount, orders.net_amount)) as margin_amount
    from pursuits
    inner join orders
        on
            pursuits.account_id = orders.account_id
            and orders.closed_at >= pursuits.began_at
            and orders.closed_at < pursuits.horizon_at
    where pursuits.is_won
    group by pursuits.account_id
),

margins as (
    select count(*) = count(margin_amount) as are_known
    from orders
    where order_type <> 'credit'
),

-- Margin, where every order has it; where most wins have no amount, a win is what counts.
measure as (
    select
        case
            when 2 * count(sold.net_amount) < count(*) then 'wins'
            when max(margins.are_known) then 'margin'
            else 'net_amount'
        end as value_basis
    from pursuits
    cross join margins
    left join sold on pursuits.account_id = sold.account_id
    where pursuits.is_won
)

select
    pursuits.account_id,
    pursuits.pursuit_id,
    measure.value_basis,
    pursuits.is_won,
    row_number() over (order by md5(pursuits.account_id), pursuits.account_id) <= {{ var('learning_max_rows') }} as is_sampled,
    {{ var('value_horizon_months') }} as horizon_months,
    -- Of a win without an amount the value is not known.
    cast(
        case
            when not pursuits.is_won then 0
            when measure.value_basis = 'wins' then 1
            when measure.value_basis = 'margin' then sold.margin_amount
            else sold.net_amount
        end as decimal(18, 4)
    ) as value,
    case
        when pursuits.is_won and measure.value_basis = 'wins' then {{ var('value_horizon_months') }}
        when pursuits.is_won
            then least({{ days_between('pursuits.closed_at', 'as_of.ends_at') }} / {{ days_per_month() }}, {{ var('value_horizon_months') }})
    end as months_observed,
    pursuits.began_at,
    pursuits.closed_at,
    pursuits.horizon_at
from pursuits
cross join as_of
cross join measure
left join sold on pursuits.account_id = sold.account_id
