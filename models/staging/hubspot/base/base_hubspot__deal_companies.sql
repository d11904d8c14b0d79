{%- set loader = var('hubspot_loader') -%}
with

associations as (
    {%- if loader == 'airbyte' %}
    select
        id as deal_id,
        unnest(from_json(cast(companies as json), '["VARCHAR"]')) as company_id,
        cast(null as boolean) as is_primary
    from {{ source('hubspot', 'deal') }}
    {%- else %}
    select
        deal_id,
        company_id,
        -- Type 5 of HubSpot's own types is the deal's primary company; types of users' labels are numbered apart.
        cast(type_id as varchar) in ('5', '5.0') and coalesce(category, 'HUBSPOT_DEFINED') = 'HUBSPOT_DEFINED' as is_primary
    from {{ source('hubspot', 'deal_company') }}
    where not is_deleted
    {%- endif %}
),

counted as (
    select
        deal_id,
        company_id,
        bool_or(is_primary) as is_primary,
        count(*) as times
    from associations
    group by deal_id, company_id
)

select
    deal_id,
    case
        when count(*) filter (where is_primary) = 1 then max(company_id) filter (where is_primary)
        {%- if loader == 'airbyte' %}
        -- One entry per label: the primary company is there twice.
        when count(*) filter (where times > 1) = 1 then max(company_id) filter (where times > 1)
        {%- endif %}
        when count(*) = 1 then max(company_id)
    end as company_id
from counted
group by deal_id
