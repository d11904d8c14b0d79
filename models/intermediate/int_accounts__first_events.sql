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
        added_at as occurred_at
    from {{ ref('int_campaign_members') }}
)

select
    account_id,
    min(occurred_at) as occurred_at
from events
where account_id is not null
group by account_id
