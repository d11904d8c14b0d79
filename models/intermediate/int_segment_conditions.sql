with

rules as (
    select
        segment_id,
        {{ json_objects('rules', ['attribute', 'operator', 'value']) }} as rule
    from {{ ref('learned_segments') }}
),

conditions as (
    select
        rules.segment_id,
        rules.rule.attribute,
        rules.rule.operator,
        rules.rule.value
    from rules
)

select
    segment_id,
    row_number() over (partition by segment_id order by attribute, operator, value) as condition_number,
    md5(concat(attribute, '|', operator, '|', coalesce(value, ''))) as condition_id,
    attribute,
    operator,
    value
from conditions
