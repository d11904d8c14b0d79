with

checked as (
    select
        *,
        row_rule as reject_rule
    from ({{ read_entity('products', key='product_id') }})
)

{{ checked_rows('products', id='product_id') }}
