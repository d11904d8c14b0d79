{#- The values of a group in their own order, joined by ` + `. -#}
{% macro joined_text(value) -%}
    {{ dbt.listagg(value, "' + '", 'order by ' ~ value) }}
{%- endmacro %}


{#- A field of a row that was kept as JSON text. -#}
{% macro json_text(json, field) -%}
    json_extract_string({{ json }}, '$.{{ field }}')
{%- endmacro %}


{#- A table of the numbers from 1 to `count`, as `generated_number`. -#}
{% macro numbers(count) -%}
    {{ dbt.generate_series(count) }}
{%- endmacro %}
