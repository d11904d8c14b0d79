select
    -- ids
    campaign_id,
    -- text
    currency_code,
    -- numbers
    amount,
    -- times
    spent_on
from {{ ref('input_campaign_spend__checked') }}
where reject_rule is null
