{#- What DuckDB writes its own way; the same macros for Spark are in spark.sql. What each means is said where it is asked for. -#}

{# Texts and values #}

{% macro duckdb__text_literal(value) %}
    {{ return("'" ~ value | string | replace("'", "''") ~ "'") }}
{% endmacro %}


{% macro duckdb__trimmed(text) -%}
    trim({{ text }})
{%- endmacro %}


{% macro duckdb__lower_case(text) -%}
    lower({{ text }})
{%- endmacro %}


{% macro duckdb__matches(text, pattern) -%}
    regexp_full_match({{ text }}, '{{ pattern }}')
{%- endmacro %}


{% macro duckdb__is_like(text, pattern) -%}
    {{ text }} like {{ pattern }} escape '\'
{%- endmacro %}


{% macro duckdb__joined_text(value, separator) -%}
    array_to_string(list_sort(list({{ value }})), '{{ separator }}')
{%- endmacro %}


{% macro duckdb__type_of(column) -%}
    typeof({{ column }})
{%- endmacro %}


{% macro duckdb__stored_as(column, type) -%}
    try_cast({{ column }} as {{ type }})
{%- endmacro %}


{#- A cast of text knows digit separators (1_000) that the contract does not. -#}
{% macro duckdb__text_as_number(text, type) -%}
    try_cast(replace({{ text }}, '_', '?') as {{ type }})
{%- endmacro %}


{#- A cast of text knows more (`epoch`, 2024/3/1) and ignores what follows a time, so the form is looked at first. -#}
{% macro duckdb__text_as_timestamp(text) -%}
    {%- set offset = '( ?(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?))?' -%}
    case
        when regexp_full_match({{ text }}, '[0-9]{4,5}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?{{ offset }})?')
            then cast(try_cast(replace(regexp_replace({{ text }}, ' ([Z+-])', '\1'), ',', '.') as timestamptz) as timestamp)
        when regexp_full_match({{ text }}, '[0-9]{8}(T[0-9]{4}([0-9]{2}([.,][0-9]+)?)?{{ offset }})?')
            then cast(try_cast(
                regexp_replace(
                    regexp_replace(
                        regexp_replace(replace(replace({{ text }}, ' ', ''), ',', '.'), '^(....)(..)(..)', '\1-\2-\3'),
                        'T([0-9]{2})([0-9]{2})', 'T\1:\2'
                    ),
                    '(T..:..)([0-9]{2})', '\1:\2'
                ) as timestamptz
            ) as timestamp)
    end
{%- endmacro %}


{# Dates and money #}

{% macro duckdb__complete_months(from_day, to_day) -%}
    date_sub('month', {{ from_day }}, {{ to_day }})
{%- endmacro %}


{% macro duckdb__add_months(day, months) -%}
    cast({{ day }} + to_months(cast({{ months }} as integer)) as date)
{%- endmacro %}


{% macro duckdb__days_between(from_time, to_time) -%}
    cast(cast({{ to_time }} as date) - cast({{ from_time }} as date) as integer)
{%- endmacro %}


{#- The wider type leaves room for the product. -#}
{% macro duckdb__times_rate(amount, rate) -%}
    cast({{ amount }} as decimal(24, 4)) * cast({{ rate }} as decimal(18, 10))
{%- endmacro %}


{# Rows, structs and lists #}

{% macro duckdb__whole_row() -%}
    struct_pack(*columns(*))
{%- endmacro %}


{% macro duckdb__struct_of(fields) -%}
    struct_pack({% for name, value in fields %}{{ name }} := {{ value }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}


{% macro duckdb__list_of(values) -%}
    [
        {%- for value in values %}
        {{ value }}{{ ',' if not loop.last }}
        {%- endfor %}
    ]
{%- endmacro %}


{% macro duckdb__each_of(list) -%}
    unnest({{ list }})
{%- endmacro %}


{% macro duckdb__nth_least(value, n) -%}
    min({{ value }}, 3)[{{ n }}]
{%- endmacro %}


{% macro duckdb__row_hash(value) -%}
    hash({{ value }})
{%- endmacro %}


{#- 64 bits of a text's MD5. -#}
{% macro duckdb__hash_number(text) -%}
    md5_number_lower({{ text }})
{%- endmacro %}


{% macro duckdb__numbers(count) -%}
    {{ dbt.generate_series(count) }}
{%- endmacro %}


{% macro duckdb__stop_with(sentence) -%}
    case when {{ sentence }} is not null then error({{ sentence }}) end
{%- endmacro %}


{# JSON #}

{#- Decimals of more than 15 digits would keep the zeros at their end, and others not. -#}
{% macro duckdb__raw_text(raw) -%}
    regexp_replace(cast(to_json({{ raw }}) as string), '([a-z_]":-?[0-9]+[.][0-9]+?)0*([,}])', '\1\2', 'g')
{%- endmacro %}


{% macro duckdb__json_text(json, path) -%}
    json_extract_string({{ json }}, '{{ path }}')
{%- endmacro %}


{% macro duckdb__json_item(json, place) -%}
    json_extract_string({{ json }}, '$[{{ place }}]')
{%- endmacro %}


{% macro duckdb__json_texts(json) -%}
    unnest(from_json({{ json }}, '["VARCHAR"]'))
{%- endmacro %}


{% macro duckdb__json_objects(json, fields) -%}
    {%- set types = [] -%}
    {%- for field in fields -%} {%- do types.append('"' ~ field ~ '": "VARCHAR"') -%} {%- endfor -%}
    unnest(from_json({{ json }}, '[{ {{- types | join(', ') -}} }]'))
{%- endmacro %}


{# Links followed to their end #}

{#- A chain is walked backward from its end, so that each link is looked at once; what is left are cycles, and what leads into them. -#}
{% macro duckdb__chain_ends(links) %}
    with recursive

    links as (
        {{ links }}
    ),

    chains as (
        select
            links.id,
            links.target_id as last_id
        from links
        anti join links as further on links.target_id = further.id
        union all
        select
            links.id,
            chains.last_id
        from chains
        inner join links on chains.id = links.target_id
    ),

    circling as (
        select
            links.id,
            links.target_id
        from links
        anti join chains on links.id = chains.id
    ),

    -- Distinct pairs, so that a cycle comes to rest.
    reached as (
        select
            id,
            target_id
        from circling
        union
        select
            reached.id,
            circling.target_id
        from reached
        inner join circling on reached.target_id = circling.id
    )

    select
        id,
        last_id,
        cast(null as string) as smallest_id_of_cycle
    from chains
    union all
    select
        reached.id,
        cast(null as string) as last_id,
        min(reached.target_id) as smallest_id_of_cycle
    from reached
    inner join reached as again
        on
            reached.target_id = again.id
            and again.id = again.target_id
    group by reached.id
{% endmacro %}


{#-
    Of pairs, those that are taken: a pair that both of its lines prefer; what its lines could have renewed otherwise goes. Then again, until no pair
    is left: the same pairs as taking the most preferred one of all, one after the other. Where many lines are equally close to as many others, they
    are taken at once, the first with the first.
-#}
{% macro duckdb__preferred_pairs(pairs) %}
    with recursive

    rounds as (
        select
            order_line_id,
            renewed_order_line_id,
            account_id,
            product_id,
            closeness,
            preference,
            false as is_taken
        from {{ pairs }}
        where not is_only_choice
        union all
        select
            order_line_id,
            renewed_order_line_id,
            account_id,
            product_id,
            closeness,
            preference,
            is_chosen as is_taken
        from (
            select
                *,
                max(is_chosen) over (partition by order_line_id) or max(is_chosen) over (partition by renewed_order_line_id) as is_decided
            from (
                select
                    *,
                    is_mutual
                    or (
                        place = renewed_place
                        and min(is_closest) over equally_close
                        -- Each of the lines could renew each of the others.
                        and count(*) over equally_close
                        = count(*) filter (where place = 1) over equally_close * count(*) filter (where renewed_place = 1) over equally_close
                    ) as is_chosen
                from (
                    select
                        *,
                        preference = min(preference) over (partition by order_line_id)
                        and preference = min(preference) over (partition by renewed_order_line_id) as is_mutual,
                        closeness = min(closeness) over (partition by order_line_id)
                        and closeness = min(closeness) over (partition by renewed_order_line_id) as is_closest,
                        row_number() over (partition by renewed_order_line_id, closeness order by preference) as place,
                        row_number() over (partition by order_line_id, closeness order by preference) as renewed_place
                    from rounds
                    where not is_taken
                ) as compared
                window equally_close as (partition by account_id, product_id, closeness)
            ) as chosen
        ) as decided
        where is_chosen or not is_decided
    )

    select
        order_line_id,
        renewed_order_line_id
    from rounds
    where is_taken
{% endmacro %}


{# What a run is told, and tells #}

{#- Statements, as a hook takes them. -#}
{% macro duckdb__statements(list) %}
    {%- for statement in list %}
    {{ statement }};
    {%- endfor %}
{% endmacro %}


{% macro duckdb__set_variable(name, value) %}
    {{ return('set variable ' ~ name ~ ' = ' ~ (value if value is integer else text_literal(value))) }}
{% endmacro %}


{% macro duckdb__variable(name) %}
    {{ return(run_query("select getvariable('" ~ name ~ "')").rows[0][0]) }}
{% endmacro %}


{% macro duckdb__place_of_marts() %}
    {{ return(target.path) }}
{% endmacro %}


{#- Descriptions are comments in the database already. -#}
{% macro duckdb__say_descriptions() %}{% endmacro %}


{# Where rows come from #}

{% macro duckdb__new_table(name, columns) %}
    {{ return(['create or replace table ' ~ name ~ ' (' ~ columns ~ ')']) }}
{% endmacro %}


{% macro duckdb__parquet(path) %}
    {{ return('read_parquet(' ~ path_literal(path) ~ ', hive_partitioning = false)') }}
{% endmacro %}


{% macro duckdb__file_stamp(path) %}
    {{ return(run_query('select file_stamp(' ~ text_literal(path) ~ ')').rows[0][0]) }}
{% endmacro %}


{% macro duckdb__check_connectors() %}{% endmacro %}


{#- A table by its name in one, two or three parts. -#}
{% macro duckdb__table_of(parts) %}
    {{ return(api.Relation.create(database=parts[-3] if parts | length == 3 else target.database, schema=parts[-2], identifier=parts[-1])) }}
{% endmacro %}
