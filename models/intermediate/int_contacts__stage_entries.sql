with

as_of as (
    select * from {{ ref('int_as_of') }}
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
    inner join {{ ref('int_opportunities__new_business') }} as opportunities
        on
            contact_entries.account_id = opportunities.account_id
            and cast(contact_entries.entered_at as date) <= cast(opportunities.created_at as date)
    where contact_entries.precedes_opportunity
    group by contact_entries.stage, contact_entries.contact_id
)

select
    contact_entries.stage,
    contact_entries.contact_id,
    contact_entries.account_id,
    contact_entries.entered_at,
    coalesce(contact_entries.next_at, first_opportunities.opened_at) as next_at
from contact_entries
left join first_opportunities
    on
        contact_entries.stage = first_opportunities.stage
        and contact_entries.contact_id = first_opportunities.contact_id
where contact_entries.entered_at is not null
