select
    campaign_id,
    account_id,
    contact_id,
    added_at,
    responded
from {{ source('files', 'campaign_members') }}
where beyond_header is null
