with

as_of as (
    select * from {{ ref('int_as_of') }}
),

accounts as (
    select * from {{ ref('int_accounts__in_scope') }}
)

select distinct
    members.campaign_id,
    accounts.resolved_account_id as account_id,
    campaigns.channel,
    members.added_at
from {{ ref('input_campaign_members') }} as members
cross join as_of
left join {{ ref('input_campaigns') }} as campaigns on members.campaign_id = campaigns.campaign_id
left join {{ ref('input_contacts') }} as contacts on members.contact_id = contacts.contact_id
inner join accounts on coalesce(members.account_id, contacts.account_id) = accounts.account_id
where members.added_at < as_of.ends_at
