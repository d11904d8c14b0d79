-- For each currency, before conversion: accepted closed-won lines (or the amount of an order without lines) = fct_order_lines.
with

orders as (
    select orders.*
    from {{ ref('input_orders') }} as orders
    cross join {{ ref('int_as_of') }} as as_of
    inner join {{ ref('int_accounts__resolved') }} as accounts on orders.account_id = accounts.account_id
    where
        orders.order_status = 'closed_won'
        and orders.closed_at < as_of.ends_at
        and not accounts.is_excluded
),

amounts as (
    select
        coalesce(orders.currency_code, '{{ var("reporting_currency") }}') as currency_code,
        lines.amount
    from {{ ref('input_order_lines') }} as lines
    inner join orders on lines.order_id = orders.order_id
    union all
    select
        coalesce(orders.currency_code, '{{ var("reporting_currency") }}') as currency_code,
        coalesce(orders.amount, 0) as amount
    from orders
    anti join {{ ref('input_order_lines') }} as lines on orders.order_id = lines.order_id
    union all
    select
        currency_code,
        -amount_in_currency as amount
    from {{ ref('fct_order_lines') }}
    where order_id in (select order_id from orders)
)

select
    currency_code,
    sum(amount) as difference
from amounts
group by currency_code
having sum(amount) <> 0
