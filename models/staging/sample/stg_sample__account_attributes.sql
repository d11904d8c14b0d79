select
    account_id,
    attribute,
    value,
    known_from
from {{ ref('account_attributes') }}
