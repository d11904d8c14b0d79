select
    id as opportunity_id,
    accountid as account_id,
    name as opportunity_name,
    {%- set own_type = own_field('salesforce', 'opportunities.opportunity_type', 'type') %}
    -- "Renewal" contains "new": it is asked for first.
    case
        when contains(lower({{ own_type }}), 'renew') then 'renewal'
        when regexp_matches(lower({{ own_type }}), 'existing|upsell|upgrade|expan|add-on|cross') then 'expansion'
        when contains(lower({{ own_type }}), 'new') then 'new_business'
    end as opportunity_type,
    stagename as stage,
    isclosed as is_closed,
    iswon as is_won,
    {{ own_field('salesforce', 'opportunities.amount', 'amount') }} as amount,
    currencyisocode as currency_code,
    {{ own_field('salesforce', 'opportunities.lead_source', 'leadsource') }} as lead_source,
    createddate as created_at,
    -- The close date of an open opportunity is a forecast.
    case when isclosed then closedate end as closed_at
from {{ source('salesforce', 'opportunity') }}
where not is_deleted
