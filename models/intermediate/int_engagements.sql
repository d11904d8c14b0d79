with

as_of as (
    select * from {{ ref('int_as_of') }}
),

accounts as (
    select * from {{ ref('int_accounts__in_scope') }}
)

select
    engagements.engagement_id,
    engagements.contact_id,
    accounts.resolved_account_id as account_id,
    engagements.engagement_type,
    engagements.topic,
    engagements.occurred_at
from {{ ref('input_engagements') }} as engagements
cross join as_of
left join {{ ref('input_contacts') }} as contacts on engagements.contact_id = contacts.contact_id
inner join accounts on coalesce(engagements.account_id, contacts.account_id) = accounts.account_id
where engagements.occurred_at < as_of.ends_at
