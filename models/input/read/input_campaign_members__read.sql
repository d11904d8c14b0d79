select
    -- ids
    {{ read_id('campaign_id') }} as campaign_id,
    {{ read_id('account_id') }} as account_id,
    {{ read_id('contact_id') }} as contact_id,
    -- booleans
    {{ read_boolean('responded') }} as responded,
    -- times
    {{ read_timestamp('added_at') }} as added_at,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('campaign_members') }})
