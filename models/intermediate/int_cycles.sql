with

as_of as (
    select * from {{ ref('int_as_of') }}
),

events as (
    select least(became_lead_at, became_mql_at, became_sql_at) as occurred_at
    from {{ ref('input_contacts') }}
    union all
    select created_at as occurred_at
    from {{ ref('int_opportunities') }}
    union all
    select closed_at as occurred_at
    from {{ ref('int_orders') }}
    union all
    select added_at as occurred_at
    from {{ ref('input_campaign_members') }}
    union all
    select cast(spent_on as timestamp) as occurred_at
    from {{ ref('input_campaign_spend') }}
),

first_cycle as (
    select {{ cycle_of('min(occurred_at)') }} as cycle_start
    from events
),

-- From 1900 to 2099 there are fewer than 10,500 weeks.
numbers as (
    {{ numbers(10500) }}
),

cycles as (
    select {{ add_cycles('first_cycle.cycle_start', 'numbers.generated_number - 1') }} as cycle_start
    from first_cycle
    cross join numbers
)

select
    cycles.cycle_start,
    {{ add_days(add_cycles('cycles.cycle_start', '1'), -1) }} as cycle_end,
    {{ add_cycles('cycles.cycle_start', '1') }} <= cast(as_of.ends_at as date) as is_finished
from cycles
cross join as_of
where cycles.cycle_start <= as_of.as_of
