with

candidates as (
    select * from {{ ref('int_contracts__candidates') }}
),

taken as (
    {{ preferred_pairs('candidates') }}
)

select
    order_line_id,
    order_id,
    renewed_order_line_id,
    starts_on
from candidates
where is_only_choice
union all
select
    candidates.order_line_id,
    candidates.order_id,
    candidates.renewed_order_line_id,
    candidates.starts_on
from candidates
inner join taken
    on
        candidates.order_line_id = taken.order_line_id
        and candidates.renewed_order_line_id = taken.renewed_order_line_id
