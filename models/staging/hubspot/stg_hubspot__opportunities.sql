select
    deal_id as opportunity_id,
    company_id as account_id,
    deal_name as opportunity_name,
    {%- if 'opportunities.opportunity_type' in var('hubspot_fields') %}
    own_opportunity_type as opportunity_type,
    {%- else %}
    case
        when lower(deal_type) = 'newbusiness' then 'new_business'
        when lower(deal_type) = 'existingbusiness' then 'expansion'
        when contains(lower(deal_type), 'renew') then 'renewal'
        when contains(lower(pipeline_label), 'renew') then 'renewal'
    end as opportunity_type,
    {%- endif %}
    stage,
    is_closed,
    is_won,
    amount,
    currency_code,
    {{ 'own_lead_source' if 'opportunities.lead_source' in var('hubspot_fields') else 'hs_analytics_source' }} as lead_source,
    created_at,
    -- Of an open deal the date is a forecast.
    case when is_closed then closed_at end as closed_at
from {{ ref('base_hubspot__deals') }}
