with

rates as (
    select * from ({{ check_rows('exchange_rates') }})
),

conflicts as (
    select
        currency_code,
        valid_from
    from rates
    where row_rule is null
    group by currency_code, valid_from
    having count(*) > 1
),

checked as (
    select
        rates.*,
        coalesce(
            rates.row_rule,
            case
                when conflicts.currency_code is not null then 'conflicting_duplicate'
                when rates.rate <= 0 then 'not_allowed_value'
            end
        ) as reject_rule
    from rates
    left join conflicts
        on
            rates.currency_code = conflicts.currency_code
            and rates.valid_from = conflicts.valid_from
)

{{ checked_rows('exchange_rates', id='currency_code') }}
