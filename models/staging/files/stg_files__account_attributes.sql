select
    account_id,
    attribute,
    value,
    known_from
from {{ source('files', 'account_attributes') }}
where beyond_header is null
