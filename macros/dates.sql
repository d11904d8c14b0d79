{#-
    The months of a contract from its first to its last day, both inclusive; at least 1. n months are complete when the start plus n months, its day
    clamped to the month's length, is not after the end: 31 January to 28 February is one month.
-#}
{% macro contract_months(starts_on, ends_on) -%}
    {%- set months = complete_months(starts_on, add_days(ends_on, 1)) -%}
    (case when {{ months }} < 1 then 1 else {{ months }} end)
{%- endmacro %}


{#- Whether the dates of a contract and a term differ by more than a month. -#}
{% macro differs_from_term(starts_on, ends_on, term_months) -%}
    abs({{ contract_months(starts_on, ends_on) }} - {{ term_months }}) > 1
{%- endmacro %}


{#- The whole months from a day to another. The last one is over on the day that its beginning has, or on the last of a shorter month. -#}
{% macro complete_months(from_day, to_day) -%}
    {{ adapter.dispatch('complete_months', 'icp_refinery')(from_day, to_day) }}
{%- endmacro %}


{#- A day plus whole numbers of days; intervals would take ten times as long. -#}
{% macro add_days(day, days) -%}
    (cast({{ day }} as date) + cast({{ days }} as integer))
{%- endmacro %}


{% macro add_months(day, months) -%}
    {{ adapter.dispatch('add_months', 'icp_refinery')(day, months) }}
{%- endmacro %}


{% macro days_between(from_time, to_time) -%}
    {{ adapter.dispatch('days_between', 'icp_refinery')(from_time, to_time) }}
{%- endmacro %}


{#- Calendar months: 31 January to 1 February is one. -#}
{% macro months_between(from_time, to_time) -%}
    cast(
        12 * (extract(year from {{ to_time }}) - extract(year from {{ from_time }}))
        + extract(month from {{ to_time }}) - extract(month from {{ from_time }}) as integer
    )
{%- endmacro %}


{% macro first_of_month(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}


{#- The first day of the week that a time lies in, as `week_starts_on` has it. -#}
{% macro first_of_week(time) -%}
    {%- set shift = week_start_number() -%}
    {{ add_days("date_trunc('week', " ~ add_days(time, -shift) ~ ')', shift) }}
{%- endmacro %}


{#- A fiscal year is named after the calendar year in which it ends. -#}
{% macro fiscal_year(time) -%}
    cast(extract(year from {{ add_months(time, (13 - var('fiscal_year_start_month') | int) % 12) }}) as integer)
{%- endmacro %}


{% macro fiscal_quarter(time) -%}
    cast(extract(quarter from {{ add_months(time, (13 - var('fiscal_year_start_month') | int) % 12) }}) as integer)
{%- endmacro %}


{#- The first day of the fiscal quarter that a time lies in. -#}
{% macro first_of_quarter(time) -%}
    {%- set shift = (13 - var('fiscal_year_start_month') | int) % 12 -%}
    {{ add_months("date_trunc('quarter', " ~ add_months(first_of_month(time), shift) ~ ')', -shift) }}
{%- endmacro %}


{#-
    The first day of the reporting cycle that a time lies in. Quarters are those of the fiscal year. Two-week cycles are counted from the week
    of 3 January 2000, so that no new data moves a boundary.
-#}
{% macro cycle_of(time) -%}
    {%- set cycle = var('reporting_cycle') -%}
    {%- if cycle == 'week' -%}
    {{ first_of_week(time) }}
    {%- elif cycle == 'biweek' -%}
    {%- set anchor = "cast('" ~ (modules.datetime.date(2000, 1, 3) + modules.datetime.timedelta(week_start_number())) ~ "' as date)" -%}
    {{ add_days(first_of_week(time), '-abs(mod(' ~ days_between(anchor, first_of_week(time)) ~ ', 14))') }}
    {%- elif cycle == 'month' -%}
    {{ first_of_month(time) }}
    {%- else -%}
    {{ first_of_quarter(time) }}
    {%- endif -%}
{%- endmacro %}


{#- The first day of the cycle that begins so many cycles later. -#}
{% macro add_cycles(cycle_start, cycles) -%}
    {%- if var('reporting_cycle') in ['week', 'biweek'] -%}
    {{ add_days(cycle_start, 'cast(' ~ {'week': 7, 'biweek': 14}[var('reporting_cycle')] ~ ' * (' ~ cycles ~ ') as integer)') }}
    {%- else -%}
    {{ add_months(cycle_start, 'cast(' ~ (3 if var('reporting_cycle') == 'quarter' else 1) ~ ' * (' ~ cycles ~ ') as integer)') }}
    {%- endif -%}
{%- endmacro %}


{#- The mean month: a year of 365.25 days has twelve. `DAYS_PER_MONTH` in Python. -#}
{% macro days_per_month() -%}
    30.4375e0
{%- endmacro %}
