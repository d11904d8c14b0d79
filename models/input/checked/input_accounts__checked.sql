with

checked as (
    select
        *,
        row_rule as reject_rule
    from ({{ read_entity('accounts', key='account_id') }})
)

{{ checked_rows('accounts', id='account_id') }}
