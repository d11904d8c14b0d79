with

bands as (
    select * from {{ ref('learned_score_calibration') }}
),

whole as (
    select
        value_per_pursuit,
        predicted_value
    from bands
    where score_band = 'all'
)

select
    bands.score_band,
    bands.score_from,
    bands.score_to,
    cast(bands.window_months as integer) as window_months,
    cast(bands.learned_from_pursuits as integer) as learned_pursuit_count,
    cast(bands.n as integer) as pursuit_count,
    cast(bands.wins as integer) as won_pursuit_count,
    bands.mean_score,
    {{ if_deals_are_lost('bands.win_rate') }} as win_rate,
    {{ if_deals_are_lost('bands.win_rate_low') }} as win_rate_low,
    {{ if_deals_are_lost('bands.win_rate_high') }} as win_rate_high,
    bands.value_per_pursuit,
    bands.value_low,
    bands.value_high,
    bands.predicted_value,
    bands.predicted_low,
    bands.predicted_high,
    -- Both are estimates: their difference is set against what chance gives both (MOVER, Zou and Donner 2008).
    case
        when bands.value_low is null or bands.predicted_low is null then null
        when bands.predicted_value >= bands.value_per_pursuit
            then
                pow(bands.predicted_value - bands.value_per_pursuit, 2)
                <= pow(bands.value_high - bands.value_per_pursuit, 2) + pow(bands.predicted_value - bands.predicted_low, 2)
        else
            pow(bands.value_per_pursuit - bands.predicted_value, 2)
            <= pow(bands.value_per_pursuit - bands.value_low, 2) + pow(bands.predicted_high - bands.predicted_value, 2)
    end as is_within_interval,
    case when whole.value_per_pursuit > 0 then bands.value_per_pursuit / whole.value_per_pursuit end as lift,
    case when whole.predicted_value > 0 then bands.predicted_value / whole.predicted_value end as predicted_lift,
    cast(bands.cutoff_on as date) as cutoff_on
from bands
cross join whole
