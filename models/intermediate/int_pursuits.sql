with

as_of as (
    select * from {{ ref('int_as_of') }}
),

order_amounts as (
    select * from {{ ref('int_orders__priced') }}
),

-- Margin, where every order has it.
measure as (
    select count(*) = count(margin_amount) as is_margin
    from order_amounts
),

first_opportunities as (
    select
        account_id,
        opportunity_id as pursuit_id,
        is_won,
        created_at as began_at,
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
        closed_at
    from first_opportunities
    where pursuit_number = 1
    union all
    -- With orders only, an account's first order is its pursuit.
    select
        account_id,
        order_id as pursuit_id,
        true as is_won,
        closed_at as began_at,
        closed_at
    from {{ ref('int_orders') }}
    where
        order_number = 1
        and not exists (select 1 from {{ ref('int_opportunities') }})
),

horizons as (
    select
        *,
        cast({{ add_months('closed_at', var('value_horizon_months')) }} as timestamp) as horizon_at
    from pursuits
),

sold as (
    select
        horizons.account_id,
        sum(case when measure.is_margin then order_amounts.margin_amount else order_amounts.net_amount end) as value
    from horizons
    cross join measure
    inner join order_amounts
        on
            horizons.account_id = order_amounts.account_id
            and order_amounts.closed_at >= horizons.began_at
            and order_amounts.closed_at < horizons.horizon_at
    where horizons.is_won
    group by horizons.account_id
)

select
    horizons.account_id,
    horizons.pursuit_id,
    horizons.is_won,
    measure.is_margin,
    row_number() over (order by md5(horizons.account_id), horizons.account_id) <= {{ var('learning_max_rows') }} as is_sampled,
    {{ var('value_horizon_months') }} as horizon_months,
    cast(coalesce(sold.value, 0) as decimal(18, 4)) as value,
    case
        when horizons.is_won
            then least({{ days_between('horizons.closed_at', 'as_of.ends_at') }} / 30.4375, {{ var('value_horizon_months') }})
    end as months_observed,
    horizons.began_at,
    horizons.closed_at,
    horizons.horizon_at
from horizons
cross join as_of
cross join measure
left join sold on horizons.account_id = sold.account_id
