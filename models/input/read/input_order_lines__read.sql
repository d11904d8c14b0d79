select
    -- ids
    {{ read_id('order_line_id') }} as order_line_id,
    {{ read_id('order_id') }} as order_id,
    {{ read_id('opportunity_id') }} as opportunity_id,
    {{ read_id('product_id') }} as product_id,
    -- text
    {{ read_choice('order_lines', 'line_type') }} as line_type,
    -- numbers
    {{ read_number('quantity') }} as quantity,
    {{ read_number('amount') }} as amount,
    {{ read_number('cost') }} as cost,
    {{ read_integer('billing_months') }} as billing_months,
    {{ read_integer('term_months') }} as term_months,
    -- times
    {{ read_date('starts_on') }} as starts_on,
    {{ read_date('ends_on') }} as ends_on,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('order_lines') }})
