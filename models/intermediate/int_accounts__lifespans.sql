with

customers as (
    select
        account_id,
        closed_at
    from {{ ref('int_orders__priced') }}
    where order_number = 1
)

select
    accounts.account_id,
    case when accounts.created_at is not null then least(accounts.created_at, first_events.occurred_at) end as exists_from,
    customers.closed_at as customer_from
from {{ ref('int_accounts') }} as accounts
left join {{ ref('int_accounts__first_events') }} as first_events on accounts.account_id = first_events.account_id
left join customers on accounts.account_id = customers.account_id
