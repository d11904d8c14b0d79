{#- The values of a group in their own order, joined by ` + ` or another separator. -#}
{% macro joined_text(value, separator=' + ') -%}
    array_to_string(list_sort(list({{ value }})), '{{ separator }}')
{%- endmacro %}


{#- A table of the numbers from 1 to `count`, as `generated_number`. -#}
{% macro numbers(count) -%}
    {{ dbt.generate_series(count) }}
{%- endmacro %}
