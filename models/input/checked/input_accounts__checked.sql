with

checked as (
    select
        *,
        row_rule as reject_rule
    from ({{ check_rows('accounts', key='account_id') }})
)

{{ checked_rows('accounts', id='account_id') }}
