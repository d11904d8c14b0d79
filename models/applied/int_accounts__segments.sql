{{ config(materialized='view') }}

select
    account_id,
    segment_id,
    segment_name,
    tier
from {{ ref('int_accounts__segments_by_version') }}
where is_in_force
