select
    -- ids
    {{ read_id('engagement_id') }} as engagement_id,
    {{ read_id('account_id') }} as account_id,
    {{ read_id('contact_id') }} as contact_id,
    {{ read_id('campaign_id') }} as campaign_id,
    -- text
    {{ read_text('engagement_type') }} as engagement_type,
    {{ read_text('topic') }} as topic,
    -- times
    {{ read_timestamp('occurred_at') }} as occurred_at,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('engagements') }})
