select
    order_line_id,
    order_id,
    opportunity_id,
    product_id,
    quantity,
    amount,
    cost,
    line_type,
    billing_months,
    term_months,
    starts_on,
    ends_on
from {{ source('files', 'order_lines') }}
where beyond_header is null
