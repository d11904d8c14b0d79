{#-
    An amount at a rate, with the four decimals that amounts keep. The wider type leaves room for the product; it is slow, and most amounts are in
    the reporting currency.
-#}
{% macro at_rate(amount, rate) -%}
    case
        when {{ rate }} = 1 then cast({{ amount }} as decimal(18, 4))
        else cast(cast({{ amount }} as decimal(24, 4)) * cast({{ rate }} as decimal(18, 10)) as decimal(18, 4))
    end
{%- endmacro %}


{#-
    An amount spread over months, with four decimals. Whole numbers of ten-thousandths, because a quotient of decimals is a
    double, which rounds some exact halves the wrong way.
-#}
{% macro per_month(amount, months) -%}
    {%- set doubled = '(cast(' ~ amount ~ ' * 10000 as bigint) * 2 + ' ~ months ~ ')' -%}
    cast(cast(({{ doubled }} - mod({{ doubled }}, 2 * {{ months }})) / (2 * {{ months }}) as bigint) * 0.0001 as decimal(18, 4))
{%- endmacro %}


{#- Joins int_exchange_rates__by_day, as `rates`: the rate of a currency at a time. -#}
{% macro rate_applies(currency, time) -%}
    {{ currency }} = rates.currency_code
    and cast({{ time }} as date) = rates.day
    and {{ time }} >= rates.valid_from
    and ({{ time }} < rates.valid_until or rates.valid_until is null)
{%- endmacro %}
