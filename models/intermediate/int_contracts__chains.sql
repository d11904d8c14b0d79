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

select
    id as order_line_id,
    last_id as first_order_line_id
from ({{ chain_ends(renewals) }})
