select
    -- text
    {{ read_currency('currency_code') }} as currency_code,
    -- numbers
    {{ read_number('rate', 'decimal(18, 10)') }} as rate,
    -- times
    {{ read_timestamp('valid_from') }} as valid_from,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('exchange_rates') }})
