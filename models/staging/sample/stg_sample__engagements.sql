select
    engagement_id,
    account_id,
    contact_id,
    campaign_id,
    engagement_type,
    topic,
    occurred_at
from {{ ref('engagements') }}
