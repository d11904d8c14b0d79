select
    campaign_id,
    account_id,
    contact_id,
    added_at,
    responded
from {{ ref('campaign_members') }}
