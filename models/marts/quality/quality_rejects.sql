with

accepted as (
    {% for entity in contract() -%}
    select
        '{{ entity }}' as entity,
        count(*) as accepted_count
    from {{ ref('input_' ~ entity) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor -%}
),

rejected as (
    select
        entity,
        rule,
        count(*) as rejected_count
    from {{ ref('input_rejects') }}
    group by entity, rule
),

rejected_in_all as (
    select
        entity,
        sum(rejected_count) as rejected_count
    from rejected
    group by entity
),

rules as (
    select
        accepted.entity,
        'all' as rule,
        coalesce(rejected_in_all.rejected_count, 0) as rejected_count
    from accepted
    left join rejected_in_all on accepted.entity = rejected_in_all.entity
    union all
    select * from rejected
)

select
    rules.entity,
    rules.rule,
    cast(accepted.accepted_count + coalesce(rejected_in_all.rejected_count, 0) as integer) as read_count,
    cast(accepted.accepted_count as integer) as accepted_count,
    cast(rules.rejected_count as integer) as rejected_count,
    cast(rules.rejected_count as double)
    / nullif(accepted.accepted_count + coalesce(rejected_in_all.rejected_count, 0), 0) as rejected_share
from rules
inner join accepted on rules.entity = accepted.entity
left join rejected_in_all on rules.entity = rejected_in_all.entity
