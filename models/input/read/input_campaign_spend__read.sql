select
    -- ids
    {{ read_id('campaign_id') }} as campaign_id,
    -- text
    {{ read_currency('currency_code') }} as currency_code,
    -- numbers
    {{ read_number('amount') }} as amount,
    -- times
    {{ read_date('spent_on') }} as spent_on,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('campaign_spend') }})
