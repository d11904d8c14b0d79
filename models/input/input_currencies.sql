select
    currency_code,
    min(valid_from) as first_valid_from
from {{ ref('input_exchange_rates') }}
group by currency_code
