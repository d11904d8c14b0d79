select
    -- ids
    {{ read_id('product_id') }} as product_id,
    -- text
    {{ read_label('product_name') }} as product_name,
    {{ read_label('product_family') }} as product_family,
    {{ read_choice('products', 'product_type') }} as product_type,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('products') }})
