with

accounts as (
    select account_id from {{ ref('input_accounts') }}
),

checked as (
    select
        rows_read.*,
        coalesce(
            rows_read.row_fault,
            case when accounts.account_id is null then {{ fault('unknown_account', 'account_id') }} end
        ) as reject_fault
    from ({{ check_rows('account_external_ids') }}) as rows_read
    left join accounts on rows_read.account_id = accounts.account_id
)

{{ checked_rows('account_external_ids', id='account_id') }}
