with

rates as (
    select
        currency_code,
        valid_from,
        lead(valid_from) over (partition by currency_code order by valid_from) as valid_until,
        rate as exchange_rate
    from {{ ref('input_exchange_rates') }}
    where currency_code <> '{{ var("reporting_currency") }}'
),

days as (
    select
        currency_code,
        cast(closed_at as date) as day
    from {{ ref('input_orders') }}
    union
    select
        currency_code,
        cast(closed_at as date) as day
    from {{ ref('input_opportunities') }}
    union
    select
        currency_code,
        cast(created_at as date) as day
    from {{ ref('input_opportunities') }}
    union
    select
        currency_code,
        spent_on as day
    from {{ ref('input_campaign_spend') }}
)

select
    rates.currency_code,
    days.day,
    rates.exchange_rate,
    rates.valid_from,
    rates.valid_until
from rates
inner join days
    on
        rates.currency_code = days.currency_code
        and rates.valid_from < {{ add_days('days.day', 1) }}
        and (rates.valid_until is null or rates.valid_until > days.day)
