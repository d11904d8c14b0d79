select
    order_id,
    account_id,
    closed_at,
    sum(amount) as net_amount,
    case
        when count(*) filter (where amount > 0 and cost is null) = 0 then sum(amount) - coalesce(sum(cost), 0)
    end as margin_amount
from {{ ref('fct_order_lines') }}
group by order_id, account_id, closed_at
