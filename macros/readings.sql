{#-
    How a value is read, by the contract's type of its column. Each works on whatever type the source has: numbers, times and booleans are cast,
    all else is read as text. Null is a value that is missing or cannot be read.
-#}
{% macro read_id(column) -%}
    nullif(cast({{ column }} as varchar), '')
{%- endmacro %}


{% macro read_text(column) -%}
    nullif(trim(cast({{ column }} as varchar)), '')
{%- endmacro %}


{% macro read_currency(column) -%}
    upper({{ read_text(column) }})
{%- endmacro %}


{#- One of the values that the contract allows, in lower case. -#}
{% macro read_choice(entity, column) -%}
    case
        when lower({{ read_text(column) }}) in ('{{ contract()[entity][column] | reject('equalto', '!') | join("', '") }}')
            then lower({{ read_text(column) }})
    end
{%- endmacro %}


{% macro read_boolean(column) -%}
    try_cast({{ read_text(column) }} as boolean)
{%- endmacro %}


{#- Casts of text know digit separators (1_000) that the contract does not. -#}
{% macro read_number(column, type='decimal(18, 4)') -%}
    case
        when {{ is_stored_as(column, ['%INT%', 'FLOAT', 'DOUBLE', 'DECIMAL%']) }} then try_cast({{ column }} as {{ type }})
        else try_cast(replace({{ read_text(column) }}, '_', '?') as {{ type }})
    end
{%- endmacro %}


{% macro read_integer(column) -%}
    case
        when {{ read_number(column) }} = floor({{ read_number(column) }})
            then cast({{ read_number(column) }} as bigint)
    end
{%- endmacro %}


{#- An offset in the text counts; without one, the time is UTC. Casts of text know words for times (`epoch`) that the contract does not. -#}
{% macro read_timestamp(column) -%}
    case
        when {{ is_stored_as(column, ['TIMESTAMP%', 'DATE']) }} then try_cast({{ column }} as timestamp)
        when {{ read_text(column) }} >= '0' and {{ read_text(column) }} < ':'
            then cast(try_cast({{ read_text(column) }} as timestamptz) as timestamp)
    end
{%- endmacro %}


{% macro read_date(column) -%}
    cast({{ read_timestamp(column) }} as date)
{%- endmacro %}


{#- Whether the source holds a column in one of these types. The warehouse knows before it reads: no row is asked. -#}
{% macro is_stored_as(column, types) -%}
    ({% for type in types %}typeof({{ column }}) like '{{ type }}'{{ ' or ' if not loop.last }}{% endfor %})
{%- endmacro %}
