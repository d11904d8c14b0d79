select
    id as product_id,
    name as product_name,
    {{ own_field('hubspot', 'products.product_family') }} as product_family,
    {{ own_field('hubspot', 'products.product_type', "case when lower(hs_product_type) = 'service' then 'service' end") }} as product_type
from {{ source('hubspot', 'product') }}
where not is_deleted
