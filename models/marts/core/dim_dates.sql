with

as_of as (
    select * from {{ ref('int_as_of') }}
),

first_months as (
    select {{ first_of_month('min(cycle_start)') }} as first_month
    from {{ ref('int_cycles') }}
    union all
    select min(month) as first_month
    from {{ ref('fct_mrr_movements') }}
),

-- From 1900 to 2099 there are fewer than 73,100 days.
numbers as (
    {{ numbers(73100) }}
),

first_day as (
    select min(first_month) as first_day
    from first_months
),

days as (
    select {{ add_days('first_day.first_day', 'cast(numbers.generated_number - 1 as integer)') }} as date_day
    from first_day
    cross join numbers
)

select
    days.date_day,
    {{ first_of_week('days.date_day') }} as week,
    {{ first_of_month('days.date_day') }} as month,
    {{ fiscal_year('days.date_day') }} as fiscal_year,
    {{ fiscal_quarter('days.date_day') }} as fiscal_quarter
from days
cross join as_of
where days.date_day <= as_of.as_of
