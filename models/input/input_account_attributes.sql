select
    -- ids
    account_id,
    -- text
    attribute,
    value,
    -- times
    known_from
from {{ ref('input_account_attributes__checked') }}
where reject_rule is null
