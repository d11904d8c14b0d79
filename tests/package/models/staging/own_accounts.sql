select
    "Account ID" as account_id,
    'sandbox' as reason
from {{ ref('stg_crm__accounts') }}
where account_name = 'Our own sandbox'
