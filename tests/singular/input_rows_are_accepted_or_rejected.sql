-- For each entity: rows read, in all their columns, = rows accepted + rows rejected. A malformed line is rejected without being read as a row.
with

{% for entity in contract() -%}
{{ entity }} as (
    select
        '{{ entity }}' as entity,
        (select count({{ raw_text('raw') }}) from {{ ref('input_' ~ entity ~ '__read') }}) as rows_read,
        (select count(*) from {{ ref('input_' ~ entity) }}) as rows_accepted,
        (
            select count(*)
            from {{ ref('input_rejects') }}
            where entity = '{{ entity }}'
        ) as rows_rejected,
        (
            select count(*)
            from {{ ref('input_malformed_lines') }}
            where entity = '{{ entity }}'
        ) as lines_not_readable
),
{% endfor %}

entities as (
    {% for entity in contract() -%}
    select * from {{ entity }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select *
from entities
where rows_read + lines_not_readable <> rows_accepted + rows_rejected
