{#- As dbt-spark's, but every hook is run: of those that are to run outside of a transaction it runs none, and says nothing. -#}
{% materialization table, adapter='icpspark', supported_languages=['sql', 'python'] %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set old_relation = adapter.get_relation(database=none, schema=this.schema, identifier=this.identifier) -%}
    {%- do icpspark_run_hooks(pre_hooks) -%}
    {%- if old_relation is not none -%} {%- do adapter.drop_relation(old_relation) -%} {%- endif -%}
    {%- call statement('main', language=model['language']) -%}
        {{ create_table_as(False, target_relation, compiled_code, model['language']) }}
    {%- endcall -%}
    {%- do check_constraints(target_relation, model) -%}
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



{#- An enforced contract's constraints, which a Parquet table cannot have: a table that breaks one is dropped. -#}
{% macro check_constraints(relation, model) %}
    {%- set broken = {} -%}
    {%- for constraint in model.constraints -%}
        {%- if constraint.type == 'check' -%} {%- do broken.update({constraint.expression: 'not (' ~ constraint.expression ~ ')'}) -%} {%- endif -%}
    {%- endfor -%}
    {%- for column in model.columns.values() -%}
        {%- for constraint in column.constraints -%}
            {%- if constraint.type == 'check' -%}
                {%- do broken.update({constraint.expression: 'not (' ~ constraint.expression ~ ')'}) -%}
            {%- elif constraint.type == 'not_null' -%}
                {%- do broken.update({column.name ~ ' is not null': column.name ~ ' is null'}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if execute and broken and config.get('contract').enforced -%}
        {%- set counts = [] -%}
        {%- for condition in broken.values() -%} {%- do counts.append('count_if(' ~ condition ~ ')') -%} {%- endfor -%}
        {%- set row = run_query('select ' ~ counts | join(', ') ~ ' from ' ~ relation).rows[0] -%}
        {%- for rule in broken -%}
            {%- if row[loop.index0] -%}
                {%- do adapter.drop_relation(relation) -%}
                {%- do exceptions.raise_compiler_error(relation ~ ' breaks the constraint ' ~ rule ~ ' of its contract in ' ~ row[loop.index0] ~ ' rows.') -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{% endmacro %}
