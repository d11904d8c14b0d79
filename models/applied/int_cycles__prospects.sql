with

cycles as (
    select * from {{ ref('int_cycles__versions') }}
),

first_cycle as (
    select min(cycle_start) as cycle_start
    from cycles
),

lifespans as (
    select * from {{ ref('int_accounts__lifespans') }}
),

-- An account is a prospect from the cycle in which it appears until the one of its first order, that one included.
changes as (
    select
        lifespans.account_id,
        greatest({{ cycle_of('lifespans.exists_from') }}, first_cycle.cycle_start) as cycle_start,
        1 as prospect_change
    from lifespans
    cross join first_cycle
    union all
    select
        account_id,
        {{ add_cycles(cycle_of('customer_from'), '1') }} as cycle_start,
        -1 as prospect_change
    from lifespans
    where customer_from is not null
),

net_changes as (
    select
        segments.icp_version,
        changes.cycle_start,
        sum(changes.prospect_change) as prospect_change,
        sum(case when {{ is_prioritized('segments.tier') }} then changes.prospect_change else 0 end) as ideal_change
    from changes
    inner join {{ ref('int_accounts__segments_by_version') }} as segments on changes.account_id = segments.account_id
    group by segments.icp_version, changes.cycle_start
)

select
    cycles.cycle_start,
    sum(net_changes.prospect_change) as prospect_count,
    sum(net_changes.ideal_change) as ideal_count
from cycles
inner join net_changes
    on
        cycles.icp_version = net_changes.icp_version
        and cycles.cycle_start >= net_changes.cycle_start
group by cycles.cycle_start
