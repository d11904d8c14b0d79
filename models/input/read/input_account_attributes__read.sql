select
    -- ids
    {{ read_id('account_id') }} as account_id,
    -- text
    {{ read_label('attribute') }} as attribute,
    {{ read_label('value') }} as value,
    -- times
    {{ read_timestamp('known_from') }} as known_from,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('account_attributes') }})
