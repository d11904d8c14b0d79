select
    -- ids
    contact_id,
    account_id,
    -- text
    email,
    job_title,
    lead_source,
    -- times
    created_at,
    became_lead_at,
    became_mql_at,
    became_sql_at
from {{ ref('input_contacts__checked') }}
where reject_rule is null
