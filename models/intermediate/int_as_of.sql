with

events as (
    select closed_at as occurred_at
    from {{ ref('input_opportunities') }}
    where is_closed
    union all
    select closed_at as occurred_at
    from {{ ref('input_orders') }}
    -- The date of an open order is only expected.
    where order_status <> 'open'
    union all
    select occurred_at
    from {{ ref('input_engagements') }}
    union all
    select entered_at as occurred_at
    from {{ ref('input_opportunity_stages') }}
),

newest as (
    select
        coalesce(cast({{ as_of_setting() }} as date), cast(max(occurred_at) as date)) as as_of
    from events
)

select
    as_of,
    {{ first_of_month('as_of') }} as as_of_month,
    cast({{ add_days('as_of', 1) }} as timestamp) as ends_at
from newest
