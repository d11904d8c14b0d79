with

reference as (
    select * from {{ ref('int_review_reference') }}
),

figures as (
    select * from {{ ref('int_segments__review_figures') }}
),

in_reference as (
    select * from figures
    where cycle_start is null
),

compared as (
    select
        *,
        max(case when segment_id = 'all' then pursuit_count end) over (partition by cycle_start) as pursuit_total,
        lag(pursuit_count) over earlier as previous_pursuit_count,
        lag(judged_count) over earlier as previous_judged_count,
        lag(won_pursuit_count) over earlier as previous_won_pursuit_count,
        lag(first_order_count) over earlier as previous_first_order_count,
        lag(average_first_order_value) over earlier as previous_average_first_order_value,
        lag(won_with_dates_count) over earlier as previous_won_with_dates_count,
        lag(median_days_to_close) over earlier as previous_median_days_to_close
    from figures
    where cycle_start is not null
    window earlier as (partition by segment_id order by cycle_start)
)

select
    compared.cycle_start,
    compared.cycle_end,
    compared.segment_id,
    compared.tier,
    case when claims.is_contradicted and judged.verdict = 'keep' then 'watch' else cast(judged.verdict as string) end as verdict,
    case
        when claims.is_contradicted and judged.verdict = 'keep'
            then 'the latest third of the first deals contradicts what its tier claimed'
        when judged.reason is not null then cast(judged.reason as string)
        when not compared.is_finished then 'the cycle is not finished'
        when compared.cycle_end <= reference.reference_end then 'part of what later cycles are compared with'
        when compared.cycle_end <= reference.a_year_before then 'more than a year ago'
        else 'no first deal has closed'
    end as reason,
    reference.reference,
    cast(judged.outcome as string) as outcome,
    cast(judged.direction as string) as direction,
    cast(judged.psi_attribute as string) as psi_attribute,
    compared.is_finished,
    compared.pursuit_count,
    compared.pursuit_total,
    compared.pursuit_count / nullif(cast(compared.pursuit_total as double), 0) as pursuit_share,
    compared.won_pursuit_count,
    compared.won_pursuit_count / cast(compared.judged_count as double) as win_rate,
    {{ wilson_low('compared.won_pursuit_count', 'compared.judged_count') }} as win_rate_low,
    {{ wilson_high('compared.won_pursuit_count', 'compared.judged_count') }} as win_rate_high,
    compared.first_order_count,
    compared.average_first_order_value,
    compared.won_with_dates_count,
    compared.median_days_to_close,
    coalesce(compared.previous_pursuit_count, 0) as previous_pursuit_count,
    coalesce(compared.previous_won_pursuit_count, 0) as previous_won_pursuit_count,
    compared.previous_won_pursuit_count / cast(compared.previous_judged_count as double) as previous_win_rate,
    {{ wilson_low('compared.previous_won_pursuit_count', 'compared.previous_judged_count') }} as previous_win_rate_low,
    {{ wilson_high('compared.previous_won_pursuit_count', 'compared.previous_judged_count') }} as previous_win_rate_high,
    coalesce(compared.previous_first_order_count, 0) as previous_first_order_count,
    compared.previous_average_first_order_value,
    coalesce(compared.previous_won_with_dates_count, 0) as previous_won_with_dates_count,
    compared.previous_median_days_to_close,
    in_reference.pursuit_count as reference_pursuit_count,
    in_reference.won_pursuit_count as reference_won_pursuit_count,
    in_reference.won_pursuit_count / cast(in_reference.judged_count as double) as reference_win_rate,
    {{ wilson_low('in_reference.won_pursuit_count', 'in_reference.judged_count') }} as reference_win_rate_low,
    {{ wilson_high('in_reference.won_pursuit_count', 'in_reference.judged_count') }} as reference_win_rate_high,
    in_reference.first_order_count as reference_first_order_count,
    in_reference.average_first_order_value as reference_average_first_order_value,
    in_reference.won_with_dates_count as reference_won_with_dates_count,
    in_reference.median_days_to_close as reference_median_days_to_close,
    cast(judged.window_pursuits as integer) as window_pursuit_count,
    cast(judged.window_wins as integer) as window_won_pursuit_count,
    {{ if_deals_are_lost("judged.window_wins / nullif(cast(judged.window_pursuits as double), 0)") }} as window_win_rate,
    {{ if_deals_are_lost(wilson_low('judged.window_wins', 'judged.window_pursuits')) }} as window_win_rate_low,
    {{ if_deals_are_lost(wilson_high('judged.window_wins', 'judged.window_pursuits')) }} as window_win_rate_high,
    cast(judged.early_lift as double) as window_early_lift,
    cast(judged.z as double) as z,
    cast(judged.p_value as double) as p_value,
    cast(judged.psi as double) as psi,
    cast(judged.psi_pursuits as integer) as psi_pursuit_count,
    cast(judged.psi_p_value as double) as psi_p_value,
    cast(challenged.raised_account_count as integer) as challenger_raised_account_count,
    cast(challenged.lowered_account_count as integer) as challenger_lowered_account_count,
    cast(judged.window_start as date) as window_start,
    reference.reference_end
from compared
cross join reference
left join in_reference on compared.segment_id = in_reference.segment_id
-- What was learned today would change this from now on.
left join {{ ref('int_segments__challenged') }} as challenged
    on
        compared.segment_id = challenged.segment_id
        and compared.cycle_start = reference.last_finished_cycle_start
-- A claim that is lost is no claim to keep.
left join {{ ref('learned_segments_in_force') }} as claims
    on
        compared.segment_id = cast(claims.segment_id as string)
        and compared.cycle_start = reference.last_finished_cycle_start
left join {{ ref('learned_cycle_review') }} as judged
    on
        compared.cycle_start = cast(judged.cycle_start as date)
        and compared.segment_id = cast(judged.segment_id as string)
