{#-
    An amount at a rate, with the four decimals that amounts keep. The product is slow, and most amounts are in the reporting currency.
-#}
{% macro at_rate(amount, rate) -%}
    case
        when {{ rate }} = 1 then cast({{ amount }} as decimal(18, 4))
        else cast({{ adapter.dispatch('times_rate', 'icp_refinery')(amount, rate) }} as decimal(18, 4))
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


{#-
    Whether an amount is a trillion or more in the reporting currency, at the highest rate that its currency ever has (`currencies`): a renewal is
    converted at another day's.
-#}
{% macro is_too_much(amount, currency) -%}
    ({{ currency }} <> '{{ var("reporting_currency") }}' and abs(cast({{ amount }} as decimal(24, 4))) * currencies.highest_rate >= 1000000000000)
{%- endmacro %}


{#- Stops the build where amounts of a model add up to more than marts hold. -#}
{% macro stop_where_sums_do_not_fit(amount) %}
    {%- if execute -%}
        {%- set most = 100000000000000 -%}
        {%- set total = run_query('select sum(abs(' ~ amount ~ ')) from ' ~ this).rows[0][0] or 0 -%}
        {%- if total >= most -%}
            {%- do stop('The amounts of ' ~ this.name ~ ' add up to ' ~ total | int ~ ' ' ~ var('reporting_currency')
                ~ ': marts hold sums below ' ~ most ~ '. Look for amounts in a wrong unit or currency.') -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
