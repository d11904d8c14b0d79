{#- A figure of win rates; null where no first deal was ever lost, because then nothing is known of losing one. -#}
{% macro if_deals_are_lost(figure) -%}
    case when exists (select 1 from {{ ref('int_pursuits') }} where not is_won) then {{ figure }} end
{%- endmacro %}


{#- The ends of Wilson's 95 % interval of a rate, count / n; null where n is 0. -#}
{% macro wilson_low(count, n) -%}
    {{ wilson_end(count, n, '-') }}
{%- endmacro %}


{% macro wilson_high(count, n) -%}
    {{ wilson_end(count, n, '+') }}
{%- endmacro %}


{% macro wilson_end(count, n, side) -%}
    {%- set z = 1.959963984540054 -%}
    {%- set count = 'cast(' ~ count ~ ' as double)' -%}
    {%- set n = 'cast(' ~ n ~ ' as double)' -%}
    case
        when {{ n }} > 0 then least(greatest((
            {{ count }} + {{ z * z / 2 }} {{ side }} {{ z }} * sqrt({{ count }} * ({{ n }} - {{ count }}) / {{ n }} + {{ z * z / 4 }})
        ) / ({{ n }} + {{ z * z }}), 0), 1)
    end
{%- endmacro %}


{#- What at least this many accounts have in common is also listed where nobody has it. -#}
{% macro least_support() -%}
    30
{%- endmacro %}


{#- A number from 0 up to 1 that looks drawn at random, and is the same for the same text. -#}
{% macro uniform(text) -%}
    cast({{ adapter.dispatch('hash_number', 'icp_refinery')(text) }} as double) / 18446744073709551616.0
{%- endmacro %}
