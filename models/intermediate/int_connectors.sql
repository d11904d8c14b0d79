{% for connector in var('connectors') -%}
select cast('{{ connector }}' as string) as connector
{%- if not loop.last %}
union all
{% endif -%}
{% endfor %}
