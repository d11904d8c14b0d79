select
    engagement_id,
    account_id,
    contact_id,
    campaign_id,
    engagement_type,
    topic,
    occurred_at
from {{ source('files', 'engagements') }}
where beyond_header is null
