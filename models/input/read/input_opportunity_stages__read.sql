select
    -- ids
    {{ read_id('opportunity_id') }} as opportunity_id,
    -- text
    {{ read_text('stage') }} as stage,
    -- numbers
    {{ read_integer('stage_order') }} as stage_order,
    -- times
    {{ read_timestamp('entered_at') }} as entered_at,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('opportunity_stages') }})
