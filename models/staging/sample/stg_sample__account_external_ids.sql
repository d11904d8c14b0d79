select
    account_id,
    system,
    external_id
from {{ ref('account_external_ids') }}
