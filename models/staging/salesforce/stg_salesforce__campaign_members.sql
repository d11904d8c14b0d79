with

members as (
    select * from {{ source('salesforce', 'campaignmember') }}
    where not is_deleted
),

leads as (
    select * from {{ source('salesforce', 'lead') }}
    where not is_deleted
)

select
    members.campaignid as campaign_id,
    cast(null as varchar) as account_id,
    coalesce(members.contactid, leads.convertedcontactid, members.leadid) as contact_id,
    members.createddate as added_at,
    members.hasresponded as responded
from members
left join leads on members.leadid = leads.id and leads.isconverted
