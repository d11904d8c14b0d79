with

accounts as (
    select * from {{ ref('dim_accounts') }}
),

events as (
    select
        account_id,
        closed_at as occurred_at
    from {{ ref('int_orders') }}
    union all
    select
        account_id,
        created_at as occurred_at
    from {{ ref('int_opportunities') }}
    union all
    select
        resolved.resolved_account_id as account_id,
        engagements.occurred_at
    from {{ ref('input_engagements') }} as engagements
    inner join {{ ref('int_accounts__resolved') }} as resolved on engagements.account_id = resolved.account_id
),

first_events as (
    select
        account_id,
        min(occurred_at) as occurred_at
    from events
    group by account_id
),

customers as (
    select
        account_id,
        closed_at
    from {{ ref('int_orders') }}
    where order_number = 1
)

select
    accounts.account_id,
    case when accounts.created_at is not null then least(accounts.created_at, first_events.occurred_at) end as exists_from,
    customers.closed_at as customer_from
from accounts
left join first_events on accounts.account_id = first_events.account_id
left join customers on accounts.account_id = customers.account_id
