-- For each currency, in that currency: closed-won lines as they were read = accepted + rejected, to the cent.
with

raw_orders as (
    select
        raw.order_id,
        max(upper(raw.currency_code)) as currency_code,
        max(lower(raw.order_status)) as order_status
    from ({{ raw_rows('orders') }}) as raw_rows
    group by raw.order_id
),

amounts as (
    select
        {{ json_text('to_json(raw)', 'order_id') }} as order_id,
        coalesce(try_cast({{ json_text('to_json(raw)', 'amount') }} as decimal(18, 4)), 0) as amount
    from ({{ raw_rows('order_lines') }}) as raw_rows
    union all
    select
        order_id,
        -amount as amount
    from {{ ref('input_order_lines') }}
    union all
    select
        {{ json_text('raw_row', 'order_id') }} as order_id,
        -coalesce(try_cast({{ json_text('raw_row', 'amount') }} as decimal(18, 4)), 0) as amount
    from {{ ref('input_rejects') }}
    -- A record that is not UTF-8 is kept as text, not as JSON, and was never read as a row.
    where entity = 'order_lines' and json_valid(raw_row)
)

select
    raw_orders.currency_code,
    sum(amounts.amount) as difference
from amounts
left join raw_orders on amounts.order_id = cast(raw_orders.order_id as varchar)
where coalesce(raw_orders.order_status, 'closed_won') = 'closed_won'
group by raw_orders.currency_code
having sum(amounts.amount) <> 0
