select
    -- ids
    {{ read_id('contact_id') }} as contact_id,
    {{ read_id('account_id') }} as account_id,
    -- text
    {{ read_label('email') }} as email,
    {{ read_label('job_title') }} as job_title,
    {{ read_label('lead_source') }} as lead_source,
    -- times
    {{ read_timestamp('created_at') }} as created_at,
    {{ read_timestamp('became_lead_at') }} as became_lead_at,
    {{ read_timestamp('became_mql_at') }} as became_mql_at,
    {{ read_timestamp('became_sql_at') }} as became_sql_at,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('contacts') }})
