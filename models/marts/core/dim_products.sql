select * from {{ ref('int_products') }}
