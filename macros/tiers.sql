{#- Whether Sales and Marketing are to go for a tier; `PRIORITIZED` in Python. -#}
{% macro is_prioritized(tier) -%}
    {{ tier }} in ('tier_1', 'tier_2')
{%- endmacro %}


{#- 1 is the best of the tiers. -#}
{% macro tier_rank(tier) -%}
    case {{ tier }} when 'tier_1' then 1 when 'tier_2' then 2 when 'tier_3' then 3 else 4 end
{%- endmacro %}


{#- Of a score of 0 to 100 whether it stands for a quarter more, or a fifth less, than the average (20 points double). -#}
{% macro score_band(score) -%}
    case when {{ score }} >= 56.4 then 'high' when {{ score }} <= 43.6 then 'low' when {{ score }} is not null then 'middle' end
{%- endmacro %}
