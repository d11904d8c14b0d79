select
    -- ids
    product_id,
    -- text
    product_name,
    product_family,
    product_type
from {{ ref('input_products__checked') }}
where reject_rule is null
