with

first_orders as (
    select
        account_id,
        closed_at
    from {{ ref('int_orders__priced') }}
    where order_number = 1
),

opportunity_orders as (
    select
        opportunity_id,
        sum(net_amount) as net_amount,
        sum(monthly_recurring_revenue) as mrr
    from {{ ref('int_orders__priced') }}
    where opportunity_id is not null
    group by opportunity_id
)

-- One without a type is new business until the account's first order.
select
    opportunities.opportunity_id,
    opportunities.account_id,
    opportunities.is_closed,
    opportunities.is_won,
    case when opportunities.is_won then coalesce(opportunity_orders.net_amount, opportunities.amount) end as deal_size,
    case when opportunities.is_won then opportunity_orders.mrr end as mrr,
    opportunities.created_at,
    case when opportunities.is_won then opportunities.closed_at end as won_at
from {{ ref('int_opportunities') }} as opportunities
left join first_orders on opportunities.account_id = first_orders.account_id
left join opportunity_orders on opportunities.opportunity_id = opportunity_orders.opportunity_id
where
    opportunities.opportunity_type = 'new_business'
    or (
        opportunities.opportunity_type is null
        and coalesce(first_orders.closed_at >= least(opportunities.created_at, opportunities.closed_at), true)
    )
