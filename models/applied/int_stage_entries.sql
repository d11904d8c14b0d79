with

segments as (
    select * from {{ ref('int_accounts__segments') }}
),

first_orders as (
    select * from {{ ref('int_orders__priced') }}
    where order_number = 1
),

opportunities as (
    select * from {{ ref('int_opportunities__new_business') }}
),

won_accounts as (
    select distinct account_id
    from opportunities
    where won_at is not null
),

entries as (
    select
        stage,
        contact_id as record_id,
        account_id,
        cast(null as boolean) as is_closed,
        cast(null as boolean) as is_won,
        cast(null as decimal(18, 4)) as deal_size,
        cast(null as decimal(18, 4)) as mrr,
        entered_at,
        next_at
    from {{ ref('int_contacts__stage_entries') }}
    union all
    select
        'opportunity' as stage,
        opportunity_id as record_id,
        account_id,
        is_closed,
        is_won,
        deal_size,
        mrr,
        created_at as entered_at,
        case when cast(won_at as date) >= cast(created_at as date) then won_at end as next_at
    from opportunities
    union all
    select
        'won' as stage,
        opportunity_id as record_id,
        account_id,
        is_closed,
        is_won,
        deal_size,
        mrr,
        won_at as entered_at,
        cast(null as timestamp) as next_at
    from opportunities
    where won_at is not null
    union all
    -- An account that was won without an opportunity was won with its first order.
    select
        'won' as stage,
        order_id as record_id,
        account_id,
        true as is_closed,
        true as is_won,
        net_amount as deal_size,
        monthly_recurring_revenue as mrr,
        closed_at as entered_at,
        cast(null as timestamp) as next_at
    from first_orders
    anti join won_accounts on first_orders.account_id = won_accounts.account_id
)

select
    entries.stage,
    entries.record_id,
    entries.account_id,
    coalesce(segments.segment_id, 'unassigned') as segment_id,
    coalesce(segments.tier, 'unassigned') as tier,
    entries.is_closed,
    entries.is_won,
    cast(entries.deal_size as decimal(18, 4)) as deal_size,
    cast(entries.mrr as decimal(18, 4)) as mrr,
    {{ days_between('entries.entered_at', 'entries.next_at') }} as days_to_next,
    entries.entered_at,
    entries.next_at
from entries
left join segments on entries.account_id = segments.account_id
