select
    contact_id,
    account_id,
    email,
    job_title,
    lead_source,
    created_at,
    became_lead_at,
    became_mql_at,
    became_sql_at
from {{ source('files', 'contacts') }}
where beyond_header is null
