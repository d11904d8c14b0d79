{#- Which contract a contract in a foreign currency renews, in the same currency. The reporting currency never moves against itself. -#}
{%- set renewals -%}
    select
        renewing.order_line_id as id,
        renewed.order_line_id as target_id
    from {{ ref('int_contracts__succession') }} as succession
    inner join {{ ref('int_order_lines') }} as renewing on succession.order_line_id = renewing.order_line_id
    inner join {{ ref('int_order_lines') }} as renewed
        on
            succession.renews_order_line_id = renewed.order_line_id
            and renewing.currency_code = renewed.currency_code
    where renewing.currency_code <> '{{ var("reporting_currency") }}'
{%- endset -%}

with

lines as (
    select
        order_line_id,
        exchange_rate
    from {{ ref('int_order_lines') }}
    where currency_code <> '{{ var("reporting_currency") }}'
),

first_contracts as (
    {{ chain_ends(renewals) }}
)

select
    contracts.order_line_id,
    first_lines.exchange_rate
from {{ ref('int_contracts__succession') }} as contracts
inner join lines on contracts.order_line_id = lines.order_line_id
left join first_contracts on contracts.order_line_id = first_contracts.id
inner join lines as first_lines on coalesce(first_contracts.last_id, contracts.order_line_id) = first_lines.order_line_id
