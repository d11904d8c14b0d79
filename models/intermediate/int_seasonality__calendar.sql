with

as_of as (
    select {{ first_of_month(add_days('as_of', 1)) }} as unfinished_month
    from {{ ref('int_as_of') }}
),

numbers as (
    {{ numbers(2400) }}
),

first_month as (
    select min(closed_month) as month
    from {{ ref('int_orders__priced') }}
)

-- The history of the company, whatever a group's first order: a month without one counts.
select
    cast(numbers.generated_number as integer) as month_number,
    {{ add_months('first_month.month', 'cast(numbers.generated_number - 1 as integer)') }} as month
from first_month
cross join numbers
cross join as_of
where {{ months_between('first_month.month', 'as_of.unfinished_month') }} >= numbers.generated_number
