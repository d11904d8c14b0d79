with

-- Products that share a name are one of the bundle.
products_of_orders as (
    select
        lines.order_id,
        products.product_name,
        max(case when products.product_type = 'add_on' then 1 else 0 end) as add_ons,
        max(case when products.product_type = 'service' then 1 else 0 end) as services
    from {{ ref('int_order_lines') }} as lines
    inner join {{ ref('int_products') }} as products on lines.product_id = products.product_id
    group by lines.order_id, products.product_name
)

select
    order_id,
    {{ joined_text('product_name') }} as product_bundle,
    max(add_ons) = 1 as has_add_on,
    max(services) = 1 as has_service,
    count(*) as product_count
from products_of_orders
group by order_id
