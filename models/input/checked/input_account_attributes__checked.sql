with

accounts as (
    select account_id from {{ ref('input_accounts') }}
),

checked as (
    select
        rows_read.*,
        coalesce(
            rows_read.row_rule,
            case when accounts.account_id is null then 'unknown_account' end
        ) as reject_rule
    from ({{ check_rows('account_attributes') }}) as rows_read
    left join accounts on rows_read.account_id = accounts.account_id
)

{{ checked_rows('account_attributes', id='account_id') }}
