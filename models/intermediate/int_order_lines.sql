{{ config(post_hook="{{ stop_where_sums_do_not_fit('amount') }}") }}

with

orders as (
    select * from {{ ref('int_orders') }}
),

products as (
    select * from {{ ref('input_products') }}
),

lines as (
    select
        order_line_id,
        order_id,
        product_id,
        line_type,
        quantity,
        amount,
        cost,
        billing_months,
        term_months,
        starts_on,
        ends_on
    from {{ ref('input_order_lines') }}
    union all
    -- An order without lines is one line of its amount.
    select
        -- Told apart from a given line that has this id.
        case
            when namesakes.order_line_id is null then concat('order-', orders.order_id)
            else concat('order-', orders.order_id, '-', md5(orders.order_id))
        end as order_line_id,
        orders.order_id,
        cast(null as string) as product_id,
        cast(null as string) as line_type,
        cast(null as decimal(18, 4)) as quantity,
        orders.amount,
        cast(null as decimal(18, 4)) as cost,
        cast(null as bigint) as billing_months,
        cast(null as bigint) as term_months,
        cast(null as date) as starts_on,
        cast(null as date) as ends_on
    from orders
    left join {{ ref('input_order_lines') }} as namesakes on concat('order-', orders.order_id) = namesakes.order_line_id
    anti join {{ ref('input_order_lines') }} as given_lines on orders.order_id = given_lines.order_id
),

started as (
    select
        lines.*,
        orders.account_id,
        orders.currency_code,
        orders.exchange_rate,
        products.product_type,
        coalesce(lines.starts_on, orders.stated_starts_on) as stated_starts_on,
        coalesce(lines.starts_on, orders.starts_on) as contract_starts_on,
        orders.ends_on as order_ends_on,
        orders.stated_term_months as order_term_months,
        orders.terminated_on,
        orders.closed_at
    from lines
    inner join orders on lines.order_id = orders.order_id
    left join products on lines.product_id = products.product_id
),

-- Dates go before terms, but a line whose own term differs from its order's dates is of a ramp.
dated as (
    select
        *,
        coalesce(
            ends_on,
            case
                when {{ differs_from_term('contract_starts_on', 'order_ends_on', 'term_months') }}
                    then {{ add_days(add_months('contract_starts_on', 'term_months'), -1) }}
            end,
            order_ends_on,
            {{ add_days(add_months('contract_starts_on', 'coalesce(term_months, order_term_months)'), -1) }}
        ) as contracted_ends_on
    from started
),

classified as (
    select
        *,
        case
            when amount < 0 then 'credit'
            when line_type = 'recurring' and coalesce(contracted_ends_on, stated_starts_on) is not null then 'contract'
            when line_type is null and contracted_ends_on is not null and coalesce(product_type, '') <> 'service' then 'contract'
            else 'transaction'
        end as line_kind
    from dated
)

select
    order_line_id,
    order_id,
    account_id,
    product_id,
    line_kind,
    currency_code,
    quantity,
    -- Of an open-ended line: it has no end, and its amount is that of a period.
    case
        when line_kind = 'contract' and contracted_ends_on is null
            then cast(case when billing_months >= 1 then billing_months else 1 end as integer)
    end as billing_months,
    amount as amount_in_currency,
    cost as cost_in_currency,
    cast(exchange_rate as decimal(18, 10)) as exchange_rate,
    {{ at_rate('amount', 'exchange_rate') }} as amount,
    {{ at_rate('cost', 'exchange_rate') }} as cost,
    contract_starts_on as starts_on,
    case
        when terminated_on < contracted_ends_on then terminated_on
        when line_kind = 'contract' then coalesce(contracted_ends_on, terminated_on)
        else contracted_ends_on
    end as ends_on,
    contracted_ends_on,
    closed_at
from classified
