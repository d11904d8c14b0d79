select
    -- ids
    {{ read_id('account_id') }} as account_id,
    {{ read_id('external_id') }} as external_id,
    -- text
    {{ read_text('system') }} as system,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('account_external_ids') }})
