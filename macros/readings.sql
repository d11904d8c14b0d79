{#-
    How a value is read, by the contract's type of its column. Each works on whatever type the source has: numbers and times are cast, all else
    is read as text. Null is a value that is missing or cannot be read.
-#}

{#- A whole number is one also in a column of decimals or doubles (7.0), which a gap among the numbers makes of it in many a tool. -#}
{% macro read_id(column) -%}
    case
        when {{ is_stored_as(column, ['FLOAT', 'DOUBLE', 'DECIMAL%']) }} then {{ text_of_number(column) }}
        else nullif(cast({{ column }} as string), '')
    end
{%- endmacro %}


{#- A large double is written with an exponent; what is no number, or infinite, is missing. -#}
{% macro text_of_number(column) -%}
    {%- set text = 'lower(cast(' ~ column ~ ' as string))' -%}
    case
        when {{ text }} in ('nan', 'inf', '-inf', 'infinity', '-infinity') then null
        when contains({{ text }}, 'e') then cast(try_cast({{ text }} as decimal(38, 0)) as string)
        else regexp_replace({{ text }}, '[.]0+$', '')
    end
{%- endmacro %}


{% macro read_text(column) -%}
    nullif({{ trimmed('cast(' ~ column ~ ' as string)') }}, '')
{%- endmacro %}


{% macro read_email(column) -%}
    {{ lower_case(read_text(column)) }}
{%- endmacro %}


{#- Text in which a placeholder such as `n/a` (the variable `missing_values`) is a missing value. -#}
{% macro read_label(column) -%}
    case when {{ lower_case("replace(cast(" ~ column ~ " as string), ' ', '')") }} not in ({{ missing_values() }}) then {{ read_text(column) }} end
{%- endmacro %}


{% macro missing_values() -%}
    {%- for value in var('missing_values') -%} {{ text_literal(value | lower | replace(' ', '')) }}, {% endfor -%} ''
{%- endmacro %}


{% macro read_currency(column) -%}
    upper({{ read_text(column) }})
{%- endmacro %}


{#- One of the values that the contract allows, whatever its case; `ignoring` are characters that do not count. -#}
{% macro read_choice(entity, column, ignoring='') -%}
    {%- set text = read_text(column) -%}
    case {{ lower_case(text if not ignoring else "translate(" ~ text ~ ", '" ~ ignoring ~ "', '')") }}
        {%- for value in contract_values(entity, column) %}
        {%- set spelling = modules.re.sub('[' ~ ignoring ~ ']', '', value) if ignoring else value %}
        when '{{ spelling }}' then '{{ value }}'
        {%- endfor %}
    end
{%- endmacro %}


{% macro read_boolean(column) -%}
    case
        when {{ lower_case(read_text(column)) }} in ('true', 't', 'yes', 'y', '1') then true
        when {{ lower_case(read_text(column)) }} in ('false', 'f', 'no', 'n', '0') then false
    end
{%- endmacro %}


{#- A comma is read where it can only separate thousands. -#}
{% macro read_number(column, type='decimal(18, 4)') -%}
    {%- set text = read_text(column) -%}
    case
        when {{ is_stored_as(column, ['%INT%', 'FLOAT', 'DOUBLE', 'DECIMAL%']) }}
            then {{ adapter.dispatch('stored_as', 'icp_refinery')(column, type) }}
        when not contains({{ text }}, ',') then {{ number_of_text(text, type) }}
        when {{ matches(text, '[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+([.][0-9]*)?') }}
            then try_cast(replace({{ text }}, ',', '') as {{ type }})
    end
{%- endmacro %}


{% macro number_of_text(text, type) -%}
    {{ adapter.dispatch('text_as_number', 'icp_refinery')(text, type) }}
{%- endmacro %}


{% macro read_integer(column) -%}
    case
        when {{ read_number(column) }} = floor({{ read_number(column) }})
            then cast({{ read_number(column) }} as bigint)
    end
{%- endmacro %}


{#- ISO 8601, extended or basic, in UTC where there is no offset. -#}
{% macro read_timestamp(column) -%}
    case
        when {{ is_stored_as(column, ['TIMESTAMP%', 'DATE']) }} then {{ adapter.dispatch('stored_as', 'icp_refinery')(column, 'timestamp') }}
        else {{ adapter.dispatch('text_as_timestamp', 'icp_refinery')('upper(' ~ read_text(column) ~ ')') }}
    end
{%- endmacro %}


{% macro read_date(column) -%}
    cast({{ read_timestamp(column) }} as date)
{%- endmacro %}


{#- Whether the source holds a column in one of these types. The warehouse knows before it reads: no row is asked. -#}
{% macro is_stored_as(column, types) -%}
    ({% for type in types %}{{ adapter.dispatch('type_of', 'icp_refinery')(column) }} like '{{ type }}'{{ ' or ' if not loop.last }}{% endfor %})
{%- endmacro %}
