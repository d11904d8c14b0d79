with

orders as (
    select * from {{ ref('int_orders') }}
),

products as (
    select * from {{ ref('input_products') }}
),

given_lines as (
    select * from {{ ref('input_order_lines') }}
),

lines as (
    select
        given_lines.order_line_id,
        given_lines.order_id,
        given_lines.product_id,
        given_lines.line_type,
        given_lines.quantity,
        given_lines.amount,
        given_lines.cost,
        given_lines.starts_on,
        given_lines.ends_on
    from given_lines
    union all
    -- An order without lines is one line of its amount.
    select
        concat('order-', orders.order_id) as order_line_id,
        orders.order_id,
        cast(null as varchar) as product_id,
        cast(null as varchar) as line_type,
        cast(null as decimal(18, 4)) as quantity,
        orders.amount,
        cast(null as decimal(18, 4)) as cost,
        cast(null as date) as starts_on,
        cast(null as date) as ends_on
    from orders
    anti join given_lines on orders.order_id = given_lines.order_id
),

dated as (
    select
        lines.order_line_id,
        lines.order_id,
        orders.account_id,
        lines.product_id,
        products.product_type,
        lines.line_type,
        orders.currency_code,
        lines.quantity,
        lines.amount as amount_in_currency,
        lines.cost as cost_in_currency,
        orders.exchange_rate,
        coalesce(lines.starts_on, orders.starts_on) as starts_on,
        coalesce(
            lines.ends_on,
            orders.ends_on,
            {{ add_days(add_months('coalesce(lines.starts_on, orders.starts_on)', 'orders.stated_term_months'), -1) }}
        ) as contracted_ends_on,
        orders.terminated_on,
        orders.closed_at
    from lines
    inner join orders on lines.order_id = orders.order_id
    left join products on lines.product_id = products.product_id
)

select
    order_line_id,
    order_id,
    account_id,
    product_id,
    case
        when amount_in_currency < 0 then 'credit'
        when
            contracted_ends_on is not null
            and (line_type = 'recurring' or (line_type is null and product_type is distinct from 'service'))
            then 'contract'
        else 'transaction'
    end as line_kind,
    currency_code,
    quantity,
    amount_in_currency,
    cost_in_currency,
    cast(exchange_rate as decimal(18, 10)) as exchange_rate,
    {{ at_rate('amount_in_currency', 'exchange_rate') }} as amount,
    {{ at_rate('cost_in_currency', 'exchange_rate') }} as cost,
    starts_on,
    case when terminated_on < contracted_ends_on then terminated_on else contracted_ends_on end as ends_on,
    contracted_ends_on,
    closed_at
from dated
