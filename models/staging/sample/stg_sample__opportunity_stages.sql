select
    opportunity_id,
    stage,
    stage_order,
    entered_at
from {{ ref('opportunity_stages') }}
