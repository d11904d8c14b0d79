with

checked as (
    select
        *,
        row_fault as reject_fault
    from ({{ check_rows('products', key='product_id') }})
)

{{ checked_rows('products', id='product_id') }}
