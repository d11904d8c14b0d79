with

cycles as (
    select * from {{ ref('int_cycles__versions') }}
),

first_cycle as (
    select min(cycle_start) as cycle_start
    from cycles
),

-- What is older than the first cycle is there from its beginning.
new_accounts as (
    select
        segments.icp_version,
        segments.tier,
        greatest({{ cycle_of('lifespans.exists_from') }}, first_cycle.cycle_start) as cycle_start,
        count(*) as account_count
    from {{ ref('int_accounts__lifespans') }} as lifespans
    cross join first_cycle
    inner join {{ ref('int_accounts__segments_by_version') }} as segments on lifespans.account_id = segments.account_id
    group by all
)

select
    cycles.cycle_start,
    new_accounts.tier,
    sum(new_accounts.account_count) as account_count
from cycles
inner join new_accounts
    on
        cycles.icp_version = new_accounts.icp_version
        and cycles.cycle_start >= new_accounts.cycle_start
group by cycles.cycle_start, new_accounts.tier
