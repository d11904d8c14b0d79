with

dated_rates as (
    select * from {{ source('salesforce', 'datedconversionrate') }}
    where not is_deleted
),

-- A currency that is no longer in use keeps its rate for what was sold in it, though a loader may call it deleted.
currencies as (
    select * from {{ source('salesforce', 'currencytype') }}
),

-- Foreign units per unit of the corporate currency.
conversion_rates as (
    select
        isocode as currency_code,
        greatest(startdate, date '1900-01-01') as valid_from,
        cast(conversionrate as double) as conversion_rate
    from dated_rates
    union all
    select
        isocode as currency_code,
        date '1900-01-01' as valid_from,
        cast(conversionrate as double) as conversion_rate
    from currencies
    where (select count(*) = 0 from dated_rates)
),

reporting_rates as (
    select * from conversion_rates
    where currency_code = '{{ var("reporting_currency") }}'
),

first_days as (
    select
        currency_code,
        min(valid_from) as valid_from
    from conversion_rates
    where currency_code <> '{{ var("reporting_currency") }}'
    group by currency_code
),

-- A currency's rate changes with its own and with that of the reporting currency.
changes as (
    select
        conversion_rates.currency_code,
        conversion_rates.valid_from
    from conversion_rates
    semi join first_days on conversion_rates.currency_code = first_days.currency_code
    union
    select
        first_days.currency_code,
        reporting_rates.valid_from
    from first_days
    inner join reporting_rates on first_days.valid_from < reporting_rates.valid_from
)

select
    changes.currency_code,
    changes.valid_from,
    -- Where the reporting currency has no rate, it is the corporate currency.
    case
        when (select count(*) > 0 from reporting_rates) then reporting_rates.conversion_rate
        else 1
    end / conversion_rates.conversion_rate as rate
from changes
asof join conversion_rates
    on changes.currency_code = conversion_rates.currency_code and changes.valid_from >= conversion_rates.valid_from
asof left join reporting_rates on changes.valid_from >= reporting_rates.valid_from
