with

foreign_deals as (
    select
        currency_code,
        {{ read_date('closed_at') }} as valid_from,
        nullif({{ read_number('hs_exchange_rate', 'decimal(18, 8)') }}, 0) as stated_rate,
        {{ read_number('amount_in_home_currency') }} / nullif({{ read_number('amount') }}, 0) as rounded_rate
    from {{ ref('base_hubspot__deals') }}
    where is_closed and currency_code <> '{{ var("reporting_currency") }}'
)

-- HubSpot's own dated rates are not landed: each closed deal tells that of its day.
select
    currency_code,
    valid_from,
    coalesce(max(stated_rate), round(max(rounded_rate), 6)) as rate
from foreign_deals
where coalesce(stated_rate, rounded_rate) > 0{% if 'files' in var('connectors') %} and not exists (
    -- A file of rates counts instead.
    select 1 from {{ source('files', 'exchange_rates') }}
){% endif %}
group by currency_code, valid_from
