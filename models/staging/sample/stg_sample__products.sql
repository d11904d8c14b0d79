select
    product_id,
    product_name,
    product_family,
    product_type
from {{ ref('products') }}
