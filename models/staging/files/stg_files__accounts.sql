select
    account_id,
    account_name,
    domain,
    parent_account_id,
    merged_into_account_id,
    industry,
    employee_count,
    annual_revenue,
    country,
    region,
    created_at
from {{ source('files', 'accounts') }}
where beyond_header is null
