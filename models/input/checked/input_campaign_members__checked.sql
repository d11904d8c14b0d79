with

accounts as (
    select account_id from {{ ref('input_accounts') }}
),

contacts as (
    select contact_id from {{ ref('input_contacts') }}
),

campaigns as (
    select campaign_id from {{ ref('input_campaigns') }}
),

checked as (
    select
        rows_read.*,
        coalesce(
            rows_read.row_fault,
            case
                when coalesce(rows_read.account_id, rows_read.contact_id) is null then {{ fault('missing_value', 'account_id') }}
                when rows_read.account_id is not null and accounts.account_id is null then {{ fault('unknown_account', 'account_id') }}
                when rows_read.account_id is null and contacts.contact_id is null then {{ fault('unknown_contact', 'contact_id') }}
                when (select count(*) from campaigns) > 0 and campaigns.campaign_id is null
                    then {{ fault('unknown_campaign', 'campaign_id') }}
            end
        ) as reject_fault
    from ({{ check_rows('campaign_members') }}) as rows_read
    left join accounts on rows_read.account_id = accounts.account_id
    left join contacts on rows_read.contact_id = contacts.contact_id
    left join campaigns on rows_read.campaign_id = campaigns.campaign_id
)

{{ checked_rows('campaign_members', id='campaign_id') }}
