with

adoptions as (
    select * from {{ ref('checked_adoptions') }}
)

select
    cast(concat('adopted ', cast(adoption_number as string)) as string) as icp_version,
    adoption_number,
    agreed_by_sales,
    agreed_by_marketing,
    reason,
    is_in_force,
    in_force_from,
    in_force_until,
    learned_as_of
from adoptions
union all
select
    'learned' as icp_version,
    cast(null as integer) as adoption_number,
    cast(null as string) as agreed_by_sales,
    cast(null as string) as agreed_by_marketing,
    cast(null as string) as reason,
    (select count(*) = 0 from adoptions) as is_in_force,
    cast(null as date) as in_force_from,
    cast(null as date) as in_force_until,
    int_as_of.as_of as learned_as_of
from {{ ref('int_as_of') }} as int_as_of
