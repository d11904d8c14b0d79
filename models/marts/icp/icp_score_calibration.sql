select
    score_band,
    score_from,
    score_to,
    cast(learned_from_pursuits as integer) as learned_pursuit_count,
    cast(n as integer) as pursuit_count,
    cast(wins as integer) as won_pursuit_count,
    mean_score,
    win_rate,
    win_rate_low,
    win_rate_high,
    value_per_pursuit,
    value_low,
    value_high,
    predicted_value,
    predicted_value between value_low and value_high as is_within_interval,
    cast(cutoff_on as date) as cutoff_on
from {{ ref('learned_score_calibration') }}
