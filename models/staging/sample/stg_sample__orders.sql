select
    order_id,
    account_id,
    opportunity_id,
    order_status,
    closed_at,
    currency_code,
    amount,
    starts_on,
    ends_on,
    term_months,
    terminated_on,
    replaces_order_id
from {{ ref('orders') }}
