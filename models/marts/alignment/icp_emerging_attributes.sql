with

attributes as (
    select
        cast(cycle_start as date) as cycle_start,
        cast(attribute as string) as attribute,
        cast(value as string) as value,
        cast(trend as string) as trend,
        cast(segment_id as string) as segment_id,
        cast(latest_pursuits as integer) as latest_pursuit_count,
        {{ if_deals_are_lost('nullif(latest_pursuits, 0)') }} as latest_judged_count,
        cast(latest_wins as integer) as latest_won_pursuit_count,
        cast(latest_lift as double) as latest_lift,
        cast(before_pursuits as integer) as before_pursuit_count,
        {{ if_deals_are_lost('nullif(before_pursuits, 0)') }} as before_judged_count,
        cast(before_wins as integer) as before_won_pursuit_count,
        cast(before_lift as double) as before_lift,
        cast(p_value as double) as p_value,
        cast(change_p_value as double) as change_p_value
    from {{ ref('learned_emerging_attributes') }}
)

select
    cycle_start,
    attribute,
    value,
    trend,
    segment_id,
    latest_pursuit_count,
    latest_won_pursuit_count,
    latest_won_pursuit_count / cast(latest_judged_count as double) as latest_win_rate,
    {{ wilson_low('latest_won_pursuit_count', 'latest_judged_count') }} as latest_win_rate_low,
    {{ wilson_high('latest_won_pursuit_count', 'latest_judged_count') }} as latest_win_rate_high,
    latest_lift,
    before_pursuit_count,
    before_won_pursuit_count,
    before_won_pursuit_count / cast(before_judged_count as double) as before_win_rate,
    {{ wilson_low('before_won_pursuit_count', 'before_judged_count') }} as before_win_rate_low,
    {{ wilson_high('before_won_pursuit_count', 'before_judged_count') }} as before_win_rate_high,
    before_lift,
    p_value,
    change_p_value
from attributes
