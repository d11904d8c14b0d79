{#-
    Tables and views on DuckDB, made in their place, by one statement or one transaction. dbt's own make each under another
    name, rename twice and drop twice; each of these takes dbt longer than DuckDB takes for most queries (D87).
-#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {%- set target = this.incorporate(type='table') -%}
    {#- A Python model writes through a connection of its own, which would wait for this transaction: its table is renamed afterwards. -#}
    {%- set written = make_intermediate_relation(target) if model.language == 'python' else target -%}
    {%- if is_one_statement(target) -%} {{ return(replace_relation(target)) }} {%- endif -%}
    {%- do run_hooks_before() -%}
    {%- if written == target -%}
        {%- do drop_in_transaction(load_cached_relation(this)) -%}
    {%- else -%}
        {%- do drop_relation_if_exists(load_cached_relation(written)) -%}
    {%- endif -%}
    {%- call statement('main', language=model.language) -%}
        {{ create_table_as(False, written, compiled_code, model.language) }}
    {%- endcall -%}
    {%- if written != target -%}
        {%- do drop_in_transaction(load_cached_relation(this)) -%}
        {%- do adapter.rename_relation(written, target) -%}
    {%- endif -%}
    {%- do finish_relation(target) -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% materialization view, adapter='duckdb' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- if is_one_statement(target) -%} {{ return(replace_relation(target)) }} {%- endif -%}
    {%- do run_hooks_before() -%}
    {%- do drop_in_transaction(load_cached_relation(this)) -%}
    {%- call statement('main') -%} {{ create_view_as(target, compiled_code) }} {%- endcall -%}
    {%- do finish_relation(target) -%}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}


{#- Whether what is made needs no transaction: nothing comes before or after it, and no other kind of relation has its name. -#}
{% macro is_one_statement(target) %}
    {%- set before = load_cached_relation(this) -%}
    {%- set more = pre_hooks or post_hooks or config.get('persist_docs') or config.get('contract').enforced -%}
    {{ return(model.language == 'sql' and not more and (before is none or before.type == target.type)) }}
{% endmacro %}


{% macro replace_relation(target) %}
    {%- call statement('main', auto_begin=False) -%}
        create or replace {{ target.type }} {{ target }} as (
        {{ compiled_code }}
        )
    {%- endcall -%}
    {#- A query that the model asked while it was rendered has begun a transaction. -#}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmacro %}


{% macro run_hooks_before() %}
    {%- if pre_hooks -%}
        {{ run_hooks(pre_hooks, inside_transaction=False) }}
        {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- endif -%}
{% endmacro %}


{% macro drop_in_transaction(relation) %}
    {%- if relation -%}
        {%- call statement('drop') -%} drop {{ relation.type }} if exists {{ relation }} cascade {%- endcall -%}
        {%- do adapter.cache_dropped(relation) -%}
    {%- endif -%}
{% endmacro %}


{% macro finish_relation(relation) %}
    {%- if config.get('persist_docs') -%} {%- do comment_on(relation) -%} {%- endif -%}
    {%- if post_hooks -%} {{ run_hooks(post_hooks, inside_transaction=True) }} {%- endif -%}
    {{ adapter.commit() }}
    {%- if post_hooks -%} {{ run_hooks(post_hooks, inside_transaction=False) }} {%- endif -%}
{% endmacro %}


{#- The descriptions as comments. dbt's own asks the database twice which columns there are, which an enforced contract says. -#}
{% macro comment_on(relation) %}
    {%- if not config.get('contract').enforced -%} {{ return(persist_docs(relation, model)) }} {%- endif -%}
    {%- call statement('comments') -%}
        comment on {{ relation.type }} {{ relation }} is {{ duckdb_escape_comment(model.description) }};
        {%- for column in model.columns.values() %}
        comment on column {{ relation }}.{{ adapter.quote(column.name) }} is {{ duckdb_escape_comment(column.description) }};
        {%- endfor -%}
    {%- endcall -%}
{% endmacro %}
