select
    adoption_number,
    agreed_by_sales,
    agreed_by_marketing,
    reason,
    is_in_force,
    in_force_from,
    in_force_until,
    learned_as_of
from {{ ref('int_icp_versions') }}
where adoption_number is not null
