-- For each currency, in that currency: closed-won lines as they were read = accepted + rejected, to the cent.
with

raw_orders as (
    select
        order_id,
        max(currency_code) as currency_code,
        max(order_status) as order_status
    from {{ ref('input_orders__read') }}
    group by order_id
),

amounts as (
    select
        order_id,
        coalesce(amount, 0) as amount
    from {{ ref('input_order_lines__read') }}
    -- In all its columns: a line is malformed only where what is read of it is.
    where {{ raw_text('raw') }} is not null
    union all
    select
        order_id,
        -amount as amount
    from {{ ref('input_order_lines') }}
    union all
    select
        {{ json_text('raw_row', 'order_id') }} as order_id,
        -coalesce({{ read_number(json_text('raw_row', 'amount')) }}, 0) as amount
    from {{ ref('input_rejects') }}
    -- A malformed line was never read as a row.
    where entity = 'order_lines' and rule <> 'malformed_line'
)

select
    raw_orders.currency_code,
    sum(amounts.amount) as difference
from amounts
left join raw_orders on amounts.order_id = raw_orders.order_id
where coalesce(raw_orders.order_status, 'closed_won') = 'closed_won'
group by raw_orders.currency_code
having sum(amounts.amount) <> 0
