select
    -- ids
    {{ read_id('opportunity_id') }} as opportunity_id,
    {{ read_id('account_id') }} as account_id,
    -- text
    {{ read_text('opportunity_name') }} as opportunity_name,
    {{ read_choice('opportunities', 'opportunity_type', ignoring=' _-') }} as opportunity_type,
    {{ read_text('stage') }} as stage,
    {{ read_currency('currency_code') }} as currency_code,
    {{ read_text('lead_source') }} as lead_source,
    -- numbers
    {{ read_number('amount') }} as amount,
    -- booleans
    {{ read_boolean('is_closed') }} as is_closed,
    {{ read_boolean('is_won') }} as is_won,
    -- times
    {{ read_timestamp('created_at') }} as created_at,
    {{ read_timestamp('closed_at') }} as closed_at,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('opportunities') }})
