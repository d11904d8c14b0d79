{{ config(materialized='table') }}

with

all_deals as (
    select * from {{ source('hubspot', 'deal') }}
),

stages as (
    select * from {{ ref('base_hubspot__stages') }}
),

merged_away as (
    select trim(unnest(string_split(hs_merged_object_ids, ';'))) as deal_id
    from all_deals
    where hs_merged_object_ids is not null
    union
    select merged_deal_id
    from {{ source('hubspot', 'merged_deal') }}
    where not is_deleted
),

archived as (
    select
        id as deal_id,
        max({{ read_timestamp('archivedat') }}) as archived_at
    from {{ source('hubspot', 'deal_archived') }}
    group by id
),

deals as (
    select
        all_deals.*,
        {{ read_timestamp('all_deals.updatedat') }} as updated_at
    from all_deals
    anti join merged_away on all_deals.id = merged_away.deal_id
    where not all_deals.is_deleted
)

select
    -- ids
    deals.id as deal_id,
    coalesce(deals.hs_primary_associated_company, deal_companies.company_id) as company_id,
    deals.pipeline as pipeline_id,
    -- text
    deals.dealname as deal_name,
    coalesce(deal_stages.label, same_stage.label, deals.dealstage) as stage,
    coalesce(deal_stages.pipeline_label, same_stage.pipeline_label) as pipeline_label,
    deals.dealtype as deal_type,
    {{ read_currency('deals.deal_currency_code') }} as currency_code,
    deals.hs_analytics_source,
    -- booleans
    coalesce(deal_stages.is_closed, same_stage.is_closed, {{ read_boolean('deals.hs_is_closed') }}) as is_closed,
    coalesce(
        deal_stages.is_closed and deal_stages.probability = 1,
        same_stage.is_closed and same_stage.probability = 1,
        {{ read_boolean('deals.hs_is_closed_won') }}
    ) as is_won,
    -- numbers
    deals.amount,
    deals.hs_exchange_rate,
    deals.amount_in_home_currency,
    -- properties of the user's own
    {%- for entity in ['opportunities', 'orders'] %}
    {%- for column in hubspot_own_fields()[entity].columns %}
    {{ own_field('hubspot', entity ~ '.' ~ column, relation='deals') }} as own_{{ column }},
    {%- endfor %}
    {%- endfor %}
    -- times
    deals.createdate as created_at,
    deals.closedate as closed_at
from deals
left join {{ ref('base_hubspot__deal_companies') }} as deal_companies on deals.id = deal_companies.deal_id
left join stages as deal_stages on deals.dealstage = deal_stages.stage_id and deals.pipeline = deal_stages.pipeline_id
left join stages as same_stage on deals.dealstage = same_stage.stage_id and same_stage.is_first_of_id
left join archived on deals.id = archived.deal_id
-- What was archived may still stand among the deals, or may have been restored since.
where archived.deal_id is null or coalesce(deals.updated_at > archived.archived_at, false)
