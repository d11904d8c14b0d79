with

events as (
    select * from {{ source('salesforce', 'event') }}
    where not is_deleted
),

tasks as (
    select * from {{ source('salesforce', 'task') }}
    where not is_deleted
),

leads as (
    select * from {{ source('salesforce', 'lead') }}
    where not is_deleted
),

activities as (
    -- An invitee's copy is a child of the organizer's event.
    select
        id,
        accountid,
        whoid,
        'meeting' as engagement_type,
        subject,
        coalesce(startdatetime, activitydatetime) as occurred_at,
        loaded_at
    from events
    where ischild is not true
    union all
    -- An open task is a to-do, and one of another kind is not a contact.
    select
        id,
        accountid,
        whoid,
        lower(tasksubtype) as engagement_type,
        subject,
        coalesce(completeddatetime, activitydate) as occurred_at,
        loaded_at
    from tasks
    where isclosed and lower(tasksubtype) in ('email', 'call')
)

select
    activities.id as engagement_id,
    activities.accountid as account_id,
    -- Who is a contact (003) or a lead (00Q).
    coalesce(leads.convertedcontactid, activities.whoid) as contact_id,
    cast(null as varchar) as campaign_id,
    activities.engagement_type,
    activities.subject as topic,
    activities.occurred_at
from activities
left join leads on activities.whoid = leads.id and leads.isconverted
-- What was planned when it was loaded has not happened.
where (activities.occurred_at > activities.loaded_at) is not true
