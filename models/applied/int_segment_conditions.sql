with

versions as (
    select * from {{ ref('int_icp_versions') }}
),

rules as (
    select
        segment_id,
        {{ json_objects('rules', ['attribute', 'operator', 'value']) }} as rule
    from {{ ref('learned_segments') }}
),

learned as (
    select
        rules.segment_id,
        rules.rule.attribute,
        rules.rule.operator,
        rules.rule.value
    from rules
),

conditions as (
    select
        versions.icp_version,
        versions.is_in_force,
        learned.segment_id,
        learned.attribute,
        learned.operator,
        learned.value
    from learned
    cross join versions
    where versions.icp_version = 'learned'
    union all
    select
        versions.icp_version,
        versions.is_in_force,
        adopted.segment_id,
        adopted.attribute,
        adopted.operator,
        adopted.value
    from {{ ref('stg_people__adopted_segment_rules') }} as adopted
    inner join versions on cast(adopted.adoption_number as integer) = versions.adoption_number
)

select
    icp_version,
    segment_id,
    row_number() over (partition by icp_version, segment_id order by attribute, operator, value) as condition_number,
    {{ condition_id() }} as condition_id,
    attribute,
    operator,
    value,
    is_in_force
from conditions
