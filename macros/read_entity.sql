{#- The rows of an entity as the connectors that are switched on stage them. -#}
{% macro staged(entity) %}
    {%- for connector in var('connectors') if connector in known_connectors() %}
    select * from {{ ref('stg_' ~ connector ~ '__' ~ entity) }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
{% endmacro %}


{#-
    The rows of an entity with `row_rule`: the first rule that a row breaks by itself (see input_rejects), or null. `key` is the column
    that identifies a row; without one, a row is identified by all that it holds. The relation is read twice rather than kept: a large one
    is then streamed and never held.
-#}
{% macro check_rows(entity, key=none) %}
    {%- set rows_read = ref('input_' ~ entity ~ '__read') -%}
    select
        *,
        coalesce(duplicate_rule, {{ contract_rule(entity) }}) as row_rule
    from (
        {%- if key %}
        select
            rows_read.*,
            cast(null as varchar) as duplicate_rule
        from {{ rows_read }} as rows_read
        anti join ({{ repeated(rows_read, key) }}) as repeated on rows_read.{{ key }} = repeated.{{ key }}
        union all
        select
            rows_read.*,
            case
                when row_number() over (partition by rows_read.{{ key }}, raw order by rows_read.{{ key }}) > 1 then 'exact_duplicate'
                when min(raw) over (partition by rows_read.{{ key }}) <> max(raw) over (partition by rows_read.{{ key }})
                    then 'conflicting_duplicate'
            end as duplicate_rule
        from {{ rows_read }} as rows_read
        semi join ({{ repeated(rows_read, key) }}) as repeated on rows_read.{{ key }} = repeated.{{ key }}
        {%- else %}
        select
            *,
            case when row_number() over (partition by raw order by raw) > 1 then 'exact_duplicate' end as duplicate_rule
        from {{ rows_read }}
        {%- endif %}
    )
{% endmacro %}


{#- The keys that more than one row has. -#}
{% macro repeated(relation, key) %}
    select {{ key }}
    from {{ relation }}
    where {{ key }} is not null
    group by {{ key }}
    having count(*) > 1
{% endmacro %}


{#- The first rule of its column's type that a row breaks, or null. -#}
{% macro contract_rule(entity) %}
    {%- set columns = contract_columns(entity) %}
        case
            {% for column in columns if column.required -%}
            when {{ column.name }} is null and not {{ is_given(column.name) }} then 'missing_value'
            {% endfor -%}
            {% for column in columns if not column['values'] -%}
            when {{ column.name }} is null and {{ is_given(column.name) }} then 'unreadable_value'
            {% endfor -%}
            {% for column in columns if column['values'] -%}
            when {{ column.name }} is null and {{ is_given(column.name) }} then 'not_allowed_value'
            {% endfor -%}
            {% for column in columns if column.type == 'amount' -%}
            {#- Sums keep four decimals in 18 digits: a trillion is more than can be added up. -#}
            when abs({{ column.name }}) >= 1000000000000 then 'not_allowed_value'
            {% endfor -%}
            {% for column in columns if column.type in ['date', 'timestamp'] -%}
            when {{ column.name }} < date '1900-01-01' or {{ column.name }} >= date '2100-01-01' then 'implausible_date'
            {% endfor -%}
        end
{% endmacro %}


{#- Whether the source has a value for a column, readable or not. -#}
{% macro is_given(column) -%}
    {{ read_text('raw.' ~ column) }} is not null
{%- endmacro %}


{#- The last line of a checked entity: its columns, the rule that rejects the row, and the raw row where one does. -#}
{% macro checked_rows(entity, id) %}
select
    {{ contract_columns(entity) | map(attribute='name') | join(',\n    ') }},
    reject_rule,
    {{ id }} as row_id,
    case when reject_rule is not null then {{ raw_text('raw') }} end as raw_row
from checked
{% endmacro %}


{#- A raw row as text. -#}
{% macro raw_text(raw) -%}
    cast(to_json({{ raw }}) as varchar)
{%- endmacro %}
