with

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
        account_id,
        occurred_at
    from {{ ref('int_engagements') }}
    union all
    select
        account_id,
        entered_at as occurred_at
    from {{ ref('int_contacts__stage_entries') }}
    union all
    select
        account_id,
        first_added_at as occurred_at
    from {{ ref('int_campaign_members') }}
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
    from {{ ref('int_orders__priced') }}
    where order_number = 1
)

select
    accounts.account_id,
    case when accounts.created_at is not null then least(accounts.created_at, first_events.occurred_at) end as exists_from,
    customers.closed_at as customer_from
from {{ ref('int_accounts') }} as accounts
left join first_events on accounts.account_id = first_events.account_id
left join customers on accounts.account_id = customers.account_id
