with

accounts as (
    select * from {{ ref('joined_accounts') }}
),

merged_companies as (
    select * from {{ ref('base_hubspot__merges') }}
),

hubspot_contacts as (
    select
        contacts.contact_id,
        {{ read_email('contacts.email') }} as email,
        accounts.salesforce_account_id
    from {{ ref('stg_hubspot__contacts') }} as contacts
    left join merged_companies on contacts.account_id = merged_companies.company_id
    left join accounts on coalesce(merged_companies.survivor_id, contacts.account_id) = accounts.hubspot_account_id
),

salesforce_emails as (
    select
        contact_id,
        account_id,
        {{ read_email('email') }} as email
    from {{ ref('stg_salesforce__contacts') }}
    where account_id is not null
),

-- One contact for each e-mail of an account.
salesforce_contacts as (
    select
        account_id,
        email,
        min(contact_id) as contact_id
    from salesforce_emails
    where email is not null
    group by account_id, email
)

select
    hubspot_contacts.contact_id as hubspot_contact_id,
    salesforce_contacts.contact_id as salesforce_contact_id,
    case
        when salesforce_contacts.contact_id is not null then 'joined'
        when hubspot_contacts.salesforce_account_id is null then 'account_not_joined'
        when hubspot_contacts.email is null then 'no_email'
        else 'unknown_email'
    end as outcome
from hubspot_contacts
left join salesforce_contacts
    on hubspot_contacts.salesforce_account_id = salesforce_contacts.account_id and hubspot_contacts.email = salesforce_contacts.email
