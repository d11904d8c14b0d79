{{ config(materialized='view') }}

with

accounts as (
    select * from {{ ref('int_accounts__known_at') }}
),

first_lead_sources as (
    select
        accounts.account_id,
        contacts.lead_source,
        row_number() over (
            partition by accounts.account_id order by contacts.created_at asc nulls last, contacts.contact_id asc
        ) as contact_number
    from {{ ref('input_contacts') }} as contacts
    inner join {{ ref('int_accounts__in_scope') }} as resolved on contacts.account_id = resolved.account_id
    inner join accounts on resolved.resolved_account_id = accounts.account_id
    where
        contacts.lead_source is not null
        and coalesce(contacts.created_at <= accounts.known_at, true)
),

contact_roles as (
    select distinct
        roles.account_id,
        concat('contact_', roles.role_kind, '_', replace(roles.role, ' ', '_')) as attribute
    from {{ ref('int_contacts__roles') }} as roles
    inner join accounts on roles.account_id = accounts.account_id
    where
        roles.role is not null
        and coalesce(roles.created_at <= accounts.known_at, true)
),

recent_engagements as (
    select
        engagements.account_id,
        engagements.engagement_type,
        engagements.topic
    from {{ ref('int_engagements') }} as engagements
    inner join accounts on engagements.account_id = accounts.account_id
    where
        engagements.occurred_at < accounts.known_at
        and engagements.occurred_at >= {{ add_days('accounts.known_at', -90) }}
)

select
    account_id,
    'lead_source' as attribute,
    lead_source as value,
    cast(null as double) as number
from first_lead_sources
where contact_number = 1
union all
select
    account_id,
    attribute,
    'yes' as value,
    cast(null as double) as number
from contact_roles
union all
select
    account_id,
    concat('engagement_', engagement_type) as attribute,
    cast(null as string) as value,
    count(*) as number
from recent_engagements
group by account_id, engagement_type
union all
select
    account_id,
    concat('topic_', topic) as attribute,
    cast(null as string) as value,
    count(*) as number
from recent_engagements
where topic is not null
group by account_id, topic
