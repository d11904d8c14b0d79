select
    -- ids
    campaign_id,
    -- text
    campaign_name,
    channel,
    -- times
    started_on,
    ended_on
from {{ ref('input_campaigns__checked') }}
where reject_rule is null
