{#-
    Several rules about the columns of one relation, in one pass: `key` (unique and never null), `unique` (a column, where null does not count, or a
    list of columns), `not_null`, `within` (column: [lowest, highest]; null is in range) and `accepted` (column: values, or null). Each row is a
    broken rule as a sentence, which the end of the run prints.
-#}
{% test column_rules(model, key=[], unique=[], not_null=[], within={}, accepted={}) %}
{%- set broken = {} -%}
{%- set rules = [] -%}
{%- for column in key + not_null -%}
    {%- do broken.update({column ~ ' is null': column ~ ' is null'}) -%}
{%- endfor -%}
{%- for column, bounds in within.items() -%}
    {%- if bounds[0] is not none -%} {%- do broken.update({column ~ ' is below ' ~ bounds[0]: column ~ ' < ' ~ bounds[0]}) -%} {%- endif -%}
    {%- if bounds[1] is not none -%} {%- do broken.update({column ~ ' is above ' ~ bounds[1]: column ~ ' > ' ~ bounds[1]}) -%} {%- endif -%}
{%- endfor -%}
{%- for column, values in accepted.items() -%}
    {%- set listed = values | map('string') | map('replace', "'", "''") | join("', '") -%}
    {%- do broken.update({column ~ ' is not an accepted value': 'cast(' ~ column ~ " as string) not in ('" ~ listed ~ "')"}) -%}
{%- endfor %}
{%- for problem, condition in broken.items() -%}
    {%- do rules.append(struct_of([['problem', text_literal(problem)], ['row_count', 'count(*) filter (where ' ~ condition ~ ')']])) -%}
{%- endfor %}
{%- if broken %}
select
    rule.problem,
    rule.row_count
from (
    select {{ each_of(list_of(rules)) }} as rule
    from {{ model }}
)
where rule.row_count > 0
{%- endif %}
{%- for columns in key + unique %}
{%- set listed = columns if columns is string else columns | join(', ') %}
{{ 'union all' if broken or not loop.first }}
select
    '{{ listed }} is not unique' as problem,
    count(*) as row_count
from (
    select {{ listed }}
    from {{ model }}
    {{ 'where ' ~ columns ~ ' is not null' if columns is string }}
    group by {{ listed }}
    having count(*) > 1
)
having count(*) > 0
{%- endfor %}
{% endtest %}
