select
    segment_id,
    attribute,
    operator,
    value,
    cast(condition_number as integer) as condition_number
from {{ ref('int_segment_conditions') }}
where is_in_force
