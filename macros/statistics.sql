{#- Wilson's 95 % interval of a share: its lower or upper end; null without any observation. -#}
{% macro wilson_low(successes, observations) -%}
    {{ wilson_end(successes, observations, '-') }}
{%- endmacro %}


{% macro wilson_high(successes, observations) -%}
    {{ wilson_end(successes, observations, '+') }}
{%- endmacro %}


{% macro wilson_end(successes, observations, sign) -%}
    {%- set z = 1.959963984540054 -%}
    {%- set n = 'cast(' ~ observations ~ ' as double)' -%}
    {%- set p = '(' ~ successes ~ ' / ' ~ n ~ ')' -%}
    case
        when {{ observations }} > 0
            then greatest(0, least(1, (
                {{ p }} + {{ z * z / 2 }} / {{ n }}
                {{ sign }} {{ z }} * sqrt(greatest({{ p }} * (1 - {{ p }}), 0) / {{ n }} + {{ z * z / 4 }} / ({{ n }} * {{ n }}))
            ) / (1 + {{ z * z }} / {{ n }})))
    end
{%- endmacro %}
