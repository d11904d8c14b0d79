{#- A field of a row that was kept as JSON text. -#}
{% macro json_text(json, field) -%}
    {{ adapter.dispatch('json_text', 'icp_refinery')(json, '$.' ~ field) }}
{%- endmacro %}


{#- An item of a JSON array, by its place from 0. -#}
{% macro json_item(json, place) -%}
    {{ adapter.dispatch('json_item', 'icp_refinery')(json, place) }}
{%- endmacro %}


{#- One row for each text in a JSON array. -#}
{% macro json_texts(json) -%}
    {{ adapter.dispatch('json_texts', 'icp_refinery')(json) }}
{%- endmacro %}


{#- One row for each object in a JSON array, as a struct of texts. -#}
{% macro json_objects(json, fields) -%}
    {{ adapter.dispatch('json_objects', 'icp_refinery')(json, fields) }}
{%- endmacro %}
