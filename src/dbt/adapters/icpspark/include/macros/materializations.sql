{#- As dbt-spark's, but every hook is run: of those that are to run outside of a transaction it runs none, and says nothing. -#}
{% materialization table, adapter='icpspark', supported_languages=['sql', 'python'] %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set old_relation = adapter.get_relation(database=none, schema=this.schema, identifier=this.identifier) -%}
    {%- do icpspark_run_hooks(pre_hooks) -%}
    {%- if old_relation is not none -%} {%- do adapter.drop_relation(old_relation) -%} {%- endif -%}
    {%- call statement('main', language=model['language']) -%}
        {{ create_table_as(False, target_relation, compiled_code, model['language']) }}
    {%- endcall -%}
    {%- do persist_docs(target_relation, model) -%}
    {%- do icpspark_run_hooks(post_hooks) -%}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% macro icpspark_run_hooks(hooks) %}
    {%- for hook in hooks -%}
        {%- set sql = render(hook.get('sql')) | trim -%}
        {%- if sql -%} {%- do run_query(sql) -%} {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{% macro icpspark__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- if language == 'sql' -%}
        {{ spark__create_table_as(temporary, relation, compiled_code, language) }}
    {%- else -%}
{{ compiled_code }}
target = "{{ relation }}"
result = model(dbtObj(load), session)
    {%- endif -%}
{%- endmacro %}


{#- dbt-spark writes an empty cell as the text None, and a quote as the end of a text. -#}
{% macro icpspark__load_csv_rows(model, agate_table) %}
    {%- do adapter.load_seed(this, agate_table, model.config.get('column_types', {})) -%}
    {{ return('-- ' ~ agate_table.rows | length ~ ' rows') }}
{% endmacro %}

