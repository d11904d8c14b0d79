{#- A bound that is left out does not bind; null is in range. -#}
{% test within_range(model, column_name, lower=none, upper=none) %}
select {{ column_name }}
from {{ model }}
where
    false
    {% if lower is not none %}or {{ column_name }} < {{ lower }}{% endif %}
    {% if upper is not none %}or {{ column_name }} > {{ upper }}{% endif %}
{% endtest %}
