with

months as (
    select * from {{ ref('int_seasonality__months') }}
),

learned as (
    select * from {{ ref('learned_seasonality') }}
),

groups as (
    select
        dimension,
        value
    from months
    union
    select
        'all' as dimension,
        'all' as value
),

calendar as (
    {{ numbers(12) }}
),

-- Sums before the ratio: a month of a few orders weighs as much as it is.
observed as (
    select
        dimension,
        value,
        cast(extract(month from month) as integer) as calendar_month,
        sum(order_count) as order_count,
        sum(net_amount) as net_amount,
        count(orders_around) as compared_months,
        24 * sum(case when orders_around is not null then order_count end) / cast(nullif(sum(orders_around), 0) as double) as order_ratio,
        case
            when sum(net_amount_around) > 0
                then 24 * cast(sum(case when net_amount_around is not null then net_amount end) as double) / cast(sum(net_amount_around) as double)
        end as net_amount_ratio
    from months
    group by dimension, value, extract(month from month)
)

select
    groups.dimension,
    groups.value,
    cast(calendar.generated_number as integer) as calendar_month,
    coalesce(cast(learned.verdict as string), 'not_enough_data') as verdict,
    coalesce(cast(learned.reason as string), 'no full month of orders') as reason,
    coalesce(cast(learned.is_season as boolean), false) as is_season,
    cast(coalesce(observed.order_count, 0) as integer) as order_count,
    cast(coalesce(observed.net_amount, 0) as decimal(18, 4)) as net_amount,
    cast(coalesce(observed.compared_months, 0) as integer) as compared_months,
    observed.order_ratio / nullif(avg(observed.order_ratio) over whole_year, 0) as order_index,
    observed.net_amount_ratio / nullif(avg(observed.net_amount_ratio) over whole_year, 0) as net_amount_index,
    coalesce(cast(learned.full_years as integer), 0) as full_years,
    coalesce(cast(learned.tested_orders as integer), 0) as tested_orders,
    cast(learned.p_value as double) as p_value,
    cast(learned.adjusted_p_value as double) as adjusted_p_value
from groups
cross join calendar
left join observed
    on
        groups.dimension = observed.dimension
        and groups.value = observed.value
        and calendar.generated_number = observed.calendar_month
left join learned
    on
        groups.dimension = learned.dimension
        and groups.value = learned.value
        and calendar.generated_number = learned.calendar_month
-- In the order of the months, so that the sum of doubles is always the same.
window whole_year as (
    partition by groups.dimension, groups.value
    order by calendar.generated_number
    rows between unbounded preceding and unbounded following
)
