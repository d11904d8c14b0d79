-- For each account: lines = orders = customer, and contracted value less credits = net amount.
with

lines as (
    select
        account_id,
        sum(amount) as net_amount,
        sum(case when line_kind = 'credit' then amount else 0 end) as credits
    from {{ ref('fct_order_lines') }}
    group by account_id
),

orders as (
    select
        account_id,
        count(*) filter (where order_type <> 'credit') as order_count,
        sum(net_amount) as net_amount,
        sum(total_contract_value) as total_contract_value
    from {{ ref('fct_orders') }}
    group by account_id
),

customers as (
    select * from {{ ref('fct_customers') }}
)

select
    coalesce(lines.account_id, orders.account_id, customers.account_id) as account_id,
    lines.net_amount as net_amount_of_lines,
    orders.net_amount as net_amount_of_orders,
    customers.net_amount as net_amount_of_customer
from lines
full join orders on lines.account_id = orders.account_id
full join customers on orders.account_id = customers.account_id
where
    lines.net_amount is distinct from orders.net_amount
    or orders.net_amount is distinct from customers.net_amount
    or orders.order_count is distinct from customers.order_count
    or orders.total_contract_value + lines.credits is distinct from orders.net_amount
