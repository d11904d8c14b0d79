-- Of the full months, by number and to the cent: all, the industries and the segments each; and an index has the mean 1.
with

as_of as (
    select {{ first_of_month(add_days('as_of', 1)) }} as unfinished_month
    from {{ ref('int_as_of') }}
),

orders as (
    select
        count(*) as order_count,
        coalesce(sum(orders.net_amount), 0) as net_amount
    from {{ ref('fct_orders') }} as orders
    inner join as_of on orders.closed_at < as_of.unfinished_month
    where orders.order_type = 'new_business'
),

months as (
    select
        dimension,
        sum(order_count) as order_count,
        sum(net_amount) as net_amount
    from {{ ref('icp_seasonality') }}
    group by dimension
),

means as (
    select
        dimension,
        value,
        avg(order_index) as order_index
    from {{ ref('icp_seasonality') }}
    group by dimension, value
)

select
    months.dimension,
    months.order_count,
    months.net_amount
from months
cross join orders
where
    months.order_count <> orders.order_count
    or months.net_amount <> orders.net_amount
union all
select
    dimension,
    null as order_count,
    null as net_amount
from means
where abs(order_index - 1) > 0.000001
