select
    currency_code,
    valid_from,
    rate
from {{ source('files', 'exchange_rates') }}
where beyond_header is null
