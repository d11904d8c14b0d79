{#- The connectors: each is a folder of models, stg_<connector>__<entity>, under models/staging. -#}
{% macro known_connectors() %}
    {{ return(['sample', 'files']) }}
{% endmacro %}


{#-
    Makes the sources of the `files` connector once per run: for each entity of the contract a view `raw_files.<entity>` of its file, with the
    contract's columns as they stand there, and `beyond_header`, which is null but for a line that cannot be split into the header's fields.
    What the file lacks is null, and an entity without a file has no rows. A view reads nothing: the file is streamed where it is used.
-#}
{% macro open_sources() %}
    {%- if not execute or flags.WHICH not in ['build', 'run', 'test'] -%} {{ return('') }} {%- endif -%}
    {%- do check_sources() -%}
    create schema if not exists raw_files;
    create or replace table raw_files.source_columns (
        connector varchar, entity varchar, source_file varchar, column_name varchar, column_use varchar
    );
    {%- for entity in contract() if 'files' in var('connectors') -%}
        {%- set names = contract_columns(entity) | map(attribute='name') | list -%}
        {%- set source = source_file(entity) or {'columns': [], 'file': none} -%}
    create or replace view raw_files.{{ entity }} as
    select
        {%- for name in names %}
        {% if name not in source.columns %}cast(null as varchar){% elif source.header %}nullif({{ name }}, ''){% else %}{{ name }}{% endif %} as {{ name }},
        {%- endfor %}
        {{ source.beyond_header or 'cast(null as varchar)' }} as beyond_header
    {{ 'from ' ~ source.relation if source.relation else 'where false' }};
        {%- for name in names + (source.columns | reject('in', names) | list) %}
    insert into raw_files.source_columns values (
        'files', '{{ entity }}', {{ text_literal(source.file) }}, {{ text_literal(name) }},
        '{{ 'missing' if name not in source.columns else 'used' if name in names else 'ignored' }}'
    );
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}


{#- A text as a literal of SQL; none is null. -#}
{% macro text_literal(value) %}
    {%- if value is none -%} {{ return('null') }} {%- endif -%}
    {{ return("'" ~ value | string | replace("'", "''") ~ "'") }}
{% endmacro %}


{#- A path as a literal, for functions that would take it for a pattern. -#}
{% macro path_literal(path) %}
    {%- set escaped = path | string | replace('[', '\x01') | replace('*', '[*]') | replace('?', '[?]') | replace('\x01', '[[]') -%}
    {{ return(text_literal(escaped)) }}
{% endmacro %}


{#- The files of the `files` connector that hold an entity: paths, as the warehouse lists them. -#}
{% macro source_paths(entity) %}
    {%- set paths = [] -%}
    {%- for form in ['csv', 'parquet'] -%}
        {%- set file = path_literal(var('files_dir') ~ '/' ~ entity ~ '.' ~ form) -%}
        {%- do paths.extend(run_query('select file from glob(' ~ file ~ ')').columns[0].values()) -%}
    {%- endfor -%}
    {{ return(paths) }}
{% endmacro %}


{#-
    One entity in the folder of the `files` connector, or none. A CSV is read as text, record by record, and nothing about it is guessed: a bad
    value or a line with too many or too few fields costs its row, not the file. To tell those lines, one column more than the header has
    is read, and a field that is not there (null) is told from an empty one.
-#}
{% macro source_file(entity) %}
    {%- set paths = source_paths(entity) -%}
    {%- if not paths -%} {{ return(none) }} {%- endif -%}
    {%- set path = paths[0] -%}
    {%- if path.endswith('.parquet') -%}
        {%- set relation = 'read_parquet(' ~ path_literal(path) ~ ')' -%}
        {%- set columns = run_query('describe select * from ' ~ relation).columns[0].values() -%}
        {{ return({'relation': relation, 'file': path, 'columns': columns}) }}
    {%- endif -%}
    {%- set header = csv_header(path) -%}
    {%- set last = '"' ~ header[-1] | replace('"', '""') ~ '"' -%}
    {{ return({
        'relation': csv_relation(path, header + ['beyond_header']),
        'file': path,
        'columns': header,
        'header': header,
        'beyond_header': "case when " ~ last ~ " is null or beyond_header is not null then coalesce(beyond_header, '') end"
    }) }}
{% endmacro %}


{% macro csv_relation(path, columns, options='', header=true) %}
    {%- set types = [] -%}
    {%- for name in columns -%} {%- do types.append(text_literal(name) ~ ": 'VARCHAR'") -%} {%- endfor -%}
    {{ return(
        'read_csv(' ~ path_literal(path) ~ ", auto_detect = false, header = " ~ header ~ ", delim = ',', quote = '\"', escape = '\"',"
        ~ " comment = '', nullstr = '\x01', null_padding = true, strict_mode = false, parallel = false, ignore_errors = true,"
        ~ ' max_line_size = 16000000, columns = {' ~ types | join(', ') ~ '}' ~ options ~ ')'
    ) }}
{% endmacro %}


{#-
    Reads each CSV once, in just the columns that the contract knows, for its malformed lines: those with too many or too few fields, as JSON,
    and those that are not UTF-8, which the reader drops and keeps in a table of its own, with their number.
-#}
{% macro read_malformed_lines() %}
    create or replace temporary table malformed_lines (entity varchar, line_number bigint, line_text varchar);
    {%- for entity in contract() if execute and 'files' in var('connectors') -%}
        {%- set source = source_file(entity) -%}
        {%- if source is not none and source.header -%}
            {%- set names = contract_columns(entity) | map(attribute='name') | list -%}
            {%- set rejects = ", store_rejects = true, rejects_table = 'malformed_" ~ entity ~ "', rejects_scan = 'malformed_scan_" ~ entity ~ "'" %}
    drop table if exists malformed_{{ entity }};
    drop table if exists malformed_scan_{{ entity }};
    insert into malformed_lines
    select
        '{{ entity }}',
        null,
        replace({{ raw_text('lines') }}, ',"beyond_header":""', '')
    from (
        select
            {%- for name in names %}
            {{ "nullif(" ~ name ~ ", '')" if name in source.columns else 'cast(null as varchar)' }} as {{ name }},
            {%- endfor %}
            {{ source.beyond_header }} as beyond_header
        from {{ csv_relation(source.file, source.header + ['beyond_header'], rejects) }}
    ) as lines
    where beyond_header is not null;
    insert into malformed_lines
    select
        '{{ entity }}',
        line,
        max(csv_line)
    from malformed_{{ entity }}
    group by line;
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{#- The names in the first record of a CSV. One without a name gets its position. -#}
{% macro csv_header(path) %}
    {%- set positions = [] -%}
    {%- for position in range(1, 501) -%} {%- do positions.append('column_' ~ position) -%} {%- endfor -%}
    {%- set header = [] -%}
    {%- for record in run_query('select * from ' ~ csv_relation(path, positions, header=false) ~ ' limit 1').rows -%}
        {%- for name in record.values() if name is not none -%}
            {%- do header.append(name | trim or 'column_' ~ loop.index) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(header) }}
{% endmacro %}


{#-
    Stops the run before anything is built where the source cannot be read: one sentence that names the folder, the entity
    and the column.
-#}
{% macro check_sources() %}
    {%- if not execute or flags.WHICH not in ['build', 'run', 'test'] -%} {{ return('') }} {%- endif -%}
    {%- if var('connectors') is string or not var('connectors') -%}
        {%- do stop("The variable connectors is a list of one or more connectors, such as [files].") -%}
    {%- endif -%}
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
    {%- if run_query('select size from read_blob(' ~ path_literal(path) ~ ')').rows[0][0] == 0 -%}
        {%- do stop(where ~ " is an empty file: it has not even a header.") -%}
    {%- endif -%}
    {%- if path.endswith('.csv') -%} {%- do check_csv(where, path) -%} {%- endif -%}
    {%- set source = source_file(entity) -%}
    {%- for column in contract_columns(entity) if column.required and column.name not in source.columns -%}
        {%- do stop(where ~ " lacks the required column " ~ column.name ~ " (it has " ~ source.columns | join(', ') ~ ").") -%}
    {%- endfor -%}
    {%- if source.header -%} {%- do check_csv_quotes(where, path) -%} {%- endif -%}
    {{ return(run_query('select count(*) from (select 1 from ' ~ source.relation ~ ' limit 1)').rows[0][0] > 0) }}
{% endmacro %}


{% macro check_csv(where, path) %}
    {%- set header = csv_header(path) -%}
    {%- for name in header if not name.isprintable() -%}
        {%- do stop(where ~ " is not a CSV file in UTF-8.") -%}
    {%- endfor -%}
    {%- for name in header if header.count(name) > 1 -%}
        {%- do stop(where ~ " has the column " ~ name ~ " twice.") -%}
    {%- endfor -%}
    {%- if not header -%} {%- do stop(where ~ " is not a CSV file in UTF-8.") -%} {%- endif -%}
{% endmacro %}


{#-
    A stray quote makes a reader guess where values end, or swallow the rows behind it. Each quoted value is replaced by a mark: a mark that
    does not stand alone between commas, and a quote that is left over, are stray. The file is looked at as bytes, so that any encoding
    will do; a very large one is not looked at.
-#}
{% macro check_csv_quotes(where, path) %}
    {%- set stray = "([^\\n]{0,40})([^,\\n\\r\\x02]\\x02|\\x02[^,\\n\\r\\x02]|\")" -%}
    {%- set query -%}
        with bytes as (
            select replace(cast(content as varchar), '\xEF\xBB\xBF', '') as text
            from read_blob({{ path_literal(path) }})
            where size < 256000000
        ),
        marked as (
            select
                chr(10) || regexp_replace(
                    replace(replace(replace(text, '\x22', '"'), '\x0A', chr(10)), '\x0D', chr(13)), '"[^"]*"', chr(2), 'g'
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
