{#- What Spark writes its own way; the same macros for DuckDB are in duckdb.sql. What each means is said where it is asked for. -#}

{# Texts and values #}

{#- Backslashes escape in a literal. -#}
{% macro spark__text_literal(value) %}
    {{ return("'" ~ value | string | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") }}
{% endmacro %}


{#- `trim` knows the space only. -#}
{% macro spark__trimmed(text) -%}
    {%- set blanks = ' \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000' -%}
    trim(both '{{ blanks }}' from {{ text }})
{%- endmacro %}


{#- A sigma at a word's end would be another one, and İ two letters. -#}
{% macro spark__lower_case(text) -%}
    lower(translate({{ text }}, 'Σİ', 'σi'))
{%- endmacro %}


{#- `\z` is the end; `$` would also be the place before a last line break. -#}
{% macro spark__matches(text, pattern) -%}
    {{ text }} rlike '^(?:{{ pattern }})\\z'
{%- endmacro %}


{#- `\` escapes unless one says otherwise, and cannot be said: the lexer takes '\' for an unfinished text. -#}
{% macro spark__is_like(text, pattern) -%}
    {{ text }} like {{ pattern }}
{%- endmacro %}


{% macro spark__joined_text(value, separator) -%}
    nullif(array_join(sort_array(collect_list({{ value }})), '{{ separator }}'), '')
{%- endmacro %}


{% macro spark__type_of(column) -%}
    upper(typeof({{ column }}))
{%- endmacro %}


{#- By way of its text: some types cannot be cast into each other, even in a branch that is never taken. -#}
{% macro spark__stored_as(column, type) -%}
    try_cast(cast({{ column }} as string) as {{ type }})
{%- endmacro %}


{#- A cast of text reads digits of any script. -#}
{% macro spark__text_as_number(text, type) -%}
    case
        when {{ text }} rlike '^\\s*[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?\\s*\\z' then try_cast({{ text }} as {{ type }})
    end
{%- endmacro %}


{#-
    A cast of text reads 2024 and 2024-01 as days, 24:00 not at all and offsets up to 18 hours only: the form is looked at first, and what is not
    of the two usual forms is put together from its parts. Said once each, as a Derby metastore holds no view longer than 32,700 characters.
-#}
{% macro spark__text_as_timestamp(text) -%}
    {%- set time, offset = '([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?', '(?: ?(Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?))?' -%}
    {%- set basic_time = time | replace('(?::', '(?:') | replace('):(', ')(') -%}
    {%- set forms = '^(?:([0-9]{4,5})-([0-9]{2})-([0-9]{2})(?:[T ]' ~ time ~ offset ~ ')?'
        ~ '|([0-9]{4})([0-9]{2})([0-9]{2})(?:T' ~ basic_time ~ offset ~ ')?)' -%}
    {%- set parts = [] -%}
    {%- for number in range(1, 9) -%} {%- do parts.append('$' ~ number ~ '$' ~ (number + 8)) -%} {%- endfor -%}
    {%- set hour, minute, second = 'coalesce(try_cast(p[3] as int), 0)', 'coalesce(try_cast(p[4] as int), 0)', 'coalesce(try_cast(p[5] as int), 0)' -%}
    {%- set seconds = 'cast(concat(' ~ second ~ ", '.', rpad(left(p[6], 6), 6, '0')) as decimal(18, 6))" -%}
    case
        when {{ text }} rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}\\z' then cast(try_cast({{ text }} as date) as timestamp)
        when {{ text }} rlike '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?\\z'
            then try_cast({{ text }} as timestamp)
        when {{ text }} rlike '{{ forms }}\\z'
            then element_at(transform(array(split(regexp_replace({{ text }}, '{{ forms }}\\z', '{{ parts | join("|") }}'), '[|]')), p -> case
                when {{ hour }} < 24 and {{ minute }} < 60 and {{ second }} < 60 or {{ hour }} = 24 and {{ minute }} = 0 and {{ seconds }} = 0
                    then cast(try_cast(concat(p[0], '-', p[1], '-', p[2]) as date) as timestamp)
                        + make_dt_interval(0, {{ hour }}, {{ minute }}, {{ seconds }})
                        - if(left(p[7], 1) = '-', -1, 1) * make_dt_interval(
                            0, coalesce(try_cast(substr(p[7], 2, 2) as int), 0), coalesce(try_cast(right(p[7], 2) as int) * if(length(p[7]) > 3, 1, 0), 0)
                        )
            end), 1)
    end
{%- endmacro %}


{# Dates and money #}

{% macro spark__complete_months(from_day, to_day) -%}
    {%- set months = months_between(from_day, to_day) -%}
    ({{ months }} - case when add_months({{ from_day }}, {{ months }}) > {{ to_day }} then 1 else 0 end)
{%- endmacro %}


{% macro spark__add_months(day, months) -%}
    add_months(cast({{ day }} as date), cast({{ months }} as integer))
{%- endmacro %}


{% macro spark__days_between(from_time, to_time) -%}
    datediff(cast({{ to_time }} as date), cast({{ from_time }} as date))
{%- endmacro %}


{#- A product of more than 38 digits would lose decimals, and be rounded twice. -#}
{% macro spark__times_rate(amount, rate) -%}
    cast({{ amount }} as decimal(18, 4)) * cast({{ rate }} as decimal(18, 10))
{%- endmacro %}


{# Rows, structs and lists #}

{% macro spark__whole_row() -%}
    struct(*)
{%- endmacro %}


{% macro spark__struct_of(fields) -%}
    named_struct({% for name, value in fields %}'{{ name }}', {{ value }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}


{% macro spark__list_of(values) -%}
    array(
        {%- for value in values %}
        {{ value }}{{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}


{% macro spark__each_of(list) -%}
    explode({{ list }})
{%- endmacro %}


{% macro spark__nth_least(value, n) -%}
    try_element_at(sort_array(collect_list({{ value }})), {{ n }})
{%- endmacro %}


{% macro spark__row_hash(value) -%}
    xxhash64({{ value }})
{%- endmacro %}


{#- The last eight bytes of the MD5, the last one first. -#}
{% macro spark__hash_number(text) -%}
    conv(regexp_replace(right(md5({{ text }}), 16), '(..)(..)(..)(..)(..)(..)(..)(..)', '$8$7$6$5$4$3$2$1'), 16, 10)
{%- endmacro %}


{% macro spark__numbers(count) -%}
    select explode(sequence(1, {{ count }})) as generated_number
{%- endmacro %}


{% macro spark__stop_with(sentence) -%}
    case when {{ sentence }} is not null then cast(raise_error({{ sentence }}) as string) end
{%- endmacro %}


{# JSON #}

{#- A time and a decimal have the digits that they need: `¦` marks those of a time. -#}
{% macro spark__raw_text(raw) -%}
    regexp_replace(
        regexp_replace(
            replace(
                to_json({{ raw }}, map('ignoreNullFields', 'false', 'timestampNTZFormat', 'yyyy-MM-dd HH:mm:ss¦SSSSSS')), '¦000000"', '"'
            ), '¦([0-9]*[1-9])0*"', '.$1"'
        ), '([a-z_]":-?[0-9]+[.][0-9]+?)0*([,}])', '$1$2'
    )
{%- endmacro %}


{% macro spark__json_text(json, path) -%}
    get_json_object({{ json }}, '{{ path }}')
{%- endmacro %}


{#- `get_json_object` would make a text of null. -#}
{% macro spark__json_item(json, place) -%}
    get(from_json({{ json }}, 'array<string>'), {{ place }})
{%- endmacro %}


{% macro spark__json_texts(json) -%}
    explode(from_json({{ json }}, 'array<string>'))
{%- endmacro %}


{% macro spark__json_objects(json, fields) -%}
    explode(from_json({{ json }}, 'array<struct<{{ fields | join(': string, ') }}: string>>'))
{%- endmacro %}


{# Links followed to their end #}

{#-
    Pointer doubling: each table of `step` links leads twice as far as the one before, so that a chain of a thousand links takes ten joins. A chain
    is followed when its pointer no longer moves. Pointers that move for ever are on a cycle once they have gone further than there are of them;
    `smallest_id` is the smallest that was passed. (A recursive query would need as many rounds as the longest chain, and know no `union`.)
-#}
{% macro spark__chain_ends(links) %}
    {%- set step = this.schema ~ '.' ~ this.identifier ~ '__links_' -%}
    {%- if not execute or flags.WHICH not in ['build', 'run'] -%}
        {{ return('select id, target_id as last_id, cast(null as string) as smallest_id_of_cycle from (' ~ links ~ ')') }}
    {%- endif -%}
    {%- do run_query('drop table if exists ' ~ step ~ '0') -%}
    {%- do run_query('create table ' ~ step ~ '0 using parquet as select id, target_id, target_id as smallest_id from (' ~ links ~ ')') -%}
    {%- set moving = 'select count(*) from {0} as links semi join {0} as further on links.target_id = further.id' -%}
    {%- set state = {'number': 0, 'moving': run_query(moving.format(step ~ '0')).rows[0][0], 'is_done': false} -%}
    {%- for number in range(1, 64) if not state.is_done -%}
        {%- if state.moving == 0 or (state.before == state.moving and 2 ** state.number >= state.moving) -%}
            {%- do state.update(is_done=true) -%}
        {%- else -%}
            {%- do run_query('drop table if exists ' ~ step ~ number) -%}
            {%- do run_query('create table ' ~ step ~ number ~ ' using parquet as select links.id, coalesce(further.target_id, links.target_id) as target_id,'
                ~ ' least(links.smallest_id, further.smallest_id) as smallest_id from ' ~ step ~ state.number ~ ' as links left join '
                ~ step ~ state.number ~ ' as further on links.target_id = further.id') -%}
            {%- do run_query('drop table ' ~ step ~ state.number) -%}
            {%- do state.update(number=number, before=state.moving, moving=run_query(moving.format(step ~ number)).rows[0][0]) -%}
        {%- endif -%}
    {%- endfor %}
    select
        links.id,
        case when on_cycle.id is null then links.target_id end as last_id,
        on_cycle.smallest_id as smallest_id_of_cycle
    from {{ step ~ state.number }} as links
    left join {{ step ~ state.number }} as on_cycle on links.target_id = on_cycle.id
{% endmacro %}


{#- Of pairs, the most preferred one of all is taken, then the next whose lines are both free: a fold over the pairs of an account and product. -#}
{% macro spark__preferred_pairs(pairs) %}
    select
        pair.order_line_id,
        pair.renewed_order_line_id
    from (
        select explode(aggregate(
            sort_array(collect_list(struct(preference, order_line_id, renewed_order_line_id))),
            cast(array() as array<struct<preference: int, order_line_id: string, renewed_order_line_id: string>>),
            (taken, pair) -> case
                when exists(
                    taken, x -> x.order_line_id = pair.order_line_id or x.renewed_order_line_id = pair.renewed_order_line_id
                ) then taken
                else concat(taken, array(pair))
            end
        )) as pair
        from {{ pairs }}
        where not is_only_choice
        group by account_id, product_id
    )
{% endmacro %}


{# What a run is told, and tells #}

{#- A hook takes one statement: they are run here. -#}
{% macro spark__statements(list) %}
    {%- if execute -%}
        {%- for statement in list -%} {%- do run_query(statement) -%} {%- endfor -%}
    {%- endif -%}
{% endmacro %}


{#- Variables are settings of the session, icp.<name>; the adapter hands them to Python models, and back. -#}
{% macro spark__set_variable(name, value) %}
    {{ return('set icp.' ~ name ~ '=' ~ value) }}
{% endmacro %}


{% macro spark__variable(name) %}
    {%- set value = run_query('set icp.' ~ name).rows[0][1] -%}
    {{ return(value if value != '<undefined>' else none) }}
{% endmacro %}


{% macro spark__place_of_marts() %}
    {{ return('the catalog of the target ' ~ target.name) }}
{% endmacro %}


{#- The published file carries the descriptions that are comments in a database: the adapter keeps them for its Python models. -#}
{% macro spark__say_descriptions() %}
    {%- set descriptions = {} -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.package_name == 'icp_refinery' and node.config.schema == 'marts' -%}
        {%- set columns = {} -%}
        {%- for column in node.columns.values() -%} {%- do columns.update({column.name: column.description}) -%} {%- endfor -%}
        {%- do descriptions.update({node.alias: {'description': node.description, 'columns': columns}}) -%}
    {%- endfor -%}
    {%- do adapter.keep_descriptions(descriptions) -%}
{% endmacro %}


{# Where rows come from #}

{% macro spark__new_table(name, columns) %}
    {{ return(['drop table if exists ' ~ name, 'create table ' ~ name ~ ' (' ~ columns ~ ') using parquet']) }}
{% endmacro %}


{% macro spark__parquet(path) %}
    {{ return('parquet.`' ~ path | replace('`', '``') ~ '`') }}
{% endmacro %}


{% macro spark__file_stamp(path) %}
    {{ return(adapter.file_stamp(path)) }}
{% endmacro %}


{#- Spark has no reader that keeps each malformed line, so a CSV is converted before. -#}
{% macro spark__files_found() %}
    {%- set found = {'entities': {}, 'others': [], 'files': {}} -%}
    {%- for file in adapter.files_in(var('files_dir')) -%}
        {%- set stem = file.name.rpartition('.')[0] if is_input_file(file.name) else file.name -%}
        {%- set is_known = contract_name(stem) in contract() -%}
        {%- if file.name == 'mapping.yml' or (file.name | lower).endswith('.csv') and is_known -%}
            {%- do stop("In the folder " ~ var('files_dir') ~ " " ~ file.name ~ " is not for Spark, which reads Parquet: `icp convert " ~ var('files_dir')
                ~ " OUT` makes Parquet files of the folder, with what cannot be read of it.") -%}
        {%- endif -%}
        {%- do found.files.update({file.name: file.path}) -%}
        {%- if is_known and (file.is_folder or is_input_file(file.name)) -%}
            {%- do found.entities.setdefault(contract_name(stem), []).append(file.path) -%}
        {%- else -%}
            {%- do found.others.append(file.name) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{% macro spark__check_bytes(where, path) %}{% endmacro %}


{% macro spark__read_malformed_lines() %}
    {%- set converted = files_found().files.get('malformed_lines.parquet') if execute and 'files' in var('connectors') %}
    create or replace temporary view malformed_lines as
    {%- if converted %}
    select * from {{ spark__parquet(converted) }}
    {%- else %}
    select
        cast(null as string) as entity,
        cast(null as bigint) as line_number,
        cast(null as string) as line_text,
        cast(null as array<string>) as fields
    where false
    {%- endif %}
{% endmacro %}


{% macro spark__check_connectors() %}
    {%- for tool in landed_tools() -%}
        {%- do stop("The connector " ~ tool ~ " reads DuckDB: on Spark, name the tables of the catalog in icp_inputs, with the connector relations (docs/spark.md).") -%}
    {%- endfor -%}
{% endmacro %}


{#- A catalog of its own stands before the schema. -#}
{% macro spark__table_of(parts) %}
    {{ return(api.Relation.create(database=none, schema=parts[:-1] | join('.'), identifier=parts[-1])) }}
{% endmacro %}
