select
    opportunity_id,
    stage,
    stage_order,
    entered_at
from {{ source('files', 'opportunity_stages') }}
where beyond_header is null
