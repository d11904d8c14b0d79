select
    id as account_id,
    'salesforce' as system,
    id as external_id
from {{ source('salesforce', 'account') }}
where not is_deleted
