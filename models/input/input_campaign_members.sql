select
    -- ids
    campaign_id,
    account_id,
    contact_id,
    -- booleans
    responded,
    -- times
    added_at
from {{ ref('input_campaign_members__checked') }}
where reject_rule is null
