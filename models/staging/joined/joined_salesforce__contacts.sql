with

joined as (
    select
        salesforce_contact_id,
        min(hubspot_contact_id) as hubspot_contact_id
    from {{ ref('joined_contacts') }}
    where salesforce_contact_id is not null
    group by salesforce_contact_id
)

-- Salesforce's contact, with what HubSpot alone knows of the person.
select
    contacts.contact_id,
    contacts.account_id,
    contacts.email,
    coalesce({{ read_text('contacts.job_title') }}, {{ read_text('hubspot.job_title') }}) as job_title,
    coalesce({{ read_text('contacts.lead_source') }}, {{ read_text('hubspot.lead_source') }}) as lead_source,
    coalesce({{ read_timestamp('contacts.created_at') }}, {{ read_timestamp('hubspot.created_at') }}) as created_at,
    coalesce({{ read_timestamp('contacts.became_lead_at') }}, {{ read_timestamp('hubspot.became_lead_at') }}) as became_lead_at,
    coalesce({{ read_timestamp('contacts.became_mql_at') }}, {{ read_timestamp('hubspot.became_mql_at') }}) as became_mql_at,
    coalesce({{ read_timestamp('contacts.became_sql_at') }}, {{ read_timestamp('hubspot.became_sql_at') }}) as became_sql_at
from {{ ref('stg_salesforce__contacts') }} as contacts
left join joined on contacts.contact_id = joined.salesforce_contact_id
left join {{ ref('stg_hubspot__contacts') }} as hubspot on joined.hubspot_contact_id = hubspot.contact_id
