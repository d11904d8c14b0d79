with

reference as (
    select * from {{ ref('int_review_reference') }}
),

pursuits as (
    select * from {{ ref('int_pursuits__segments') }}
),

-- The reference, which has no cycle, is a period too.
periods as (
    select
        cycle_start,
        cycle_end,
        is_finished
    from {{ ref('int_cycles') }}
    union all
    select
        cast(null as date) as cycle_start,
        cast(null as date) as cycle_end,
        cast(null as boolean) as is_finished
),

segments as (
    select
        segment_id,
        tier
    from {{ ref('int_icp_versions__segments') }}
    where is_in_force
    union all
    select
        'all' as segment_id,
        cast(null as string) as tier
),

-- Each pursuit counts in its cycle and, if it is old enough, in the reference.
period_pursuits as (
    select
        segment_id,
        is_won,
        first_order_value,
        days_to_close,
        cycle_start
    from pursuits
    union all
    select
        pursuits.segment_id,
        pursuits.is_won,
        pursuits.first_order_value,
        pursuits.days_to_close,
        cast(null as date) as cycle_start
    from pursuits
    cross join reference
    where pursuits.closed_at < {{ add_days('reference.reference_end', 1) }}
)

select
    segments.segment_id,
    segments.tier,
    periods.cycle_start,
    periods.cycle_end,
    periods.is_finished,
    cast(count(pursuits.segment_id) as integer) as pursuit_count,
    {{ if_deals_are_lost('nullif(count(pursuits.segment_id), 0)') }} as judged_count,
    cast(count(*) filter (where pursuits.is_won) as integer) as won_pursuit_count,
    cast(count(pursuits.first_order_value) as integer) as first_order_count,
    cast(sum(pursuits.first_order_value) as double) / nullif(count(pursuits.first_order_value), 0) as average_first_order_value,
    cast(count(pursuits.days_to_close) as integer) as won_with_dates_count,
    cast(median(pursuits.days_to_close) as double) as median_days_to_close
from periods
cross join segments
left join period_pursuits as pursuits
    on
        periods.cycle_start is not distinct from pursuits.cycle_start
        and segments.segment_id in (pursuits.segment_id, 'all')
group by all
