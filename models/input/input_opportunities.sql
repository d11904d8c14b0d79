{{ config(post_hook="{{ stop_where_all_are_rejected('opportunities') }}") }}

select
    -- ids
    opportunity_id,
    account_id,
    -- text
    opportunity_name,
    opportunity_type,
    stage,
    currency_code,
    lead_source,
    -- numbers
    amount,
    -- booleans
    is_closed,
    is_won,
    -- times
    created_at,
    closed_at
from {{ ref('input_opportunities__checked') }}
where reject_rule is null
