select
    -- ids
    engagement_id,
    account_id,
    contact_id,
    campaign_id,
    -- text
    engagement_type,
    topic,
    -- times
    occurred_at
from {{ ref('input_engagements__checked') }}
where reject_rule is null
