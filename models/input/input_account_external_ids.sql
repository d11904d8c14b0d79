select
    -- ids
    account_id,
    external_id,
    -- text
    system
from {{ ref('input_account_external_ids__checked') }}
where reject_rule is null
