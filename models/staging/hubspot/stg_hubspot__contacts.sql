with

contacts as (
    select
        *,
        {%- for stage in ['lead', 'marketingqualifiedlead', 'salesqualifiedlead'] %}
        {%- set entered = read_timestamp('hs_v2_date_entered_' ~ stage) %}
        coalesce({{ entered }}, {{ read_timestamp('hs_lifecyclestage_' ~ stage ~ '_date') }}) as became_{{ stage }}_at,
        {%- endfor %}
        createdate as created_at
    from {{ source('hubspot', 'contact') }}
    where not is_deleted
)

select
    id as contact_id,
    associatedcompanyid as account_id,
    email,
    {{ own_field('hubspot', 'contacts.job_title', 'jobtitle') }} as job_title,
    {{ own_field('hubspot', 'contacts.lead_source', 'hs_analytics_source') }} as lead_source,
    created_at,
    {{ own_field('hubspot', 'contacts.became_lead_at', 'became_lead_at') }} as became_lead_at,
    {{ own_field('hubspot', 'contacts.became_mql_at', 'became_marketingqualifiedlead_at') }} as became_mql_at,
    {{ own_field('hubspot', 'contacts.became_sql_at', 'became_salesqualifiedlead_at') }} as became_sql_at
from contacts
