{{ config(materialized='table') }}

{%- set kinds = {'meeting': 'hs_meeting_title', 'email': 'hs_email_subject', 'call': 'hs_call_title'} -%}
{%- set lists = "list_min(from_json(cast({} as json), '[\"VARCHAR\"]'))" -%}
{%- set first_of = lists if var('hubspot_loader') == 'airbyte' else 'cast(null as varchar)' -%}
with

engagements as (
    {%- for kind, title in kinds.items() %}
    select
        id,
        '{{ kind }}' as engagement_type,
        cast({{ title }} as varchar) as topic,
        {{ read_timestamp('hs_timestamp') }} as occurred_at,
        {{ first_of.format('companies') }} as company_id,
        {{ first_of.format('contacts') }} as contact_id,
        loaded_at
    from {{ source('hubspot', kind) }}
    where not is_deleted
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

companies as (
    select
        engagement_id,
        min(company_id) as company_id
    from {{ source('hubspot', 'engagement_company') }}
    where not is_deleted
    group by engagement_id
),

contacts as (
    select
        engagement_id,
        min(contact_id) as contact_id
    from {{ source('hubspot', 'engagement_contact') }}
    where not is_deleted
    group by engagement_id
)

select
    engagements.id as engagement_id,
    coalesce(engagements.company_id, companies.company_id) as company_id,
    coalesce(engagements.contact_id, contacts.contact_id) as contact_id,
    engagements.engagement_type,
    engagements.topic,
    engagements.occurred_at
from engagements
left join companies on engagements.id = companies.engagement_id
left join contacts on engagements.id = contacts.engagement_id
-- What lies after the load is planned and has not happened.
where coalesce(engagements.occurred_at <= engagements.loaded_at, true)
