with recursive

contracts as (
    select
        lines.order_line_id,
        lines.currency_code,
        lines.exchange_rate,
        succession.renews_order_line_id
    from {{ ref('int_order_lines') }} as lines
    inner join {{ ref('int_contracts__succession') }} as succession on lines.order_line_id = succession.order_line_id
    -- The reporting currency never moves against itself.
    where lines.currency_code <> '{{ var("reporting_currency") }}'
),

links as (
    select
        contracts.order_line_id,
        contracts.exchange_rate,
        renewed.order_line_id as renewed_order_line_id
    from contracts
    left join contracts as renewed
        on
            contracts.renews_order_line_id = renewed.order_line_id
            and contracts.currency_code = renewed.currency_code
),

chains as (
    select
        order_line_id,
        exchange_rate
    from links
    where renewed_order_line_id is null
    union all
    select
        links.order_line_id,
        chains.exchange_rate
    from chains
    inner join links on chains.order_line_id = links.renewed_order_line_id
)

select
    order_line_id,
    exchange_rate
from chains
