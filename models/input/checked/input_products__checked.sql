with

checked as (
    select
        *,
        row_rule as reject_rule
    from ({{ check_rows('products', key='product_id') }})
)

{{ checked_rows('products', id='product_id') }}
