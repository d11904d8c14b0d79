{#-
    Data that a loader (Fivetran, Airbyte, dlt) landed from a tool, in the database `landed` (ICP_LANDED). `landed_objects` says what of it is
    read; `open_landed` makes of each object one view `raw_<tool>.<object>` in which loaders differ no more than they must.
-#}
{% macro landed_tools() %}
    {{ return(['hubspot', 'salesforce'] | select('in', var('connectors')) | list) }}
{% endmacro %}


{#-
    The objects of a tool: object -> {
        tables: loader -> the table's name; a loader that does not land the object is left out,
        ids: columns that are read as text, `id` first where it tells one row from another,
        dates, times: columns that are read as dates and times, which a loader may land as text or as milliseconds,
        flags, numbers: columns that are read as booleans and numbers,
        columns: the others, as they stand; `!` after a name: required, as its table is,
        names: loader -> column -> the loader's own name (or several) where it is not a spelling of the tool's (`landed_name`),
        only: loader -> columns that nobody else lands, so that they are not missed; `none`: another column says the same, or few tools have it,
        newest_by: columns that tell the newest of several versions, before the time of loading,
        has_history: past versions are rows of their own, to be kept,
        unpivot: a prefix; each column that begins with it becomes a row: (id, name: the rest of the column's name, value)
    }.
-#}
{% macro landed_objects(tool) %}
    {{ return(hubspot_objects() if tool == 'hubspot' else salesforce_objects()) }}
{% endmacro %}


{#- The entities that a tool has: each is a model stg_<tool>__<entity>. -#}
{% macro landed_entities(tool) %}
    {{ return(contract() | reject('in', hubspot_lacks() if tool == 'hubspot' else salesforce_lacks()) | list) }}
{% endmacro %}


{#- The entities whose columns may come from properties of one's own: entity -> {object (or several), columns}. -#}
{% macro landed_fields(tool) %}
    {{ return(hubspot_own_fields() if tool == 'hubspot' else salesforce_own_fields()) }}
{% endmacro %}


{#- A column of the contract in a staging model: the user's own property where `<tool>_fields` names one, else `otherwise`. -#}
{% macro own_field(tool, column, otherwise='cast(null as varchar)', relation=none) -%}
    {%- set property = var(tool ~ '_fields').get(column) -%}
    {{ (relation ~ '.' if relation else '') ~ quoted(property) if property else otherwise }}
{%- endmacro %}


{% macro quoted(name) %}
    {{ return('"' ~ name | string | replace('"', '""') ~ '"') }}
{% endmacro %}


{#-
    Makes the views `raw_<tool>.<object>` once per run: the columns of `landed_objects` under the tool's own names, with ids as text and null for
    what the table lacks, then `is_deleted` and `loaded_at`; of several versions of a row the newest. An object without a table has no rows.
    `raw_<tool>.found` says per object which table that is, and its rows. Columns go into `raw_files.source_columns` as those of files do.
-#}
{% macro open_landed(tool) %}
    {%- set tables = check_landed(tool) -%}
    {%- set loader = var(tool ~ '_loader') %}
    create schema if not exists raw_{{ tool }};
    create or replace table raw_{{ tool }}.found (
        object varchar, table_name varchar, is_landed boolean, row_count bigint, newest_load_at timestamp
    );
    create or replace table raw_{{ tool }}.loaded_by as select '{{ loader }}' as loader;
    {%- for object, spec in landed_objects(tool).items() -%}
        {%- set name = spec.tables.get(loader) -%}
        {%- set table = tables.get(spelling(name)) if name else none -%}
        {{ (unpivot_landed if spec.unpivot else open_landed_object)(tool, object, spec, table) }}
    {%- endfor -%}
{% endmacro %}


{% macro open_landed_object(tool, object, spec, table) %}
    {%- set columns = landed_columns(tool, object, spec, table) -%}
    {%- set counted = landed_count(tool, spec, table, columns) -%}
    {%- set name = table.shown if table else spec.tables.get(var(tool ~ '_loader')) %}
    create or replace view raw_{{ tool }}."{{ object }}" as
    select
        {%- for column in columns %}
        {{ column.value }} as {{ quoted(column.name) }},
        {%- endfor %}
        {{ landed_flag(table, ['is_deleted', '_fivetran_deleted']) }} as is_deleted,
        {{ landed_load_time(table) }} as loaded_at
    {%- if table %}
    from {{ table.relation }}
        {%- if table.columns._fivetran_active and not spec.has_history %}
    where coalesce(_fivetran_active, true)
        {%- endif %}
        {%- if counted.has_versions %}
    qualify row_number() over (partition by {{ columns[0].value }} order by {{ landed_newest_first(spec, table) }}) = 1
        {%- endif %}
    {%- else %}
    where false
    {%- endif %};
    insert into raw_{{ tool }}.found values (
        '{{ object }}', {{ text_literal(name) }}, {{ table is not none }}, {{ counted.rows }},
        {{ "cast('" ~ counted.newest ~ "' as timestamp)" if counted.newest else 'null' }}
    );
    {%- if table %}
    insert into raw_files.source_columns values
        {%- for column in columns if column.found or landed_is_missed(tool, spec, column.name) %}
        (
            '{{ tool }}', '{{ object }}', {{ text_literal(name) }}, {{ text_literal(column.name) }},
            '{{ 'used' if column.found else 'missing' }}'
        ){{ ',' if not loop.last }}
        {%- endfor %};
    {%- endif -%}
{% endmacro %}


{#- Whether a column that is not there is missed: its loader could land it, and nothing else says the same. -#}
{% macro landed_is_missed(tool, spec, name) %}
    {%- set others = [] -%}
    {%- for loader, names in (spec.only or {}).items() if name in names and loader != var(tool ~ '_loader') -%} {%- do others.append(loader) -%} {%- endfor -%}
    {{ return(not others) }}
{% endmacro %}


{#- The view of an object that is made of columns. -#}
{% macro unpivot_landed(tool, object, spec, table) %}
    {%- set prefix = landed_name(tool, spec.unpivot) -%}
    {%- set values = {} -%}
    {%- for column in (table.columns if table else {}).values() if column.name.lower().startswith(prefix) -%}
        {%- do values.update({column.name: column.name[prefix | length:]}) -%}
    {%- endfor %}
    create or replace view raw_{{ tool }}."{{ object }}" as
    {%- if values %}
    select
        cast(id as varchar) as id,
        name,
        value,
        loaded_at
    from (
        unpivot (
            select
                {{ landed_columns(tool, object, spec, table)[0].value }} as id,
                {{ landed_load_time(table) }} as loaded_at,
                {%- for name, rest in values.items() %}
                cast({{ quoted(name) }} as varchar) as {{ quoted(rest) }},
                {%- endfor %}
            from {{ table.relation }}
        ) on {% for rest in values.values() %}{{ quoted(rest) }}{{ ', ' if not loop.last }}{% endfor %} into name name value value
    );
    {%- else %}
    select
        cast(null as varchar) as id,
        cast(null as varchar) as name,
        cast(null as varchar) as value,
        cast(null as timestamp) as loaded_at
    where false;
    {%- endif -%}
{% endmacro %}


{#- A name without its case and underscores, which loaders set as they please: `AccountId`, `account_id` and `accountid` are one. -#}
{% macro spelling(name) %}
    {{ return(name | string | lower | replace('_', '')) }}
{% endmacro %}


{#- How a loader spells a property of a tool: its prefix, if it has one. -#}
{% macro landed_name(tool, name) %}
    {%- set prefix = {'fivetran': 'property_', 'airbyte': 'properties_'}.get(var(tool ~ '_loader'), '') if tool == 'hubspot' else '' -%}
    {{ return(prefix ~ name) }}
{% endmacro %}


{#- The tables of a schema of `landed`: spelling of the name -> {relation, shown, columns: spelling -> {name, type}}; an exact name comes first. -#}
{% macro landed_tables(schema) %}
    {%- set query -%}
        select schema_name, table_name, column_name, data_type
        from duckdb_columns()
        where database_name = 'landed' and lower(schema_name) = lower({{ text_literal(schema) }})
        order by table_name, column_index
    {%- endset -%}
    {%- set tables = {} -%}
    {%- for schema_name, table_name, column_name, data_type in run_query(query).rows -%}
        {%- set table = tables.setdefault(spelling(table_name), {
            'relation': 'landed.' ~ quoted(schema_name) ~ '.' ~ quoted(table_name),
            'shown': schema_name ~ '.' ~ table_name,
            'columns': {}
        }) -%}
        {%- do table.columns.setdefault(spelling(column_name), {'name': column_name, 'type': data_type}) -%}
        {%- do table.columns.update({column_name | lower: {'name': column_name, 'type': data_type}}) -%}
    {%- endfor -%}
    {{ return(tables) }}
{% endmacro %}


{#- The columns of an object: {name, value: SQL, found, required}, those of `<tool>_fields` and of account attributes among them. -#}
{% macro landed_columns(tool, object, spec, table) %}
    {%- set loader = var(tool ~ '_loader') -%}
    {%- set ids = spec.ids | default([]) + landed_own(tool, object, ['id']) -%}
    {%- set kinds = {} -%}
    {%- for name in ids -%} {%- do kinds.update({name: 'id'}) -%} {%- endfor -%}
    {%- for list, kind in {'dates': 'date', 'times': 'time', 'flags': 'flag', 'numbers': 'number'}.items() -%}
        {%- for name in spec[list] or [] -%} {%- do kinds.update({name: kind}) -%} {%- endfor -%}
    {%- endfor -%}
    {%- for name in landed_own(tool, object, ['date', 'timestamp']) -%} {%- do kinds.setdefault(name, 'own_time') -%} {%- endfor -%}
    {%- set columns = [] -%}
    {%- set named = [] -%}
    {%- for declared in kinds.keys() | list + spec.columns | default([]) + landed_own(tool, object) if declared.rstrip('!') | lower not in named -%}
        {%- set name = declared.rstrip('!') -%}
        {%- do named.append(name | lower) -%}
        {%- set alias = (spec.names or {}).get(loader, {}).get(name, []) -%}
        {%- set found = namespace(column=none) -%}
        {%- for candidate in ([alias] if alias is string else alias) + [landed_name(tool, name), name] if table and not found.column -%}
            {%- set found.column = table.columns.get(candidate | lower) or table.columns.get(spelling(candidate)) -%}
        {%- endfor -%}
        {%- set value = landed_value(found.column, table, kinds.get(declared)) -%}
        {%- do columns.append({'name': name, 'value': value, 'found': found.column is not none, 'required': '!' in declared}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}


{#- The properties of one's own that an object is asked for: those of ids only, or those of all columns and account attributes. -#}
{% macro landed_own(tool, object, types=none) %}
    {%- set own = [] -%}
    {%- for entity, fields in landed_fields(tool).items() if object == fields.object or object in fields.object -%}
        {%- for column in contract_columns(entity) if column.name in fields.columns and (types is none or column.type in types) -%}
            {%- set property = var(tool ~ '_fields').get(entity ~ '.' ~ column.name) -%}
            {%- if property -%} {%- do own.append(property) -%} {%- endif -%}
        {%- endfor -%}
        {%- if entity == 'accounts' and types is none -%} {%- do own.extend(var(tool ~ '_account_attributes')) -%} {%- endif -%}
    {%- endfor -%}
    {{ return(own) }}
{% endmacro %}


{#-
    A column as it stands, an id as text without a fraction, a date from whatever it was landed as. dlt puts values of another type into a second
    column, <name>__v_<type>.
-#}
{% macro landed_value(column, table, kind=none) %}
    {%- if column is none -%} {{ return('cast(null as ' ~ landed_type(kind) ~ ')') }} {%- endif -%}
    {%- set values = [] -%}
    {%- for found in table.columns.values() if found.name == column.name or found.name.lower().startswith(column.name.lower() ~ '__v_') -%}
        {%- set value = landed_typed(quoted(found.name), found.type, kind) -%}
        {%- if value not in values -%} {%- do values.append(value) -%} {%- endif -%}
    {%- endfor -%}
    {%- if values | length == 1 -%} {{ return(values[0]) }} {%- endif -%}
    {%- set texts = [] -%}
    {%- for value in values -%} {%- do texts.append(value if kind in ['date', 'time', 'flag', 'number'] else 'cast(' ~ value ~ ' as varchar)') -%} {%- endfor -%}
    {{ return('coalesce(' ~ texts | join(', ') ~ ')') }}
{% endmacro %}


{#- A value of a type in the warehouse as an id, a date, a time, a boolean or a number. Of one's own date only milliseconds are turned into a time. -#}
{% macro landed_typed(value, type, kind) %}
    {%- set is_whole = type in ['BIGINT', 'HUGEINT', 'INTEGER'] -%}
    {%- if kind == 'id' -%}
        {%- set whole = 'cast(' ~ value ~ ' as bigint)' if modules.re.match('DOUBLE|FLOAT|DECIMAL', type) else value -%}
        {{ return('nullif(cast(' ~ whole ~ " as varchar), '')") }}
    {%- elif kind in ['date', 'time', 'own_time'] and is_whole -%}
        {{ return('cast(epoch_ms(' ~ value ~ ') as ' ~ landed_type('date' if kind == 'date' else 'time') ~ ')') }}
    {%- elif kind in ['date', 'time'] and type == 'VARCHAR' -%}
        {%- set milliseconds = 'try(epoch_ms(try_cast(' ~ value ~ ' as bigint)))' -%}
        {{ return('cast(coalesce(' ~ read_timestamp(value) ~ ', ' ~ milliseconds ~ ') as ' ~ landed_type(kind) ~ ')') }}
    {%- elif kind in ['date', 'time', 'flag'] or (kind == 'number' and type == 'VARCHAR') -%}
        {{ return('try_cast(' ~ value ~ ' as ' ~ landed_type(kind) ~ ')') }}
    {%- endif -%}
    {{ return(value) }}
{% endmacro %}


{% macro landed_type(kind) %}
    {{ return({'date': 'date', 'time': 'timestamp', 'flag': 'boolean', 'number': 'double'}.get(kind, 'varchar')) }}
{% endmacro %}


{#- Whether any of these columns is true. -#}
{% macro landed_flag(table, names) %}
    {%- set flags = [] -%}
    {%- for name in names if table and (table.columns.get(name) or table.columns.get(spelling(name))) -%}
        {%- set column = table.columns.get(name) or table.columns.get(spelling(name)) -%}
        {%- do flags.append('coalesce(try_cast(' ~ quoted(column.name) ~ ' as boolean), false)') -%}
    {%- endfor -%}
    {{ return(flags | join(' or ') or 'false') }}
{% endmacro %}


{#- When a row was loaded (UTC). The id of a dlt load is the second in which it began. -#}
{% macro landed_load_time(table) %}
    {%- set columns = table.columns if table else {} -%}
    {%- if columns._fivetran_synced -%} {{ return('cast(_fivetran_synced as timestamp)') }} {%- endif -%}
    {%- if columns._airbyte_extracted_at -%} {{ return('cast(_airbyte_extracted_at as timestamp)') }} {%- endif -%}
    {%- if columns._dlt_load_id -%} {{ return('cast(to_timestamp(try_cast(_dlt_load_id as double)) as timestamp)') }} {%- endif -%}
    {{ return('cast(null as timestamp)') }}
{% endmacro %}


{% macro landed_newest_first(spec, table) %}
    {%- set order = [] -%}
    {%- for name in spec.newest_by | default([]) if table.columns.get(spelling(name)) -%}
        {%- do order.append(quoted(table.columns.get(spelling(name)).name) ~ ' desc nulls last') -%}
    {%- endfor -%}
    {{ return((order + [landed_load_time(table) ~ ' desc nulls last']) | join(', ')) }}
{% endmacro %}


{#- What a table holds: rows, rows with an id, whether a row has several versions, and the newest load. -#}
{% macro landed_count(tool, spec, table, columns) %}
    {%- if not table -%} {{ return({'rows': 0, 'has_versions': false, 'newest': none}) }} {%- endif -%}
    {%- set has_key = spec.ids and spec.ids[0].rstrip('!') == 'id' and columns[0].found -%}
    {%- set may_repeat = has_key and var(tool ~ '_loader') != 'fivetran' -%}
    {%- set query -%}
        select
            count(*) as row_count,
            count({{ columns[0].value if has_key else '*' }}) as id_count,
            {{ 'count(distinct ' ~ columns[0].value ~ ')' if may_repeat else 'null' }} as distinct_count,
            max({{ landed_load_time(table) }}) as newest_load_at
        from {{ table.relation }}
    {%- endset -%}
    {%- set rows, ids, distinct, newest = run_query(query).rows[0] -%}
    {%- if has_key and rows and not ids -%}
        {%- do stop("Every `id` in " ~ table.shown ~ " is NULL: a known fault of Airbyte's destination MotherDuck up to 0.2.0;"
            ~ " update the destination and refresh the stream.") -%}
    {%- endif -%}
    {{ return({'rows': rows, 'has_versions': may_repeat and distinct < ids, 'newest': newest}) }}
{% endmacro %}


{#- Stops the run where landed data cannot be read: one sentence. Answers the tables of the tool's schema. -#}
{% macro check_landed(tool) %}
    {%- set loader = var(tool ~ '_loader') -%}
    {%- set schema = var(tool ~ '_schema') -%}
    {%- set marks = {'fivetran': '_fivetran_synced', 'airbyte': '_airbyte_extracted_at', 'dlt': '_dlt_load_id'} -%}
    {%- if loader not in marks -%}
        {%- do stop("The variable " ~ tool ~ "_loader is one of " ~ marks | join(', ') ~ ", not " ~ loader ~ ".") -%}
    {%- endif -%}
    {%- if not env_var('ICP_LANDED', '') -%}
        {%- do stop("The connector " ~ tool ~ " reads landed data: set ICP_LANDED to the DuckDB file (or postgres:..., ducklake:...) that holds them.") -%}
    {%- endif -%}
    {%- if run_query("select 1 from duckdb_tables() where database_name = 'landed' and table_name = 'problem' and schema_name = 'main'").rows -%}
        {%- do stop(run_query('select sentence from landed.problem').rows[0][0]) -%}
    {%- endif -%}
    {%- set tables = landed_tables(schema) -%}
    {%- if not tables -%}
        {%- set query -%}
            select distinct schema_name from duckdb_columns() where database_name = 'landed' order by schema_name
        {%- endset -%}
        {%- set others = run_query(query).columns[0].values() -%}
        {%- do stop("ICP_LANDED has no tables in the schema " ~ schema ~ " (the variable " ~ tool ~ "_schema)"
            ~ ("; it has the schemas " ~ others | join(', ') ~ "." if others else ": it is empty.")) -%}
    {%- endif -%}
    {%- do check_landed_by_loader(tool, tables, marks) -%}
    {%- do check_own_fields(tool) -%}
    {%- do check_landed_required(tool, tables) -%}
    {%- if loader != 'dlt' -%} {%- do check_own_found(tool, tables) -%} {%- endif -%}
    {{ return(tables) }}
{% endmacro %}


{#- Another loader's marks on the tables, and none of the loader that is set. -#}
{% macro check_landed_by_loader(tool, tables, marks) %}
    {%- set loader = var(tool ~ '_loader') -%}
    {%- set marked = [] -%}
    {%- for other, mark in marks.items() -%}
        {%- if tables.values() | selectattr('columns.' ~ mark) | list -%} {%- do marked.append(other) -%} {%- endif -%}
    {%- endfor -%}
    {%- if marked and loader not in marked -%}
        {%- do stop("The schema " ~ var(tool ~ '_schema') ~ " was landed by " ~ marked[0] ~ " (its tables have " ~ marks[marked[0]]
            ~ "), not by " ~ loader ~ ": set " ~ tool ~ "_loader: " ~ marked[0] ~ ".") -%}
    {%- endif -%}
{% endmacro %}


{#- Settings that name columns which the contract or the connector does not know. -#}
{% macro check_own_fields(tool) %}
    {%- set known = [] -%}
    {%- for entity, fields in landed_fields(tool).items() -%}
        {%- for column in fields.columns -%} {%- do known.append(entity ~ '.' ~ column) -%} {%- endfor -%}
    {%- endfor -%}
    {%- if var(tool ~ '_fields') is not mapping -%}
        {%- do stop("The variable " ~ tool ~ "_fields maps columns to properties, such as {" ~ known[0] ~ ": my_property}.") -%}
    {%- endif -%}
    {%- for name in var(tool ~ '_fields') if name not in known -%}
        {%- do stop("The variable " ~ tool ~ "_fields names " ~ name ~ ", which no property can stand for; docs/connectors.md lists those that can.") -%}
    {%- endfor -%}
    {%- if var(tool ~ '_account_attributes') is string or var(tool ~ '_account_attributes') is not iterable -%}
        {%- do stop("The variable " ~ tool ~ "_account_attributes is a list of names, not " ~ var(tool ~ '_account_attributes') ~ ".") -%}
    {%- endif -%}
{% endmacro %}


{#- Properties that settings name and no table has. dlt makes no column of one that has no value anywhere. -#}
{% macro check_own_found(tool, tables) %}
    {%- set wanted = [] -%}
    {%- for column, property in var(tool ~ '_fields').items() -%}
        {%- do wanted.append((tool ~ '_fields', column.split('.')[0], property)) -%}
    {%- endfor -%}
    {%- for property in var(tool ~ '_account_attributes') -%}
        {%- do wanted.append((tool ~ '_account_attributes', 'accounts', property)) -%}
    {%- endfor -%}
    {%- for variable, entity, property in wanted -%}
        {%- set object = landed_fields(tool)[entity].object -%}
        {%- set places = [] -%}
        {%- set having = [] -%}
        {%- for one in ([object] if object is string else object) -%}
            {%- set table = tables.get(spelling(landed_objects(tool)[one].tables.get(var(tool ~ '_loader')))) -%}
            {%- if table -%} {%- do places.append(table.shown) -%} {%- endif -%}
            {%- for name in [landed_name(tool, property), property] if table and (name | lower in table.columns or spelling(name) in table.columns) -%}
                {%- do having.append(name) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- if places and not having -%}
            {%- do stop("The variable " ~ variable ~ " names " ~ property ~ ", which is not a column of " ~ places | join(' or ') ~ ".") -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#- Tables and columns without which nothing can be built. -#}
{% macro check_landed_required(tool, tables) %}
    {%- set loader = var(tool ~ '_loader') -%}
    {%- set schema = var(tool ~ '_schema') -%}
    {%- for object, spec in landed_objects(tool).items() -%}
        {%- set name = spec.tables.get(loader) -%}
        {%- if name and landed_is_required(spec) and not tables.get(spelling(name)) -%}
            {%- for other in ['hubspot', 'salesforce'] if other != tool and landed_looks_like(other, tables) -%}
                {%- do stop("The schema " ~ schema ~ " looks like " ~ other ~ ", not like " ~ tool ~ ": see the variables "
                    ~ tool ~ "_schema and " ~ other ~ "_schema.") -%}
            {%- endfor -%}
            {%- do stop("The schema " ~ schema ~ " lacks the table " ~ name ~ ": " ~ {
                'fivetran': "select it in the connector's Schema tab and sync again.",
                'airbyte': "switch its stream on in the connection and sync again.",
                'dlt': "load the source's resource for it."
            }[loader]) -%}
        {%- endif -%}
        {%- for column in landed_columns(tool, object, spec, tables.get(spelling(name))) if name and column.required and not column.found -%}
            {%- do stop("The table " ~ schema ~ "." ~ name ~ " lacks the column of " ~ column.name ~ ": " ~ {
                'fivetran': "select it in the connector's Schema tab and re-sync the table.",
                'airbyte': "select the field in the stream's schema and refresh the stream.",
                'dlt': "add it to the source's `properties` argument and load again." if tool == 'hubspot'
                    else "let the connection's user see the field, and load again."
            }[loader]) -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}


{% macro landed_is_required(spec) %}
    {%- set named = [] -%}
    {%- for list in ['ids', 'dates', 'times', 'flags', 'numbers', 'columns'] -%} {%- do named.extend(spec[list] or []) -%} {%- endfor -%}
    {{ return('!' in named | join) }}
{% endmacro %}


{#- Whether a schema has the records that a tool cannot do without, whoever landed them. -#}
{% macro landed_looks_like(tool, tables) %}
    {%- set lacking = [] -%}
    {%- for object, spec in landed_objects(tool).items() if 'id!' in spec.ids -%}
        {%- set found = [] -%}
        {%- for name in spec.tables.values() if tables.get(spelling(name)) -%} {%- do found.append(name) -%} {%- endfor -%}
        {%- if not found -%} {%- do lacking.append(object) -%} {%- endif -%}
    {%- endfor -%}
    {{ return(not lacking) }}
{% endmacro %}
