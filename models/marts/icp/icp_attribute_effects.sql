select
    cast(outcome as varchar) as outcome,
    cast(attribute as varchar) as attribute,
    cast(value as varchar) as value,
    cast(verdict as varchar) as verdict,
    cast(is_leak as boolean) as is_leak,
    cast(accounts as integer) as accounts,
    cast(successes as integer) as successes,
    cast(periods as integer) as periods,
    cast(rate as double) as rate,
    cast(baseline_rate as double) as baseline_rate,
    cast(lift as double) as lift,
    cast(lift_low as double) as lift_low,
    cast(lift_high as double) as lift_high,
    cast(p_value as double) as p_value,
    cast(q_value as double) as q_value,
    cast(consistency as double) as consistency,
    cast(information_value as double) as information_value
from {{ ref('learned_attribute_effects') }}
