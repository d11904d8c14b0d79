with

as_of as (
    select * from {{ ref('int_as_of') }}
),

segments as (
    select * from {{ ref('int_accounts__segments') }}
),

contacts as (
    select
        contacts.contact_id,
        accounts.resolved_account_id as account_id,
        case when contacts.became_lead_at < as_of.ends_at then contacts.became_lead_at end as lead_at,
        case when contacts.became_mql_at < as_of.ends_at then contacts.became_mql_at end as mql_at,
        case when contacts.became_sql_at < as_of.ends_at then contacts.became_sql_at end as sql_at
    from {{ ref('input_contacts') }} as contacts
    cross join as_of
    left join {{ ref('int_accounts__resolved') }} as accounts on contacts.account_id = accounts.account_id
    where not coalesce(accounts.is_excluded, false)
),

-- A stage that the company does not record is passed over.
recorded_stages as (
    select
        count(mql_at) > 0 as has_mql,
        count(sql_at) > 0 as has_sql
    from contacts
),

first_orders as (
    select * from {{ ref('int_orders__priced') }}
    where order_number = 1
),

opportunities as (
    select * from {{ ref('int_opportunities__new_business') }}
),

contact_entries as (
    select
        'lead' as stage,
        contacts.contact_id,
        contacts.account_id,
        contacts.lead_at as entered_at,
        least(
            case when cast(contacts.mql_at as date) >= cast(contacts.lead_at as date) then contacts.mql_at end,
            case when cast(contacts.sql_at as date) >= cast(contacts.lead_at as date) then contacts.sql_at end
        ) as next_at,
        not recorded_stages.has_mql and not recorded_stages.has_sql as precedes_opportunity
    from contacts
    cross join recorded_stages
    union all
    select
        'mql' as stage,
        contacts.contact_id,
        contacts.account_id,
        contacts.mql_at as entered_at,
        case when cast(contacts.sql_at as date) >= cast(contacts.mql_at as date) then contacts.sql_at end as next_at,
        not recorded_stages.has_sql as precedes_opportunity
    from contacts
    cross join recorded_stages
    union all
    select
        'sql' as stage,
        contact_id,
        account_id,
        sql_at as entered_at,
        cast(null as timestamp) as next_at,
        true as precedes_opportunity
    from contacts
),

-- The account's first opportunity from that day on.
first_opportunities as (
    select
        contact_entries.stage,
        contact_entries.contact_id,
        min(opportunities.created_at) as opened_at
    from contact_entries
    inner join opportunities
        on
            contact_entries.account_id = opportunities.account_id
            and cast(contact_entries.entered_at as date) <= cast(opportunities.created_at as date)
    where contact_entries.precedes_opportunity
    group by contact_entries.stage, contact_entries.contact_id
),

won_accounts as (
    select distinct account_id
    from opportunities
    where won_at is not null
),

entries as (
    select
        contact_entries.stage,
        contact_entries.contact_id as record_id,
        contact_entries.account_id,
        cast(null as boolean) as is_closed,
        cast(null as boolean) as is_won,
        cast(null as decimal(18, 4)) as deal_size,
        cast(null as decimal(18, 4)) as mrr,
        contact_entries.entered_at,
        coalesce(contact_entries.next_at, first_opportunities.opened_at) as next_at
    from contact_entries
    left join first_opportunities
        on
            contact_entries.stage = first_opportunities.stage
            and contact_entries.contact_id = first_opportunities.contact_id
    where contact_entries.entered_at is not null
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
