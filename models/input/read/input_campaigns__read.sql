select
    -- ids
    {{ read_id('campaign_id') }} as campaign_id,
    -- text
    {{ read_text('campaign_name') }} as campaign_name,
    {{ read_text('channel') }} as channel,
    -- times
    {{ read_date('started_on') }} as started_on,
    {{ read_date('ended_on') }} as ended_on,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('campaigns') }})
