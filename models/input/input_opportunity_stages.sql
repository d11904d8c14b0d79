select
    -- ids
    opportunity_id,
    -- text
    stage,
    -- numbers
    stage_order,
    -- times
    entered_at
from {{ ref('input_opportunity_stages__checked') }}
where reject_rule is null
