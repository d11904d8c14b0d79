select
    account_id,
    system,
    external_id
from {{ source('files', 'account_external_ids') }}
where beyond_header is null
