select
    order_line_id,
    order_id,
    product_id,
    quantity,
    amount,
    cost,
    line_type,
    starts_on,
    ends_on
from {{ ref('order_lines') }}
