select
    -- ids
    account_id,
    parent_account_id,
    merged_into_account_id,
    -- text
    account_name,
    domain,
    industry,
    country,
    region,
    -- numbers
    employee_count,
    annual_revenue,
    -- times
    created_at
from {{ ref('input_accounts__checked') }}
where reject_rule is null
