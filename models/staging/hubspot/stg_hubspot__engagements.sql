select
    engagement_id,
    company_id as account_id,
    contact_id,
    cast(null as varchar) as campaign_id,
    engagement_type,
    topic,
    occurred_at
from {{ ref('base_hubspot__engagements') }}
