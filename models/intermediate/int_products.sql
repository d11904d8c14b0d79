with

listed as (
    select * from {{ ref('input_products') }}
),

-- Sold, but not in the list of products: the id has to serve as the name.
unlisted as (
    select distinct product_id
    from {{ ref('int_order_lines') }}
    where product_id is not null
    except
    select product_id from listed
)

select
    product_id,
    coalesce(product_name, product_id) as product_name,
    product_family,
    product_type,
    true as is_listed
from listed
union all
select
    product_id,
    product_id as product_name,
    cast(null as string) as product_family,
    cast(null as string) as product_type,
    false as is_listed
from unlisted
