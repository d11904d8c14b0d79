with

cycles as (
    select * from {{ ref('int_cycles') }}
),

versions as (
    select * from {{ ref('int_icp_versions') }}
),

first_adoption as (
    select min(in_force_from) as in_force_from
    from versions
),

adopted as (
    select
        cycles.cycle_start,
        cycles.cycle_end,
        cycles.is_finished,
        max(versions.adoption_number) as adoption_number
    from cycles
    left join versions on cycles.cycle_end >= versions.in_force_from
    group by cycles.cycle_start, cycles.cycle_end, cycles.is_finished
)

-- Before the first adoption, what was learned applies.
select
    adopted.cycle_start,
    adopted.cycle_end,
    versions.icp_version,
    adopted.adoption_number,
    adopted.is_finished,
    case
        when first_adoption.in_force_from is null or adopted.cycle_end < first_adoption.in_force_from then false
        when adopted.cycle_start >= first_adoption.in_force_from then true
    end as is_after_adoption
from adopted
cross join first_adoption
inner join versions on coalesce(adopted.adoption_number, 0) = coalesce(versions.adoption_number, 0)
