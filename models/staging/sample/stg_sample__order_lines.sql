select
    order_line_id,
    order_id,
    cast(null as string) as opportunity_id,
    product_id,
    quantity,
    amount,
    cost,
    line_type,
    cast(null as string) as billing_months,
    cast(null as string) as term_months,
    starts_on,
    ends_on
from {{ ref('order_lines') }}
