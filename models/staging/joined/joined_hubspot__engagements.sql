select
    engagements.engagement_id,
    engagements.account_id,
    coalesce(joined.salesforce_contact_id, engagements.contact_id) as contact_id,
    engagements.campaign_id,
    engagements.engagement_type,
    engagements.topic,
    engagements.occurred_at
from {{ ref('stg_hubspot__engagements') }} as engagements
left join {{ ref('joined_contacts') }} as joined on engagements.contact_id = joined.hubspot_contact_id
