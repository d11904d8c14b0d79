{#-
    All rows of an entity, from every connector: the contract's columns in the contract's types, and beside them

    - `row_rule`: the first rule that the row breaks by itself (see input_rejects), or null;
    - `raw`: the row as it was read, a struct.

    `key` is the column that identifies a row; without one, a row is identified by all that it holds.
-#}
{% macro read_entity(entity, key=none) %}
    {%- set columns = contract_columns(entity) -%}
    {%- set sources = sources_of(entity) %}
    {%- set source -%}
        {% for source in sources -%}
        select
            {% for column in columns -%}
            {{ raw_column(column, source.columns, source.malformed if column.name == key) }} as {{ column.name }},
            {% endfor -%}
            {{ source.malformed or 'false' }} as is_malformed,
            {{ raw_row(columns, source, sources) }} as raw
        from {{ source.relation }}
        {% if not loop.last %}union all{% endif %}
        {% else -%}
        select
            {% for column in columns -%}
            cast(null as varchar) as {{ column.name }},
            {% endfor -%}
            false as is_malformed,
            {{ raw_row(columns, {'columns': {}}, []) }} as raw
        where false
        {% endfor %}
    {%- endset %}
    {#- The source is written out where it is read, not kept as a CTE: a large one is then streamed and never held. #}
    with
    {% if key -%}
    repeated as (
        select {{ key }}
        from ({{ source }}) as source
        where {{ key }} is not null
        group by {{ key }}
        having count(*) > 1
    ),

    marked as (
        select
            source.*,
            cast(null as varchar) as duplicate_rule
        from ({{ source }}) as source
        anti join repeated on source.{{ key }} = repeated.{{ key }}
        union all
        select
            source.*,
            case
                when row_number() over (partition by {{ key }}, raw order by {{ key }}) > 1 then 'exact_duplicate'
                when min(raw) over (partition by {{ key }}) <> max(raw) over (partition by {{ key }}) then 'conflicting_duplicate'
            end as duplicate_rule
        from ({{ source }}) as source
        semi join repeated on source.{{ key }} = repeated.{{ key }}
    ),
    {%- else -%}
    marked as (
        select
            *,
            case when row_number() over (partition by raw order by raw) > 1 then 'exact_duplicate' end as duplicate_rule
        from ({{ source }}) as source
    ),
    {%- endif %}

    typed as (
        select
            {% for column in columns -%}
            {{ typed_column(column, sources) }} as {{ column.name }},
            {% endfor -%}
            {% for column in columns if typed_may_fail(column) -%}
            {{ column.name }} is not null as has_{{ column.name }},
            {% endfor -%}
            duplicate_rule,
            is_malformed,
            raw
        from marked
    )

    select
        {{ columns | map(attribute='name') | join(',\n        ') }},
        case
            when duplicate_rule is not null then duplicate_rule
            when is_malformed then 'malformed_line'
            {% for column in columns if column.required -%}
            when {{ column.name }} is null {{ 'and not has_' ~ column.name if typed_may_fail(column) }} then 'missing_value'
            {% endfor -%}
            {% for column in columns if typed_may_fail(column) and not column['values'] -%}
            when {{ column.name }} is null and has_{{ column.name }} then 'unreadable_value'
            {% endfor -%}
            {% for column in columns if column['values'] -%}
            when {{ column.name }} is null and has_{{ column.name }} then 'not_allowed_value'
            {% endfor -%}
            {% for column in columns if column.type == 'amount' -%}
            {#- Sums keep four decimals in 18 digits: a trillion is more than can be added up. -#}
            when abs({{ column.name }}) >= 1000000000000 then 'not_allowed_value'
            {% endfor -%}
            {% for column in columns if column.type in ['date', 'timestamp'] -%}
            when {{ column.name }} < date '1900-01-01' or {{ column.name }} >= date '2100-01-01' then 'implausible_date'
            {% endfor -%}
        end as row_rule,
        raw
    from typed
{% endmacro %}


{#- Whether a value that is there can still fail to become its type. -#}
{% macro typed_may_fail(column) %}
    {{ return(column.type not in ['id', 'text', 'currency']) }}
{% endmacro %}


{#-
    A column as it stands in the source, with empty text as null. Only text is looked into. The key of a line that is malformed is not
    to be trusted: another row may rightly have it.
-#}
{% macro raw_column(column, source_columns, malformed=none) %}
    {%- if column.name not in source_columns -%}
        {{ return('cast(null as varchar)') }}
    {%- endif -%}
    {%- set type = source_columns[column.name] -%}
    {%- if column.type == 'id' -%}
        {%- set id = "nullif(cast(" ~ column.name ~ " as varchar), '')" -%}
        {{ return("case when not (" ~ malformed ~ ") then " ~ id ~ " end" if malformed else id) }}
    {%- elif type == 'VARCHAR' or not native(column, type) -%}
        {{ return("nullif(trim(cast(" ~ column.name ~ " as varchar)), '')") }}
    {%- endif -%}
    {{ return(column.name) }}
{% endmacro %}


{#- Whether the source holds the column in a type that needs no reading of text. -#}
{% macro native(column, type) %}
    {%- set numbers = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'HUGEINT', 'UTINYINT', 'USMALLINT', 'UINTEGER', 'UBIGINT', 'FLOAT', 'DOUBLE'] -%}
    {%- if column.type in ['amount', 'number', 'rate', 'integer'] -%}
        {{ return(type in numbers or type.startswith('DECIMAL')) }}
    {%- elif column.type in ['date', 'timestamp'] -%}
        {{ return(type.startswith('TIMESTAMP') or type == 'DATE') }}
    {%- elif column.type == 'boolean' -%}
        {{ return(type == 'BOOLEAN') }}
    {%- endif -%}
    {{ return(false) }}
{% endmacro %}


{#- Whether any source holds the column as text. -#}
{% macro is_text(column, sources) %}
    {%- for source in sources if column.name in source.columns and not native(column, source.columns[column.name]) -%}
        {{ return(true) }}
    {%- endfor -%}
    {{ return(false) }}
{% endmacro %}


{#- A column in the contract's type; null where it cannot be read. -#}
{% macro typed_column(column, sources) %}
    {%- set name = column.name -%}
    {%- if column.type in ['id', 'text'] -%}
        {{ return(name) }}
    {%- elif column.type == 'currency' -%}
        {{ return('upper(' ~ name ~ ')') }}
    {%- elif column.type == 'enumeration' -%}
        {{ return("case when lower(" ~ name ~ ") in ('" ~ column['values'] | join("', '") ~ "') then lower(" ~ name ~ ") end") }}
    {%- elif column.type == 'timestamp' and is_text(column, sources) -%}
        {#- An offset in the text counts; without one, the time is UTC. -#}
        {{ return('cast(try_cast(' ~ from_digit(name) ~ ' as timestamptz) as timestamp)') }}
    {%- elif column.type == 'date' -%}
        {{ return('cast(try_cast(' ~ (from_digit(name) if is_text(column, sources) else name) ~ ' as timestamp) as date)') }}
    {%- elif column.type == 'integer' -%}
        {%- set number = 'try_cast(' ~ (plain_number(name) if is_text(column, sources) else name) ~ ' as decimal(18, 4))' -%}
        {{ return('case when ' ~ number ~ ' = floor(' ~ number ~ ') then cast(' ~ number ~ ' as bigint) end') }}
    {%- endif -%}
    {%- if column.type in ['amount', 'number', 'rate'] and is_text(column, sources) -%} {%- set name = plain_number(name) -%} {%- endif -%}
    {{ return('try_cast(' ~ name ~ ' as ' ~ contract_sql_type(column.type) ~ ')') }}
{% endmacro %}


{#- Some casts know words for times (`epoch`) and digit separators (1_000) that the contract does not: they become unreadable. -#}
{% macro from_digit(text) %}
    {{ return('case when ' ~ text ~ " >= '0' and " ~ text ~ " < ':' then " ~ text ~ ' end') }}
{% endmacro %}


{% macro plain_number(text) %}
    {{ return("replace(" ~ text ~ ", '_', '?')") }}
{% endmacro %}


{#- The row as it was read: a struct of the contract's columns, and of a CSV what stands beyond the header's. -#}
{% macro raw_row(columns, source, sources) %}
    {%- set fields = [] -%}
    {%- for column in columns -%}
        {%- set value = "nullif(" ~ column.name ~ ", '')" if source.header else column.name -%}
        {%- do fields.append("'" ~ column.name ~ "': " ~ (value if column.name in source.columns else 'cast(null as varchar)')) -%}
    {%- endfor -%}
    {%- if sources | selectattr('header', 'defined') | list -%}
        {%- do fields.append("'beyond_header': " ~ ('beyond_header' if source.header else 'cast(null as varchar)')) -%}
    {%- endif -%}
    {{ return('{' ~ fields | join(', ') ~ '}') }}
{% endmacro %}


{#- The last line of a checked entity: its columns, the rule that rejects the row, and the raw row where one does. -#}
{% macro checked_rows(entity, relation='checked', id=none) %}
select
    {{ contract_column_names(entity) | replace(', ', ',\n    ') }},
    reject_rule,
    {{ id or 'cast(null as varchar)' }} as row_id,
    case when reject_rule is not null then {{ raw_text('raw') }} end as raw_row
from {{ relation }}
{% endmacro %}


{#- A raw row as text. What stands beyond the header is only shown where something does. -#}
{% macro raw_text(raw) -%}
    replace(cast(to_json({{ raw }}) as varchar), ',"beyond_header":null', '')
{%- endmacro %}


{#- The rows of a checked entity that broke no rule. -#}
{% macro accepted_rows(entity) %}
select
    {{ contract_column_names(entity) | replace(', ', ',\n    ') }}
from {{ ref('input_' ~ entity ~ '__checked') }}
where reject_rule is null
{% endmacro %}


{#- All rows of an entity as they stand in the sources, one struct `raw` each. -#}
{% macro raw_rows(entity) %}
    {%- for source in sources_of(entity) -%}
    select
        {{ source.malformed or 'false' }} as is_malformed,
        {{ raw_row(contract_columns(entity), source, sources_of(entity)) }} as raw
    from {{ source.relation }}
    {% if not loop.last %}union all{% endif %}
    {%- else -%}
    select
        false as is_malformed,
        {{ raw_row(contract_columns(entity), {'columns': {}}, []) }} as raw
    where false
    {%- endfor -%}
{% endmacro %}
