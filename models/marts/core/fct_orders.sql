select
    orders.*,
    segments.segment_id,
    segments.segment_name,
    segments.tier
from {{ ref('int_orders__priced') }} as orders
left join {{ ref('int_accounts__segments') }} as segments on orders.account_id = segments.account_id
