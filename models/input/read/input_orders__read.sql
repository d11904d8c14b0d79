select
    -- ids
    {{ read_id('order_id') }} as order_id,
    {{ read_id('account_id') }} as account_id,
    {{ read_id('opportunity_id') }} as opportunity_id,
    {{ read_id('replaces_order_id') }} as replaces_order_id,
    -- text
    {{ read_choice('orders', 'order_status') }} as order_status,
    {{ read_currency('currency_code') }} as currency_code,
    -- numbers
    {{ read_number('amount') }} as amount,
    {{ read_integer('term_months') }} as term_months,
    -- times
    {{ read_timestamp('closed_at') }} as closed_at,
    {{ read_date('starts_on') }} as starts_on,
    {{ read_date('ends_on') }} as ends_on,
    {{ read_date('terminated_on') }} as terminated_on,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('orders') }})
