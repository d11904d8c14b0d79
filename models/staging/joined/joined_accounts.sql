with

companies as (
    select
        account_id,
        max(external_id) filter (where system = 'salesforce') as salesforce_account_id
    from {{ ref('stg_hubspot__account_external_ids') }}
    group by account_id
),

accounts as (
    select
        account_id,
        -- The first 15 characters of an id tell accounts apart; the other three are a checksum.
        left(account_id, 15) as short_id
    from {{ ref('stg_salesforce__accounts') }}
)

select
    companies.account_id as hubspot_account_id,
    accounts.account_id as salesforce_account_id,
    case
        when accounts.account_id is not null then 'joined'
        when companies.salesforce_account_id is not null then 'unknown_salesforce_account'
        else 'no_salesforce_account'
    end as outcome
from companies
left join accounts on left(companies.salesforce_account_id, 15) = accounts.short_id
