select
    currency_code,
    valid_from,
    rate
from {{ ref('exchange_rates') }}
