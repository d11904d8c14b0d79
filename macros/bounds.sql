{#- How much of one thing is looked at, so that time and memory stay bounded; quality_inferences counts what is not. -#}

{#- More contract lines than this of one account and product are not paired: nothing says which of them an order renews. -#}
{% macro most_paired_lines() %}1000{% endmacro %}


{#- Python learns from this many traits, those known of most accounts (MOST_TRAITS in src/icp_refinery/warehouse.py). -#}
{% macro most_learned_traits() %}200{% endmacro %}
