with

accounts as (
    select account_id from {{ ref('input_accounts') }}
),

contacts as (
    select contact_id from {{ ref('input_contacts') }}
),

checked as (
    select
        rows_read.*,
        coalesce(
            rows_read.row_fault,
            case
                when rows_read.account_id is not null and accounts.account_id is null then {{ fault('unknown_account', 'account_id') }}
                when rows_read.account_id is null and rows_read.contact_id is not null and contacts.contact_id is null
                    then {{ fault('unknown_contact', 'contact_id') }}
            end
        ) as reject_fault
    from ({{ check_rows('engagements', key='engagement_id') }}) as rows_read
    left join accounts on rows_read.account_id = accounts.account_id
    left join contacts on rows_read.contact_id = contacts.contact_id
)

{{ checked_rows('engagements', id='engagement_id') }}
