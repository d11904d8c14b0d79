with

new_business as (
    select
        orders.*,
        segments.segment_id
    from {{ ref('int_seasonality__orders') }} as orders
    left join {{ ref('int_accounts__segments') }} as segments on orders.account_id = segments.account_id
),

months as (
    select * from {{ ref('int_seasonality__calendar') }}
),

grouped as (
    select
        'all' as dimension,
        'all' as value,
        closed_month,
        net_amount
    from new_business
    union all
    select
        'industry' as dimension,
        industry as value,
        closed_month,
        net_amount
    from new_business
    union all
    select
        'segment' as dimension,
        segment_id as value,
        closed_month,
        net_amount
    from new_business
),

groups as (
    select distinct
        dimension,
        value
    from grouped
),

monthly as (
    select
        dimension,
        value,
        closed_month,
        count(*) as order_count,
        sum(net_amount) as net_amount
    from grouped
    group by dimension, value, closed_month
),

dense as (
    select
        groups.dimension,
        groups.value,
        months.month_number,
        months.month,
        coalesce(monthly.order_count, 0) as order_count,
        coalesce(monthly.net_amount, 0) as net_amount,
        max(months.month_number) over (partition by groups.dimension, groups.value) as month_count
    from groups
    cross join months
    left join monthly
        on
            groups.dimension = monthly.dimension
            and groups.value = monthly.value
            and months.month = monthly.closed_month
),

-- Twice the twelve months around, so that they have a middle: half a month at each end.
around as (
    select
        *,
        -- Below two years some months of the year would have no average.
        month_count >= 24 and month_number > 6 and month_number <= month_count - 6 as has_average,
        sum(order_count)
            over (
                partition by dimension, value
                order by month_number
                rows between 6 preceding and 5 following
            )
        + sum(order_count) over (
            partition by dimension, value
            order by month_number
            rows between 5 preceding and 6 following
        ) as orders_around,
        sum(net_amount)
            over (
                partition by dimension, value
                order by month_number
                rows between 6 preceding and 5 following
            )
        + sum(net_amount) over (
            partition by dimension, value
            order by month_number
            rows between 5 preceding and 6 following
        ) as net_amount_around
    from dense
)

select
    dimension,
    value,
    month,
    cast(order_count as integer) as order_count,
    cast(net_amount as decimal(18, 4)) as net_amount,
    case when has_average then cast(orders_around as bigint) end as orders_around,
    case when has_average then cast(net_amount_around as decimal(24, 4)) end as net_amount_around
from around
