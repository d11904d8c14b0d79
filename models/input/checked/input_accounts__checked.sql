with

checked as (
    select
        *,
        row_fault as reject_fault
    from ({{ check_rows('accounts', key='account_id') }})
)

{{ checked_rows('accounts', id='account_id') }}
