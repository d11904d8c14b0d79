{#- A field of a row that was kept as JSON text. -#}
{% macro json_text(json, field) -%}
    json_extract_string({{ json }}, '$.{{ field }}')
{%- endmacro %}


{#- One row for each text in a JSON array. -#}
{% macro json_texts(json) -%}
    unnest(from_json({{ json }}, '["VARCHAR"]'))
{%- endmacro %}


{#- One row for each object in a JSON array, as a struct of texts. -#}
{% macro json_objects(json, fields) -%}
    {%- set types = [] -%}
    {%- for field in fields -%} {%- do types.append('"' ~ field ~ '": "VARCHAR"') -%} {%- endfor -%}
    unnest(from_json({{ json }}, '[{ {{- types | join(', ') -}} }]'))
{%- endmacro %}
