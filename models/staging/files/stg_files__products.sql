select
    product_id,
    product_name,
    product_family,
    product_type
from {{ source('files', 'products') }}
where beyond_header is null
