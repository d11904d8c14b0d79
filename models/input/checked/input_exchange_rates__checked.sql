with

rates as (
    select * from ({{ check_rows('exchange_rates') }})
),

conflicts as (
    select
        currency_code,
        valid_from
    from rates
    where row_fault is null
    group by currency_code, valid_from
    having count(*) > 1
),

checked as (
    select
        rates.*,
        coalesce(
            rates.row_fault,
            case
                when conflicts.currency_code is not null then {{ fault('conflicting_duplicate', 'rate') }}
                when rates.rate <= 0 then {{ fault('not_allowed_value', 'rate') }}
            end
        ) as reject_fault
    from rates
    left join conflicts
        on
            rates.currency_code = conflicts.currency_code
            and rates.valid_from = conflicts.valid_from
)

{{ checked_rows('exchange_rates', id='currency_code') }}
