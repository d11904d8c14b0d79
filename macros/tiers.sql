{#- Whether Sales and Marketing are to go for a tier; `PRIORITIZED` in Python. -#}
{% macro is_prioritized(tier) -%}
    {{ tier }} in ('tier_1', 'tier_2')
{%- endmacro %}


{#- 1 is the best of the tiers. -#}
{% macro tier_rank(tier) -%}
    case {{ tier }} when 'tier_1' then 1 when 'tier_2' then 2 when 'tier_3' then 3 else 4 end
{%- endmacro %}
