with

deals as (
    select * from {{ ref('base_hubspot__deals') }}
),

stages as (
    select * from {{ ref('base_hubspot__stages') }}
)

select
    entries.deal_id as opportunity_id,
    coalesce(deal_stages.label, same_stage.label, entries.stage_id) as stage,
    coalesce(deal_stages.display_order, same_stage.display_order) as stage_order,
    entries.entered_at
from {{ ref('base_hubspot__stage_entries') }} as entries
inner join deals on entries.deal_id = deals.deal_id
left join stages as deal_stages on entries.stage_id = deal_stages.stage_id and deals.pipeline_id = deal_stages.pipeline_id
left join stages as same_stage on entries.stage_id = same_stage.stage_id and same_stage.is_first_of_id
