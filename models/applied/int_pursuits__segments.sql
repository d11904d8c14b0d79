{{ config(materialized='view') }}

select
    pursuits.*,
    segments.segment_id
from {{ ref('int_pursuits__by_cycle') }} as pursuits
inner join {{ ref('int_accounts__segments') }} as segments on pursuits.account_id = segments.account_id
