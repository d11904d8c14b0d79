{{ config(materialized='view') }}

select
    account_id,
    resolved_account_id
from {{ ref('int_accounts__resolved') }}
where not is_excluded
