with

contacts as (
    select * from {{ source('salesforce', 'contact') }}
    where not is_deleted
),

leads as (
    select
        *,
        {{ own_field('salesforce', 'contacts.became_mql_at') }} as became_mql_at
    from {{ source('salesforce', 'lead') }}
    where not is_deleted
),

conversions as (
    select
        convertedcontactid as contact_id,
        min(createddate) as became_lead_at,
        min(became_mql_at) as became_mql_at,
        min(converteddate) as became_sql_at
    from leads
    where isconverted and convertedcontactid is not null
    group by convertedcontactid
)

select
    contacts.id as contact_id,
    contacts.accountid as account_id,
    contacts.email,
    {{ own_field('salesforce', 'contacts.job_title', 'title', 'contacts') }} as job_title,
    {{ own_field('salesforce', 'contacts.lead_source', 'leadsource', 'contacts') }} as lead_source,
    contacts.createddate as created_at,
    conversions.became_lead_at,
    coalesce({{ own_field('salesforce', 'contacts.became_mql_at', relation='contacts') }}, conversions.became_mql_at) as became_mql_at,
    conversions.became_sql_at
from contacts
left join conversions on contacts.id = conversions.contact_id
union all
-- A lead that nobody has converted is a contact without an account.
select
    id as contact_id,
    cast(null as varchar) as account_id,
    email,
    {{ own_field('salesforce', 'contacts.job_title', 'title') }} as job_title,
    {{ own_field('salesforce', 'contacts.lead_source', 'leadsource') }} as lead_source,
    createddate as created_at,
    createddate as became_lead_at,
    became_mql_at,
    cast(null as date) as became_sql_at
from leads
where isconverted is not true
