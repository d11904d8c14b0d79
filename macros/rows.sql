{#- A table of the numbers from 1 to `count`, as `generated_number`. -#}
{% macro numbers(count) -%}
    {{ adapter.dispatch('numbers', 'icp_refinery')(count) }}
{%- endmacro %}


{#- All columns of a row as a struct. -#}
{% macro whole_row() -%}
    {{ adapter.dispatch('whole_row', 'icp_refinery')() }}
{%- endmacro %}


{#- A struct of [name, expression] pairs. -#}
{% macro struct_of(fields) -%}
    {{ adapter.dispatch('struct_of', 'icp_refinery')(fields) }}
{%- endmacro %}


{% macro list_of(values) -%}
    {{ adapter.dispatch('list_of', 'icp_refinery')(values) }}
{%- endmacro %}


{#- One row for each value of a list. -#}
{% macro each_of(list) -%}
    {{ adapter.dispatch('each_of', 'icp_refinery')(list) }}
{%- endmacro %}


{#- The least value of a group, the second least and so on (`n` from 1 to 3); null where there are fewer. -#}
{% macro nth_least(value, n) -%}
    {{ adapter.dispatch('nth_least', 'icp_refinery')(value, n) }}
{%- endmacro %}


{#- A number that equal values share, and hardly any others. -#}
{% macro row_hash(value) -%}
    {{ adapter.dispatch('row_hash', 'icp_refinery')(value) }}
{%- endmacro %}


{#- Null, or a sentence with which the model stops, in SQL. -#}
{% macro stop_with(sentence) -%}
    {{ adapter.dispatch('stop_with', 'icp_refinery')(sentence) }}
{%- endmacro %}


{#-
    Where links lead, each of an `id` to the one `target_id`: (id, last_id, smallest_id_of_cycle). `last_id` is the end of the chain; where there is
    none, because links lead into a cycle, the other is the smallest id of that cycle. `links` is a query that needs no CTE.
-#}
{% macro chain_ends(links) -%}
    {{ adapter.dispatch('chain_ends', 'icp_refinery')(links) }}
{%- endmacro %}


{#-
    Which of the pairs in the CTE `pairs` are taken: the most preferred one (`preference`, within account and product), then the next whose lines are
    both free, and so on. `closeness` is a rank that several may share; a pair that is the only choice of its lines is left out.
-#}
{% macro preferred_pairs(pairs) -%}
    {{ adapter.dispatch('preferred_pairs', 'icp_refinery')(pairs) }}
{%- endmacro %}


{#- Several statements, for a hook. -#}
{% macro statements(list) -%}
    {{ adapter.dispatch('statements', 'icp_refinery')(list) }}
{%- endmacro %}


{#- The statement that sets a variable of the session. -#}
{% macro set_variable(name, value) %}
    {{ return(adapter.dispatch('set_variable', 'icp_refinery')(name, value)) }}
{% endmacro %}


{#- The value of a variable of the session, or none. -#}
{% macro variable(name) %}
    {{ return(adapter.dispatch('variable', 'icp_refinery')(name)) }}
{% endmacro %}
