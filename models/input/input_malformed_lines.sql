{{ config(materialized='table') }}

{#- The CSV reader keeps the lines that it cannot split into fields in tables of its own: read each file once to get them. -#}
{%- set files = [] -%}
{%- if execute and 'files' in var('connectors') -%}
    {%- for entity in contract() -%}
        {%- set file = source_file(entity) -%}
        {%- if file is not none and file.malformed -%}
            {%- do run_query('select count(*) from ' ~ file.malformed) -%}
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
