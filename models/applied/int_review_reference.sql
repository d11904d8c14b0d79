with

last_finished_cycle as (
    select
        max(cycle_start) as cycle_start,
        {{ add_months('max(cycle_end)', -12) }} as a_year_before
    from {{ ref('int_cycles') }}
    where is_finished
)

select
    case when versions.adoption_number is null then 'before the last year' else 'at adoption' end as reference,
    case when versions.adoption_number is null then last_finished_cycle.a_year_before else versions.learned_as_of end as reference_end,
    last_finished_cycle.a_year_before,
    last_finished_cycle.cycle_start as last_finished_cycle_start
from {{ ref('int_icp_versions') }} as versions
cross join last_finished_cycle
where versions.is_in_force
