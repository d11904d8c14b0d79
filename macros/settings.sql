{#- Stops the run where a variable has a value that cannot be used: one sentence that names it. -#}
{% macro check_settings() %}
    {%- set months = var('fiscal_year_start_month') | string -%}
    {%- if months not in ['1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12'] -%}
        {%- do stop("The variable fiscal_year_start_month is a month from 1 to 12, not " ~ months ~ ".") -%}
    {%- endif -%}
    {%- do week_start_number() -%}
    {%- set cycles = ['week', 'biweek', 'month', 'quarter'] -%}
    {%- if var('reporting_cycle') not in cycles -%}
        {%- do stop("The variable reporting_cycle is one of " ~ cycles | join(', ') ~ ", not " ~ var('reporting_cycle') ~ ".") -%}
    {%- endif -%}
    {%- for name in ['renewal_grace_days', 'renewal_overlap_days'] if var(name) is boolean or var(name) is not integer or var(name) < 0 -%}
        {%- do stop("The variable " ~ name ~ " is a whole number of days, 0 or more, not " ~ var(name) ~ ".") -%}
    {%- endfor -%}
    {%- set currency = var('reporting_currency') | string -%}
    {%- if not modules.re.match('^[A-Z]{3}$', currency) -%}
        {%- do stop("The variable reporting_currency is a currency code of three capital letters, not " ~ currency ~ ".") -%}
    {%- endif -%}
    {%- set share = var('stop_share') -%}
    {%- if share is boolean or share is not number or share < 0 or share > 1 -%}
        {%- do stop("The variable stop_share is a share from 0 to 1, not " ~ share ~ ".") -%}
    {%- endif -%}
    {%- set url = var('hubspot_record_url') -%}
    {%- if url is not none and not modules.re.match('^https://[^ ]*[{]id[}][^ ]*$', url | string) -%}
        {%- do stop("The variable hubspot_record_url is an address that begins with https:// and has {id} in it, not " ~ url ~ ".") -%}
    {%- endif -%}
    {%- set kept = var('published_states_kept') -%}
    {%- if kept is boolean or kept is not integer or kept < 1 -%}
        {%- do stop("The variable published_states_kept is a whole number of states, 1 or more, not " ~ kept ~ ".") -%}
    {%- endif -%}
    {%- set beyond = var('publish_tables_beyond') -%}
    {%- if beyond is boolean or beyond is not integer or beyond < 0 -%}
        {%- do stop("The variable publish_tables_beyond is a whole number of order lines, 0 or more, not " ~ beyond ~ ".") -%}
    {%- endif -%}
    {%- for name in ['publish_untested', 'publish_over'] if var(name) is not boolean -%}
        {%- do stop("The variable " ~ name ~ " is true or false, not " ~ var(name) ~ ".") -%}
    {%- endfor -%}
    {%- if var('missing_values') is string or var('missing_values') is not iterable or var('missing_values') | reject('string') | list -%}
        {%- do stop("The variable missing_values is a list of texts, not " ~ var('missing_values') ~ ".") -%}
    {%- endif -%}
    {%- set as_of = var('as_of') -%}
    {%- if as_of is not none and not modules.re.match('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$', as_of | string) -%}
        {%- do stop("The variable as_of is a day as YYYY-MM-DD, not " ~ as_of ~ ".") -%}
    {%- endif -%}
    {%- if as_of is not none and execute and run_query("select try_cast('" ~ as_of ~ "' as date)").rows[0][0] is none -%}
        {%- do stop("The variable as_of is a day as YYYY-MM-DD, not " ~ as_of ~ ".") -%}
    {%- endif -%}
    {{ return('') }}
{% endmacro %}


{#- The variable `as_of` as a literal. -#}
{% macro as_of_setting() %}
    {{ return("'" ~ var('as_of') ~ "'" if var('as_of') else 'null') }}
{% endmacro %}


{#- Monday is 0, Sunday is 6. -#}
{% macro week_start_number() %}
    {%- set days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] -%}
    {%- set day = var('week_starts_on') | string | lower -%}
    {%- if day not in days -%}
        {%- do stop("The variable week_starts_on is one of " ~ days | join(', ') ~ ", not " ~ day ~ ".") -%}
    {%- endif -%}
    {{ return(days.index(day)) }}
{% endmacro %}
