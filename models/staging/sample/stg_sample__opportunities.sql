select
    opportunity_id,
    account_id,
    opportunity_name,
    opportunity_type,
    stage,
    is_closed,
    is_won,
    amount,
    currency_code,
    lead_source,
    created_at,
    closed_at
from {{ ref('opportunities') }}
