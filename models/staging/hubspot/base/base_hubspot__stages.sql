{%- set loader = var('hubspot_loader') -%}
with

pipelines as (
    select * from {{ source('hubspot', 'pipeline') }}
),

stages as (
    {%- if loader == 'airbyte' %}
    select
        pipelines.pipeline_id,
        pipelines.label as pipeline_label,
        each.stage ->> 'stageId' as stage_id,
        each.stage ->> 'label' as label,
        each.stage ->> 'displayOrder' as display_order,
        each.stage ->> '$.metadata.isClosed' as is_closed,
        each.stage ->> '$.metadata.probability' as probability,
        pipelines.loaded_at
    from pipelines
    cross join unnest(from_json(cast(pipelines.stages as json), '["JSON"]')) as each (stage)
    {%- else %}
    select
        pipelines.pipeline_id,
        pipelines.label as pipeline_label,
        stages.stage_id,
        stages.label,
        stages.display_order,
        -- Before 2025 Fivetran had only `closed_won`, which says closed, lost stages too.
        coalesce(cast(stages.is_closed as varchar), cast(stages.closed_won as varchar)) as is_closed,
        stages.probability,
        stages.loaded_at
    from {{ source('hubspot', 'stage') }} as stages
    left join pipelines
        on {{ 'stages._dlt_parent_id = pipelines._dlt_id' if loader == 'dlt' else 'stages.pipeline_id = pipelines.pipeline_id' }}
    {%- endif %}
)

-- Deleted stages too: the history of deals names them.
select
    pipeline_id,
    stage_id,
    pipeline_label,
    label,
    try_cast(display_order as integer) as display_order,
    {{ read_boolean('is_closed') }} as is_closed,
    try_cast(probability as double) as probability,
    -- A stage's id is the same in two pipelines only where one was copied.
    row_number() over (partition by stage_id order by loaded_at desc, pipeline_id asc) = 1 as is_first_of_id
from stages
qualify row_number() over (partition by pipeline_id, stage_id order by loaded_at desc) = 1
