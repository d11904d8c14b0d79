{{ config(materialized='table') }}

{#-
    The CSV reader drops a record that is not UTF-8 in a column that is read, and keeps it in a table of its own: read each file once,
    in just the columns that are read, to get them.
-#}
{%- set files = [] -%}
{%- if execute and 'files' in var('connectors') -%}
    {%- for entity in contract() -%}
        {%- set file = source_file(entity) -%}
        {%- if file is not none and file.rejects -%}
            {%- set counts = ['count("' ~ file.header[-1] | replace('"', '""') ~ '")', 'count(beyond_header)'] -%}
            {%- for column in contract_columns(entity) if column.name in file.columns -%}
                {%- do counts.append('count(' ~ column.name ~ ')') -%}
            {%- endfor -%}
            {%- do run_query('select ' ~ counts | join(', ') ~ ' from ' ~ file.rejects) -%}
            {%- do files.append(entity) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endif -%}

{% for entity in files %}
select
    '{{ entity }}' as entity,
    cast(line as bigint) as line_number,
    max(csv_line) as line_text
from malformed_{{ entity }}
group by line
{% if not loop.last %}union all{% endif %}
{% else %}
select
    cast(null as varchar) as entity,
    cast(null as bigint) as line_number,
    cast(null as varchar) as line_text
where false
{% endfor %}
