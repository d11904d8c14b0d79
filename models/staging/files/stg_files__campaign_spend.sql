select
    campaign_id,
    spent_on,
    amount,
    currency_code
from {{ source('files', 'campaign_spend') }}
where beyond_header is null
