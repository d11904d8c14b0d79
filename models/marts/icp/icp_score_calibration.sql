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
    bands.predicted_value between bands.value_low and bands.value_high as is_within_interval,
    case when whole.value_per_pursuit > 0 then bands.value_per_pursuit / whole.value_per_pursuit end as lift,
    case when whole.predicted_value > 0 then bands.predicted_value / whole.predicted_value end as predicted_lift,
    cast(bands.cutoff_on as date) as cutoff_on
from bands
cross join whole
