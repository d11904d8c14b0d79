{#-
    Where an entity comes from. `source_of` answers, for one connector, the relation to read and the columns that it has
    ({name: warehouse type}), or none where the connector has no such entity.
-#}
{% macro source_of(connector, entity) %}
    {%- if connector == 'sample' -%}
        {%- set relation = ref(entity) -%}
        {%- if not execute -%} {{ return(none) }} {%- endif -%}
        {{ return({'relation': relation, 'file': relation | string, 'columns': columns_of('select * from ' ~ relation)}) }}
    {%- elif connector == 'files' and execute -%}
        {{ return(source_file(entity)) }}
    {%- endif -%}
    {{ return(none) }}
{% endmacro %}


{#- The sources of an entity, over all connectors that are switched on. -#}
{% macro sources_of(entity) %}
    {%- set sources = [] -%}
    {%- for connector in var('connectors') -%}
        {%- set source = source_of(connector, entity) -%}
        {%- if source is not none -%} {%- do sources.append(source) -%} {%- endif -%}
    {%- endfor -%}
    {{ return(sources) }}
{% endmacro %}


{% macro columns_of(query) %}
    {%- set columns = {} -%}
    {%- for row in run_query('describe ' ~ query).rows -%}
        {%- do columns.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}


{#- A text as a literal of SQL. -#}
{% macro text_literal(value) %}
    {{ return("'" ~ value | string | replace("'", "''") ~ "'") }}
{% endmacro %}


{#- The files of the `files` connector that hold an entity: paths, as the warehouse lists them. -#}
{% macro source_paths(entity) %}
    {%- set folder = var('files_dir') | string -%}
    {%- set listing -%}
        select file from glob({{ text_literal(folder ~ '/*') }})
        where regexp_extract(file, '[^/\\]*$') in ('{{ entity }}.csv', '{{ entity }}.parquet')
        order by file
    {%- endset -%}
    {{ return(run_query(listing).columns[0].values() | list) }}
{% endmacro %}


{#- One entity in the folder of the `files` connector. Every CSV value is read as text: a bad value costs its row, not the file. -#}
{% macro source_file(entity) %}
    {%- set paths = source_paths(entity) -%}
    {%- if paths | length == 0 -%} {{ return(none) }} {%- endif -%}
    {%- set path = paths[0] -%}
    {%- if path.endswith('.parquet') -%}
        {%- set relation = 'read_parquet(' ~ text_literal(path) ~ ')' -%}
        {%- set columns = columns_of('select * from ' ~ relation) -%}
    {%- else -%}
        {%- set dialect = "header = true, delim = ',', quote = '\"', escape = '\"', comment = '', skip = 0, nullstr = '', all_varchar = true" -%}
        {%- set columns = columns_of('select * from read_csv(' ~ text_literal(path) ~ ', ' ~ dialect ~ ', ignore_errors = true)') -%}
        {%- set types = [] -%}
        {%- for name in columns -%} {%- do types.append(text_literal(name) ~ ": 'VARCHAR'") -%} {%- endfor -%}
        {%- set relation -%}
            read_csv({{ text_literal(path) }}, {{ dialect }}, auto_detect = false, columns = { {{- types | join(', ') -}} }
        {%- endset -%}
        {%- set malformed = relation ~ ', store_rejects = true, rejects_table = ' ~ text_literal('malformed_' ~ entity)
            ~ ', rejects_scan = ' ~ text_literal('malformed_scan_' ~ entity) ~ ')' -%}
        {%- set relation = relation ~ ', ignore_errors = true)' -%}
    {%- endif -%}
    {{ return({'relation': relation, 'file': path, 'columns': columns, 'malformed': malformed}) }}
{% endmacro %}


{#-
    Stops the run before anything is built where the source cannot be read: one sentence that names the folder, the entity
    and the column.
-#}
{% macro check_sources() %}
    {%- if not execute or flags.WHICH not in ['build', 'run', 'test'] -%} {{ return('') }} {%- endif -%}
    {%- for connector in var('connectors') if connector not in ['sample', 'files'] -%}
        {%- do stop("There is no connector '" ~ connector ~ "': choose among sample and files.") -%}
    {%- endfor -%}
    {%- if 'files' in var('connectors') -%} {%- do check_files() -%} {%- endif -%}
    {{ return('') }}
{% endmacro %}


{% macro check_files() %}
    {%- set folder = var('files_dir') -%}
    {%- if not folder -%}
        {%- do stop("The `files` connector needs a folder: --vars '{connectors: [files], files_dir: path/to/folder}'.") -%}
    {%- endif -%}
    {%- set found = {} -%}
    {%- for entity in contract() -%}
        {%- set paths = source_paths(entity) -%}
        {%- if paths | length > 1 -%}
            {%- do stop("The folder " ~ folder ~ " has " ~ entity ~ " twice: keep either the CSV or the Parquet file.") -%}
        {%- endif -%}
        {%- if paths -%} {%- do found.update({entity: check_file(folder, entity)}) -%} {%- endif -%}
    {%- endfor -%}
    {%- if not found -%}
        {%- do stop("The folder " ~ folder ~ " does not exist or has no file of the input contract (accounts.csv, orders.parquet, ...).") -%}
    {%- endif -%}
    {%- if 'accounts' not in found -%}
        {%- do stop("The folder " ~ folder ~ " lacks the required entity accounts (accounts.csv or accounts.parquet).") -%}
    {%- endif -%}
    {%- if 'orders' not in found and 'opportunities' not in found -%}
        {%- do stop("The folder " ~ folder ~ " lacks orders and opportunities: one of the two is required.") -%}
    {%- endif -%}
    {%- if not found.accounts -%}
        {%- do stop("In the folder " ~ folder ~ " accounts has a header but no rows.") -%}
    {%- endif -%}
    {%- if not found.get('orders') and not found.get('opportunities') -%}
        {%- do stop("In the folder " ~ folder ~ " neither orders nor opportunities has any rows: one of the two is required.") -%}
    {%- endif -%}
{% endmacro %}


{#- Checks one file and answers whether it has rows. -#}
{% macro check_file(folder, entity) %}
    {%- set where = "In the folder " ~ folder ~ " " ~ entity -%}
    {%- set path = source_paths(entity)[0] -%}
    {%- if run_query('select size from read_blob(' ~ text_literal(path) ~ ')').rows[0][0] == 0 -%}
        {%- do stop(where ~ " is an empty file: it has not even a header.") -%}
    {%- endif -%}
    {%- set source = source_file(entity) -%}
    {%- for column in contract_columns(entity) if column.required and column.name not in source.columns -%}
        {%- do stop(where ~ " lacks the required column " ~ column.name ~ " (it has " ~ source.columns | join(', ') ~ ").") -%}
    {%- endfor -%}
    {{ return(run_query('select count(*) from (select 1 from ' ~ source.relation ~ ' limit 1)').rows[0][0] > 0) }}
{% endmacro %}


{% macro stop(sentence) %}
    {%- do exceptions.raise_compiler_error(sentence) -%}
{% endmacro %}
