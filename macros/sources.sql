{#- The connectors: each is a folder of models, stg_<connector>__<entity>, under models/staging. -#}
{% macro known_connectors() %}
    {{ return(([] if is_installed() else ['sample']) + ['files', 'relations', 'hubspot', 'salesforce']) }}
{% endmacro %}


{#-
    Makes the sources of the `files` connector once per run: for each entity of the contract a view `raw_files.<entity>` of its file, with the
    contract's columns as they stand there, and `beyond_header`, which is null but for a line that cannot be split into the header's fields.
    What the file lacks is null, and an entity without a file has no rows. With a mapping.yml an entity may have several files, and a column is
    what the mapping makes of theirs. A view reads nothing: the file is streamed where it is used.
-#}
{% macro open_sources() %}
    {%- if not execute or flags.WHICH not in ['build', 'run', 'test'] or not is_asked_for() -%} {{ return('') }} {%- endif -%}
    {%- set files = check_sources() -%}
    {%- set made = ['create schema if not exists raw_files'] -%}
    {%- set uses, stamps = [], [] -%}
    {%- for entity in contract() if 'files' in var('connectors') -%}
        {%- set sources = files[entity] or [{'columns': {}, 'ignored': [], 'file': none}] -%}
        {%- do made.append(view_of_sources(entity, sources)) -%}
        {%- for source in sources -%}
            {%- if source.file -%} {%- do stamps.append([source.file, source.stamp]) -%} {%- endif -%}
            {%- for column in contract_columns(entity) -%}
                {%- do uses.append(('files', entity, source.file, column.name, 'used' if column.name in source.columns else 'missing')) -%}
            {%- endfor -%}
            {%- for name in source.ignored -%} {%- do uses.append(('files', entity, source.file, name, 'ignored')) -%} {%- endfor -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do made.extend(table_of_texts('raw_files.source_columns', ['connector', 'entity', 'source_file', 'column_name', 'column_use'], uses | unique)) -%}
    {%- do made.extend(table_of_texts('raw_files.source_stamps', ['source_file', 'stamp'], stamps)) %}
    {{ statements(made) }}
    {%- for tool in landed_tools() %} {{ open_landed(tool) }} {%- endfor -%}
{% endmacro %}


{% macro view_of_sources(entity, sources) %}
    {%- set view %}
    create or replace view raw_files.{{ entity }} as
        {%- for source in sources %}
    select
        {{ source_values(entity, source.columns) }},
        {{ source.beyond_header or 'cast(null as string)' }} as beyond_header
    {{ 'from ' ~ source.relation if source.relation else 'where false' }}
    {{ 'where ' ~ source.conditions | join(' and ') if source.conditions }}
    {{ 'union all' if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {{ return(view) }}
{% endmacro %}


{#- The statements that make a table of texts anew. -#}
{% macro table_of_texts(name, columns, rows) %}
    {%- set made = adapter.dispatch('new_table', 'icp_refinery')(name, columns | join(' string, ') ~ ' string') -%}
    {%- set values = [] -%}
    {%- for row in rows -%}
        {%- set texts = [] -%}
        {%- for text in row -%} {%- do texts.append(text_literal(text)) -%} {%- endfor -%}
        {%- do values.append('(' ~ texts | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- if values -%} {%- do made.append('insert into ' ~ name ~ ' values ' ~ values | join(', ')) -%} {%- endif -%}
    {{ return(made) }}
{% endmacro %}


{#-
    Stops the run where a file is not the one any more that the run began with: each is read more than once, and rows of two versions would be
    lost or doubled.
-#}
{% macro stop_where_a_file_changed() %}
    {%- if execute and 'files' in var('connectors') -%}
        {%- set changed = [] -%}
        {%- for file, stamp in run_query('select distinct source_file, stamp from raw_files.source_stamps order by 1').rows -%}
            {%- if adapter.dispatch('file_stamp', 'icp_refinery')(file) != stamp -%} {%- do changed.append(file) -%} {%- endif -%}
        {%- endfor -%}
        {%- if changed -%}
            {%- do stop('Changed or replaced while it was read: ' ~ changed | join(', ') ~ '. Build again when nobody writes to it.') -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- The contract's columns, each as the expression that `columns` has for it. -#}
{% macro source_values(entity, columns) %}
    {%- set values = [] -%}
    {%- for column in contract_columns(entity) -%}
        {%- do values.append((columns.get(column.name) or 'cast(null as string)') ~ ' as ' ~ column.name) -%}
    {%- endfor -%}
    {{ return(values | join(',\n        ')) }}
{% endmacro %}


{#- A text as a literal of SQL; none is null. -#}
{% macro text_literal(value) %}
    {%- if value is none -%} {{ return('null') }} {%- endif -%}
    {{ return(adapter.dispatch('text_literal', 'icp_refinery')(value)) }}
{% endmacro %}


{#- A path as a literal, for functions that would take it for a pattern. -#}
{% macro path_literal(path, pattern='') %}
    {%- set escaped = path | string | replace('[', '\x01') | replace('*', '[*]') | replace('?', '[?]') | replace('\x01', '[[]') -%}
    {{ return(text_literal(escaped ~ pattern)) }}
{% endmacro %}


{#- The name of a file or column as the contract writes it: case, surrounding blanks, and blank or `-` for `_` do not count. -#}
{% macro contract_name(name) %}
    {{ return(name | trim | lower | replace(' ', '_') | replace('-', '_')) }}
{% endmacro %}


{#-
    The files in the folder of the `files` connector: entity -> paths, the names of the others, and all: name -> path. A pipe can be read once, and
    may never end.
-#}
{% macro files_found() %}
    {{ return(adapter.dispatch('files_found', 'icp_refinery')()) }}
{% endmacro %}


{% macro duckdb__files_found() %}
    {%- set found = {'entities': {}, 'others': [], 'files': {}} -%}
    {%- for name in run_query('select unnest(special_files(' ~ text_literal(var('files_dir')) ~ '))').columns[0].values() if is_input_file(name) -%}
        {%- do stop("In the folder " ~ var('files_dir') ~ " " ~ name ~ " is not a regular file (a pipe or a device): copy its content into a file.") -%}
    {%- endfor -%}
    {%- for path in run_query('select file from glob(' ~ path_literal(var('files_dir'), '/*') ~ ') order by file').columns[0].values() -%}
        {%- set name = modules.re.split('[/\\\\]', path)[-1] -%}
        {%- set entity = contract_name(name.rpartition('.')[0]) -%}
        {%- do found.files.update({name: path}) -%}
        {%- if is_input_file(name) and entity in contract() -%}
            {%- do found.entities.setdefault(entity, []).append(path) -%}
        {%- else -%}
            {%- do found.others.append(name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{% macro is_input_file(name) %}
    {{ return(name.rpartition('.')[2] | lower in ['csv', 'parquet']) }}
{% endmacro %}


{#-
    How a file is read: {file, stamp: of its present content, relation, names: of its columns, places: how each of them is named in the relation,
    beyond_header}. A CSV is read as text, record by record, and nothing about it is guessed: a bad value or a line with too many or too few
    fields costs its row, not the file. To tell those lines, one column more than the header has is read, and a field that is not there (null)
    is told from an empty one. An empty field is no value. A folder's name is never data.
-#}
{% macro read_header(path) %}
    {%- set file = {'file': path, 'stamp': adapter.dispatch('file_stamp', 'icp_refinery')(path), 'places': []} -%}
    {%- if not path.lower().endswith('.csv') -%}
        {%- do file.update(relation=adapter.dispatch('parquet', 'icp_refinery')(path)) -%}
        {%- do file.update(names=run_query('describe select * from ' ~ file.relation).columns[0].values() | list) -%}
    {%- else -%}
        {%- do file.update(csv_header(path)) -%}
    {%- endif -%}
    {%- for name in file.names -%}
        {%- do file.places.append("nullif(field_" ~ loop.index ~ ", '')" if file.header else '"' ~ name | replace('"', '""') ~ '"') -%}
    {%- endfor -%}
    {{ return(file) }}
{% endmacro %}


{#- A file of the contract: also {columns: contract's name -> expression, ignored: names, twice: names}. -#}
{% macro source_file(entity, path) %}
    {{ return(match_columns(read_header(path), contract_columns(entity) | map(attribute='name') | list)) }}
{% endmacro %}


{#- Adds to {names, places} which of these columns are known: {columns: known name -> place, ignored: names, twice: known names}. -#}
{% macro match_columns(source, known) %}
    {%- do source.update(columns={}, ignored=[], twice=[]) -%}
    {%- for name in source.names -%}
        {%- if contract_name(name) not in known -%}
            {%- do source.ignored.append(name) -%}
        {%- elif contract_name(name) in source.columns -%}
            {%- do source.twice.append(contract_name(name)) -%}
        {%- else -%}
            {%- do source.columns.update({contract_name(name): source.places[loop.index0]}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(source) }}
{% endmacro %}


{#- The required columns that are not among these. -#}
{% macro missing_columns(entity, columns) %}
    {%- set missing = contract_columns(entity) | selectattr('required') | map(attribute='name') | reject('in', columns) | list -%}
    {%- if entity == 'order_lines' and 'order_id' not in columns and 'opportunity_id' not in columns -%}
        {%- do missing.append('order_id') -%}
    {%- endif -%}
    {{ return(missing) }}
{% endmacro %}


{#- What the first record of a CSV says: its names, the delimiter (`;`, tab or `|` where it has that and no comma), and how to read the file. -#}
{% macro csv_header(path) %}
    {%- set first_line = run_query('select * from ' ~ csv_relation(path, 1, '\x1f', "'' ", header=false) ~ ' limit 1').rows -%}
    {%- set line = (first_line[0][0] or '') if first_line else '' -%}
    {%- set delimiter = ([',', ';', '\t', '|'] | select('in', line) | list + [','])[0] -%}
    {%- set names = [] -%}
    {%- for record in run_query('select * from ' ~ csv_relation(path, line.count(delimiter) + 1, delimiter, header=false) ~ ' limit 1').rows -%}
        {%- for name in record.values() if name is not none -%}
            {%- do names.append(name | trim or 'column_' ~ loop.index) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set beyond = 'field_' ~ (names | length + 1) -%}
    {{ return({
        'names': names,
        'header': true,
        'delimiter': delimiter,
        'relation': csv_relation(path, names | length + 1, delimiter),
        'beyond_header': 'case when field_' ~ names | length ~ ' is null or ' ~ beyond ~ ' is not null then coalesce(' ~ beyond ~ ", '') end"
    }) }}
{% endmacro %}


{#- A CSV of so many fields, as text. -#}
{% macro csv_relation(path, fields, delimiter, quote="'\"'", options='', header=true) %}
    {%- set types = [] -%}
    {%- for number in range(1, fields + 1) -%} {%- do types.append("field_" ~ number ~ ": 'VARCHAR'") -%} {%- endfor -%}
    {{ return(
        'read_csv(' ~ path_literal(path) ~ ', auto_detect = false, header = ' ~ header ~ ', delim = ' ~ text_literal(delimiter)
        ~ ', quote = ' ~ quote ~ ', escape = ' ~ quote ~ ", comment = '', nullstr = '\x01', null_padding = true, strict_mode = false, new_line = '\\n',"
        ~ ' parallel = false, ignore_errors = true, hive_partitioning = false, max_line_size = 16000000,'
        ~ ' columns = {' ~ types | join(', ') ~ '}' ~ options ~ ')'
    ) }}
{% endmacro %}


{#-
    Reads each CSV once, in just the columns that the contract knows, for its malformed lines: those with too many or too few fields, as JSON,
    and those that are not UTF-8, which the reader drops and keeps in a table of its own, with their number. `fields` may name an order. A file
    that a mapping gives to several entities is read for each. What `icp convert` found of them lies beside its Parquet files.
-#}
{% macro read_malformed_lines() %}
    {{ adapter.dispatch('read_malformed_lines', 'icp_refinery')() }}
{% endmacro %}


{% macro duckdb__read_malformed_lines() %}
    create or replace temporary table malformed_lines (entity varchar, line_number bigint, line_text varchar, fields varchar[]);
    {%- set found = files_found() if execute and 'files' in var('connectors') else {'entities': {}, 'files': {}} -%}
    {%- set converted = (found.files or {}).get('malformed_lines.parquet') %}
    {{ 'insert into malformed_lines from ' ~ adapter.dispatch('parquet', 'icp_refinery')(converted) ~ ';' if converted }}
    {%- set files = mapped_sources(found, is_checked=false) or {} -%}
    {%- set mapped = files.values() | sum(start=[]) | map(attribute='file') | list -%}
    {%- for entity, paths in found.entities.items() -%}
        {%- for path in paths if path not in mapped -%} {%- do files.update({entity: [source_file(entity, path)]}) -%} {%- endfor -%}
    {%- endfor -%}
    {%- for entity, sources in files.items() -%}
        {%- set seen = [] -%}
        {%- for source in sources if source.header and source.file not in seen -%}
            {%- do seen.append(source.file) -%}
            {%- set columns = source.columns.copy() -%}
            {%- if columns.value == 'mapped_value' -%} {%- do columns.update(attribute=none, value=none) -%} {%- endif -%}
            {%- set orders = ['order_id', 'opportunity_id'] | select('in', columns) | list -%}
            {%- set options = ", store_rejects = true, rejects_table = 'malformed_" ~ entity ~ "', rejects_scan = 'malformed_scan_" ~ entity ~ "'" %}
    drop table if exists malformed_{{ entity }};
    drop table if exists malformed_scan_{{ entity }};
    insert into malformed_lines
    select
        '{{ entity }}',
        null,
        replace({{ raw_text('lines') }}, ',"beyond_header":""', ''),
        cast([{{ orders | join(', ') }}] as varchar[])
    from (
        select
            {{ source_values(entity, columns) }},
            {{ source.beyond_header }} as beyond_header
        from {{ csv_relation(source.file, source.names | length + 1, source.delimiter, options=options) }}
    ) as lines
    where beyond_header is not null;
    insert into malformed_lines
    select
        '{{ entity }}',
        -- Where lines end with a carriage return too, the reader counts both, and begins the next line with the second.
        case when starts_with(csv_line, chr(10)) then (line + 1) // 2 else line end,
        ltrim(csv_line, chr(10)),
        -- Without their quotes; a delimiter after a letter that is not UTF-8 may be shown as `?` too, and one between quotes is none.
        list_concat(
            string_split(replace(ltrim(csv_line, chr(10)), '"', ''), {{ text_literal(source.delimiter) }}),
            string_split(translate(csv_line, '"' || {{ text_literal(source.delimiter) }}, '??'), '?'),
            regexp_extract_all(csv_line, '"([^"]+)"', 1)
        )
    from (select line, max(csv_line) as csv_line from malformed_{{ entity }} group by line);
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}


{#-
    Stops the run before anything is built where the source cannot be read: one sentence that names the folder, the entity
    and the column. Answers how each file is read.
-#}
{% macro check_sources() %}
    {%- if var('connectors') is string or not var('connectors') -%}
        {%- do stop("The variable connectors is a list of one or more connectors, such as [files].") -%}
    {%- endif -%}
    {%- if is_installed() and 'sample' in var('connectors') -%}
        {%- do stop("Say what icp_refinery reads: vars: {icp_refinery: {connectors: [relations], icp_inputs: {...}}} in dbt_project.yml (docs/package.md)."
            ~ " Its demo company is built in its own folder only.") -%}
    {%- endif -%}
    {%- for connector in var('connectors') if connector not in known_connectors() -%}
        {%- do stop("There is no connector '" ~ connector ~ "': choose among " ~ known_connectors() | join(' and ') ~ ".") -%}
    {%- endfor -%}
    {%- do adapter.dispatch('check_connectors', 'icp_refinery')() -%}
    {%- do check_owners() -%}
    {%- do check_relations() -%}
    {{ return(check_files() if 'files' in var('connectors') else {}) }}
{% endmacro %}


{#- Both tools hold the same deals: somebody has to say whose count. -#}
{% macro check_owners() %}
    {%- if var('owner_of') is not mapping -%}
        {%- do stop("The variable owner_of says whose rows of an entity count, such as {opportunities: salesforce, orders: salesforce}.") -%}
    {%- endif -%}
    {%- for entity, owner in var('owner_of').items() -%}
        {%- if entity not in contract() or entity in ['opportunity_stages', 'order_lines'] -%}
            {%- do stop("The variable owner_of names " ~ entity ~ ", which is not an entity of its own in the input contract.") -%}
        {%- endif -%}
        {%- for connector in ([owner] if owner is string else owner) if connector not in var('connectors') -%}
            {%- do stop("The variable owner_of gives " ~ entity ~ " to " ~ connector ~ ", which is not among the connectors.") -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if landed_tools() | length == 2 and not ('opportunities' in var('owner_of') and 'orders' in var('owner_of')) -%}
        {%- do stop("HubSpot and Salesforce hold the same deals: say whose count, such as"
            ~ " owner_of: {opportunities: salesforce, orders: salesforce}, or [hubspot, salesforce] where no deal is in both.") -%}
    {%- endif -%}
{% endmacro %}


{#- Checks the folder; answers entity -> sources: each a file, or what mapping.yml makes of one. -#}
{% macro check_files() %}
    {%- set folder = var('files_dir') -%}
    {%- if not folder -%}
        {%- do stop("The `files` connector needs a folder: --vars '{connectors: [files], files_dir: path/to/folder}'.") -%}
    {%- endif -%}
    {%- set found = files_found() -%}
    {%- set files = mapped_sources(found) or {} -%}
    {%- set mapped = files.values() | sum(start=[]) | map(attribute='file') | list -%}
    {%- if not files and not found.entities and not found.others -%}
        {%- do stop("The folder " ~ folder ~ " does not exist or is empty: there is no file of the input contract (accounts.csv, orders.parquet, ...).") -%}
    {%- elif not files and not found.entities -%}
        {%- do stop("The folder " ~ folder ~ " has no file of the input contract (accounts.csv, orders.parquet, ...), only "
            ~ found.others | join(', ') ~ ": `icp init` writes a mapping.yml for the exports of a CRM.") -%}
    {%- endif -%}
    {%- for entity in contract() if entity in found.entities -%}
        {%- set own = found.entities[entity] | reject('in', mapped) | list -%}
        {%- if own | length > 1 or (own and entity in files) -%}
            {%- do stop("The folder " ~ folder ~ " has " ~ entity ~ " twice: keep one of "
                ~ (own + (files[entity] or []) | map(attribute='file') | list) | join(' and ') ~ ".") -%}
        {%- elif own -%}
            {%- do files.update({entity: [check_file(folder, entity, own[0])]}) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set gaps = [] -%}
    {%- set has_rows = {} -%}
    {%- for entity in contract() if entity in files -%}
        {%- for source in files[entity] -%}
            {%- set missing = missing_columns(entity, source.columns) -%}
            {%- if missing -%}
                {%- do gaps.append(entity ~ " lacks the required column" ~ ("s " if missing | length > 1 else " ") ~ missing | join(', ')
                    ~ (" (mapping.yml says nothing about " ~ ("them" if missing | length > 1 else "it") ~ " for "
                        ~ modules.re.split('[/\\\\]', source.file)[-1] ~ ")" if source.is_mapped
                        else " (it has " ~ (source.columns.keys() | list + source.ignored) | join(', ') ~ ")")) -%}
            {%- elif entity in ['accounts', 'orders', 'opportunities'] and not has_rows[entity] -%}
                {%- set rows = run_query('select count(*) from (select 1 from ' ~ source.relation ~ ' limit 1)').rows[0][0] -%}
                {%- do has_rows.update({entity: rows > 0}) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if gaps -%} {%- do stop("In the folder " ~ folder ~ " " ~ gaps | join('; ') ~ ".") -%} {%- endif -%}
    {%- set others = var('connectors') | reject('equalto', 'files') | list -%}
    {%- set given = files | list + var('icp_inputs') | list -%}
    {%- if others | reject('equalto', 'relations') | list -%}
        {#- Another connector has the accounts: the files may hold no more than rates or spend. -#}
    {%- elif 'accounts' not in given -%}
        {%- do stop("The folder " ~ folder ~ " lacks the required entity accounts (accounts.csv or accounts.parquet).") -%}
    {%- elif 'orders' not in given and 'opportunities' not in given -%}
        {%- do stop("The folder " ~ folder ~ " lacks orders and opportunities: one of the two is required.") -%}
    {%- elif not others and not has_rows.accounts -%}
        {%- do stop("In the folder " ~ folder ~ " accounts has a header but no rows.") -%}
    {%- elif not others and not has_rows.orders and not has_rows.opportunities -%}
        {%- do stop("In the folder " ~ folder ~ " neither orders nor opportunities has any rows: one of the two is required.") -%}
    {%- endif -%}
    {{ return(files) }}
{% endmacro %}


{#- Checks that one file can be read, and answers how. -#}
{% macro check_file(folder, entity, path) %}
    {%- set where = "In the folder " ~ folder ~ " " ~ entity -%}
    {%- do check_bytes(where, path) -%}
    {%- set source = source_file(entity, path) -%}
    {%- do check_text(where, source) -%}
    {%- if source.twice -%}
        {%- do stop(where ~ " has the column " ~ source.twice[0] ~ " twice (case, and blank or - for _, do not count).") -%}
    {%- endif -%}
    {{ return(source) }}
{% endmacro %}


{% macro check_bytes(where, path) %}
    {%- do adapter.dispatch('check_bytes', 'icp_refinery')(where, path) -%}
{% endmacro %}


{% macro duckdb__check_bytes(where, path) %}
    {%- if run_query('select size from read_blob(' ~ path_literal(path) ~ ')').rows[0][0] == 0 -%}
        {%- do stop(where ~ " is an empty file: it has not even a header.") -%}
    {%- endif -%}
{% endmacro %}


{% macro check_text(where, file) %}
    {%- if file.header and not (file.names and (file.names | join('')).isprintable()) -%}
        {%- do stop(where ~ " is not a CSV file in UTF-8.") -%}
    {%- endif -%}
    {%- if file.header -%} {%- do check_csv_quotes(where, file.file, file.delimiter) -%} {%- endif -%}
{% endmacro %}


{#-
    A stray quote makes a reader guess where values end, or swallow the rows behind it. Each quoted value is replaced by a mark: a mark that
    does not stand alone between delimiters, and a quote that is left over, are stray. The file is looked at as bytes, so that any encoding
    will do; a very large one is not looked at.
-#}
{% macro check_csv_quotes(where, path, delimiter) %}
    {%- set edge = "[^" ~ delimiter ~ "\\n\\r\\x02]" -%}
    {%- set stray = "([^\\n]{0,40})(" ~ edge ~ "\\x02|\\x02" ~ edge ~ "|\")" -%}
    {%- set query -%}
        with bytes as (
            select replace(cast(content as varchar), '\xEF\xBB\xBF', '') as text
            from read_blob({{ path_literal(path) }})
            where size < 256000000
        ),
        marked as (
            select
                chr(10) || regexp_replace(
                    replace(replace(replace(replace(text, '\x22', '"'), '\x0A', chr(10)), '\x0D', chr(13)), '\x09', chr(9)),
                    '"[^"]*"', chr(2), 'g'
                ) as text
            from bytes
            where contains(text, '\x22')
        )
        select regexp_extract(text, '{{ stray }}', 1)
        from marked
        where regexp_matches(text, '{{ stray }}')
    {%- endset -%}
    {%- for row in run_query(query).rows -%}
        {%- set place = row[0] | replace('\x02', '...') | trim -%}
        {%- do stop(where ~ " has a quote that is never closed, or that stands within a value, after: " ~ (place or 'the beginning of a line') ~ ".") -%}
    {%- endfor -%}
{% endmacro %}


{% macro stop(sentence) %}
    {%- do exceptions.raise_compiler_error(sentence) -%}
{% endmacro %}
