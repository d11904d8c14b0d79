-- None missing, none twice: neither an order that was accepted, nor an opportunity, nor an account.
with

placed as (
    select
        'order' as record,
        order_id as record_id,
        segment_id
    from {{ ref('fct_orders') }}
    union all
    select
        'opportunity' as record,
        opportunity_id as record_id,
        segment_id
    from {{ ref('fct_opportunities') }}
    union all
    select
        'account' as record,
        account_id as record_id,
        segment_id
    from {{ ref('dim_accounts') }}
    union all
    select
        'customer' as record,
        account_id as record_id,
        segment_id
    from {{ ref('fct_customers') }}
),

expected as (
    select
        'order' as record,
        order_id as record_id
    from {{ ref('int_orders') }}
    union all
    select
        'opportunity' as record,
        opportunity_id as record_id
    from {{ ref('int_opportunities') }}
    union all
    select distinct
        'customer' as record,
        account_id as record_id
    from {{ ref('int_orders') }}
),

counted as (
    select
        placed.record,
        placed.record_id,
        count(segments.segment_id) as segment_count
    from placed
    left join {{ ref('icp_segments') }} as segments on placed.segment_id = segments.segment_id
    group by placed.record, placed.record_id
)

select
    expected.record,
    expected.record_id,
    coalesce(counted.segment_count, 0) as segment_count
from expected
left join counted
    on
        expected.record = counted.record
        and expected.record_id = counted.record_id
where coalesce(counted.segment_count, 0) <> 1
union all
select
    record,
    record_id,
    segment_count
from counted
where segment_count <> 1
