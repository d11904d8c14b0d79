{{ config(post_hook="{{ stop_where_all_are_rejected('orders') }}") }}

select
    -- ids
    order_id,
    account_id,
    opportunity_id,
    replaces_order_id,
    -- text
    order_status,
    currency_code,
    -- numbers
    amount,
    term_months,
    -- times
    closed_at,
    starts_on,
    ends_on,
    terminated_on
from {{ ref('input_orders__checked') }}
where reject_rule is null
