select
    deal_id as order_id,
    company_id as account_id,
    deal_id as opportunity_id,
    'closed_won' as order_status,
    closed_at,
    currency_code,
    amount,
    own_starts_on as starts_on,
    own_ends_on as ends_on,
    own_term_months as term_months,
    own_terminated_on as terminated_on,
    own_replaces_order_id as replaces_order_id
from {{ ref('base_hubspot__deals') }}
where is_won
