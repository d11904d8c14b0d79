{#-
    The relation that `icp_inputs` names for an entity or a seed: a model (or seed) of the project that dbt runs in, `package.model` where a package
    of that name is installed, else `schema.table` or `database.schema.table`. A model is referred to as any ref is, so that dbt builds it before.
-#}
{% macro input_relation(name) %}
    {%- set named = var('icp_inputs')[name] if var('icp_inputs') is mapping -%}
    {%- set parts = ((named or 'nothing.nothing') | string | trim).split('.') -%}
    {%- if parts | length == 1 -%} {{ return(ref(project_name, parts[0])) }} {%- endif -%}
    {%- if parts | length == 2 and parts[0] in builtins.ref.config.load_dependencies() and parts[0] not in ['dbt', 'dbt_' ~ target.type] -%}
        {{ return(ref(parts[0], parts[1])) }}
    {%- endif -%}
    {{ return(adapter.dispatch('table_of', 'icp_refinery')(parts)) }}
{% endmacro %}


{#- The columns of that relation: as `match_columns` answers, with {file: its name}. None before dbt runs, or where it is not there. -#}
{% macro input_columns(name, known) %}
    {%- set relation = input_relation(name) -%}
    {%- set columns = adapter.get_columns_in_relation(relation) if execute else [] -%}
    {%- if not columns -%}
        {%- if execute and flags.WHICH in ['build', 'run'] -%}
            {%- do stop("The relation " ~ var('icp_inputs')[name] ~ ", which icp_inputs names for " ~ name
                ~ ", is not there (a model has to be a table or a view).") -%}
        {%- endif -%}
        {{ return({'relation': relation}) }}
    {%- endif -%}
    {%- set names = columns | map(attribute='name') | list -%}
    {%- set found = match_columns({'file': var('icp_inputs')[name], 'relation': relation, 'names': names, 'places': columns | map(attribute='quoted') | list}, known) -%}
    {%- if found.twice -%}
        {%- do stop("The relation " ~ found.file ~ ", which icp_inputs names for " ~ name ~ ", has the column " ~ found.twice[0]
            ~ " twice (case, and blank or - for _, do not count).") -%}
    {%- endif -%}
    {{ return(found) }}
{% endmacro %}


{#- The rows of an entity in its relation, with the contract's columns. Columns are known when the relation has been built. -#}
{% macro rows_of_relation(entity) %}
    {%- set found = input_columns(entity, contract_columns(entity) | map(attribute='name') | list) -%}
    {%- set missing = missing_columns(entity, found.columns) if found.columns is defined else [] -%}
    {%- if missing -%}
        {%- do stop("The relation " ~ found.file ~ ", which icp_inputs names for " ~ entity ~ ", lacks the required column"
            ~ ("s " if missing | length > 1 else " ") ~ missing | join(', ') ~ " (it has " ~ found.names | join(', ') ~ ").") -%}
    {%- endif -%}
    {{ stop_where_relations_are_empty(entity) }}
select
    {{ source_values(entity, found.columns or {}) }}
from {{ found.relation }}
{% endmacro %}


{#- Without accounts, or both orders and opportunities, there is nothing to build from, unless another connector is on. -#}
{% macro stop_where_relations_are_empty(entity) %}
    {%- set pursued = ['orders', 'opportunities'] | select('in', var('icp_inputs')) | list -%}
    {%- set needed = {'accounts': ['accounts'], pursued[0]: pursued}.get(entity, []) -%}
    {%- set has_rows = [] -%}
    {%- for name in needed -%}
        {%- set relation = input_relation(name) -%}
        {%- if execute and flags.WHICH in ['build', 'run'] and run_query('select 1 from ' ~ relation ~ ' limit 1').rows -%}
            {%- do has_rows.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if needed and not has_rows and execute and flags.WHICH in ['build', 'run'] and not flags.EMPTY and var('connectors') | length == 1 -%}
        {%- do stop(("Neither " ~ needed | join(' nor ') ~ " has any rows" if needed | length > 1 else needed[0] ~ " has no rows")
            ~ " in what icp_inputs names for it.") -%}
    {%- endif -%}
{% endmacro %}


{#- Which columns of relations are read: rows as in `input_source_columns`. -#}
{% macro relation_columns() %}
    {%- for entity in contract() if entity in var('icp_inputs') %}
        {%- set known = contract_columns(entity) | map(attribute='name') | list -%}
        {%- set found = input_columns(entity, known) -%}
        {%- for name in known + (found.ignored or []) %}
union all
select
    'relations' as connector,
    '{{ entity }}' as entity,
    {{ text_literal(var('icp_inputs')[entity]) }} as source_file,
    {{ text_literal(name) }} as column_name,
    '{{ 'ignored' if loop.index > known | length else 'used' if name in (found.columns or {}) else 'missing' }}' as column_use
        {%- endfor %}
    {%- endfor %}
{% endmacro %}


{#- The seeds that people write, with their columns: `icp_inputs` may name a relation instead. -#}
{% macro own_seeds() %}
    {%- set figures = ['pursuits', 'wins', 'win_rate', 'value_per_pursuit', 'lift', 'lift_low', 'lift_high'] -%}
    {{ return({
        'excluded_accounts': ['account_id', 'reason'],
        'assumptions': ['profile', 'believed_by', 'attribute', 'operator', 'value', 'note'],
        'adoption': ['adoption_number', 'adopted_on', 'agreed_by_sales', 'agreed_by_marketing', 'reason', 'as_of', 'learned_from'],
        'adopted_segments': ['adoption_number', 'segment_id', 'segment_name', 'definition', 'tier', 'tier_override', 'override_reason'] + figures,
        'adopted_segment_rules': ['adoption_number', 'segment_id', 'attribute', 'operator', 'value']
    }) }}
{% endmacro %}


{#- The rows of one of these seeds; of the relation that `icp_inputs` names instead, every column as a text. -#}
{% macro rows_of_seed(name) %}
    {%- if name not in var('icp_inputs') -%} {{ return('select * from ' ~ ref('icp_refinery', name)) }} {%- endif -%}
    {%- set known = own_seeds()[name] -%}
    {%- set found = input_columns(name, known) -%}
    {%- set missing = known | reject('in', found.columns) | list if found.columns is defined else [] -%}
    {%- if missing -%}
        {%- do stop("The relation " ~ found.file ~ ", which icp_inputs names for " ~ name ~ ", lacks the column"
            ~ ("s " if missing | length > 1 else " ") ~ missing | join(', ') ~ ".") -%}
    {%- endif %}
select
    {%- for column in known %}
    cast({{ (found.columns or {}).get(column, 'null') }} as string) as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ found.relation }}
{% endmacro %}


{#- Stops the run before anything is built where `icp_inputs` cannot be used: one sentence. -#}
{% macro check_relations() %}
    {%- set inputs = var('icp_inputs') -%}
    {%- set needs = "The connector relations needs icp_inputs, such as {accounts: stg_accounts, orders: fct_bookings}" -%}
    {%- if inputs is not mapping -%}
        {%- do stop("The variable icp_inputs names a relation for each entity, such as {accounts: stg_accounts, orders: fct_bookings}.") -%}
    {%- endif -%}
    {%- for name, relation in inputs.items() -%}
        {%- if name not in contract() and name not in own_seeds() -%}
            {%- do stop("The variable icp_inputs names " ~ name ~ ", which is no entity of the input contract (" ~ contract() | join(', ')
                ~ ") and none of the seeds " ~ own_seeds() | join(', ') ~ ".") -%}
        {%- elif relation is not string or not modules.re.match('^[^.\\s]+([.][^.]+){0,2}$', relation | trim) -%}
            {%- do stop("The variable icp_inputs has " ~ relation ~ " for " ~ name
                ~ ": it takes a model, package.model, schema.table or database.schema.table.") -%}
        {%- elif name in contract() and 'relations' not in var('connectors') -%}
            {%- do stop("The variable icp_inputs names " ~ name ~ ", but relations is not among the connectors.") -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if var('connectors') | list == ['relations'] -%}
        {%- if 'accounts' not in inputs -%} {%- do stop(needs ~ ": accounts is missing.") -%} {%- endif -%}
        {%- if 'orders' not in inputs and 'opportunities' not in inputs -%}
            {%- do stop(needs ~ ": one of orders and opportunities is missing.") -%}
        {%- endif -%}
    {%- elif 'relations' in var('connectors') and not contract() | select('in', inputs) | list -%}
        {%- do stop(needs ~ ".") -%}
    {%- endif -%}
{% endmacro %}
