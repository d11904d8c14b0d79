with

as_of as (
    select * from {{ ref('int_as_of') }}
),

lead_sources as (
    select
        accounts.resolved_account_id as account_id,
        contacts.lead_source,
        contacts.created_at,
        1 as preference,
        contacts.contact_id as record_id
    from {{ ref('input_contacts') }} as contacts
    cross join as_of
    inner join {{ ref('int_accounts__in_scope') }} as accounts on contacts.account_id = accounts.account_id
    where
        contacts.lead_source is not null
        and coalesce(contacts.created_at < as_of.ends_at, true)
    union all
    select
        account_id,
        lead_source,
        created_at,
        2 as preference,
        opportunity_id as record_id
    from {{ ref('int_opportunities') }}
    where lead_source is not null
),

numbered_sources as (
    select
        account_id,
        lead_source,
        row_number() over (
            partition by account_id
            order by created_at asc nulls last, preference asc, record_id asc
        ) as source_number
    from lead_sources
)

select
    account_id,
    lead_source
from numbered_sources
where source_number = 1
