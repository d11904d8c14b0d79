select
    id as campaign_id,
    name as campaign_name,
    type as channel,
    startdate as started_on,
    enddate as ended_on
from {{ source('salesforce', 'campaign') }}
where not is_deleted
