select
    -- ids
    order_line_id,
    order_id,
    product_id,
    -- text
    line_type,
    -- numbers
    quantity,
    amount,
    cost,
    -- times
    starts_on,
    ends_on
from {{ ref('input_order_lines__checked') }}
where
    reject_rule is null
    and order_id in (select order_id from {{ ref('input_orders') }})
