select
    orders.account_id,
    coalesce(accounts.industry, 'unknown') as industry,
    row_number() over (order by md5(orders.account_id), orders.account_id) <= {{ var('learning_max_rows') }} as is_sampled,
    orders.net_amount,
    orders.closed_month
from {{ ref('int_orders__priced') }} as orders
inner join {{ ref('int_accounts') }} as accounts on orders.account_id = accounts.account_id
where orders.order_type = 'new_business'
