select
    campaign_id,
    spent_on,
    amount,
    currency_code
from {{ ref('campaign_spend') }}
