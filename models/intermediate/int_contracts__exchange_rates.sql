with

lines as (
    select
        order_line_id,
        exchange_rate
    from {{ ref('int_order_lines') }}
    where currency_code <> '{{ var("reporting_currency") }}'
)

select
    contracts.order_line_id,
    first_lines.exchange_rate
from {{ ref('int_contracts__succession') }} as contracts
inner join lines on contracts.order_line_id = lines.order_line_id
left join {{ ref('int_contracts__chains') }} as chains on contracts.order_line_id = chains.order_line_id
inner join lines as first_lines on coalesce(chains.first_order_line_id, contracts.order_line_id) = first_lines.order_line_id
