select *
from {{ source('hubspot', 'company') }}
where
    not is_deleted
    and id not in (select company_id from {{ ref('base_hubspot__merges') }})
