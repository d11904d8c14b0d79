{{ config(materialized='view') }}

select
    *,
    row_number() over (order by md5(account_id), account_id) <= {{ var('learning_max_rows') }} as is_sampled
from {{ ref('int_customers') }}
