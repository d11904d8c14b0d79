{#- The values of a group in their own order, joined by ` + ` or another separator. -#}
{% macro joined_text(value, separator=' + ') -%}
    {{ adapter.dispatch('joined_text', 'icp_refinery')(value, separator) }}
{%- endmacro %}


{#- Without the blanks around it, also those that do not break a line. -#}
{% macro trimmed(text) -%}
    {{ adapter.dispatch('trimmed', 'icp_refinery')(text) }}
{%- endmacro %}


{#- Each letter by itself. -#}
{% macro lower_case(text) -%}
    {{ adapter.dispatch('lower_case', 'icp_refinery')(text) }}
{%- endmacro %}


{#- Whether a text is like a pattern in which `\` escapes. -#}
{% macro is_like(text, pattern) -%}
    {{ adapter.dispatch('is_like', 'icp_refinery')(text, pattern) }}
{%- endmacro %}


{#- Whether all of a text matches a regular expression. -#}
{% macro matches(text, pattern) -%}
    {{ adapter.dispatch('matches', 'icp_refinery')(text, pattern) }}
{%- endmacro %}
