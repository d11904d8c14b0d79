with

-- A broken rule stops the build here.
problems as (
    select min_by(sentence, place) as sentence
    from {{ ref('rule_problems') }}
    where source = 'assumptions'
),

checked as (
    select {{ stop_with('sentence') }} as stopped
    from problems
),

assumptions as (
    select * from {{ ref('stg_people__assumptions') }}
    {% if 'sample' in owners('accounts') -%}
    union all
    select * from {{ ref('demo_assumptions') }}
    {% endif %}
)

select
    assumptions.profile,
    {{ condition_id() }} as condition_id,
    assumptions.believed_by,
    assumptions.attribute,
    assumptions.operator,
    assumptions.value,
    assumptions.note
from assumptions
cross join checked
where checked.stopped is null
