select
    -- text
    currency_code,
    -- numbers
    rate,
    -- times
    valid_from
from {{ ref('input_exchange_rates__checked') }}
where reject_rule is null
