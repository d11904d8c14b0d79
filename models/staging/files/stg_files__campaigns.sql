select
    campaign_id,
    campaign_name,
    channel,
    started_on,
    ended_on
from {{ source('files', 'campaigns') }}
where beyond_header is null
