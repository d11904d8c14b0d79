with

cycles as (
    select * from {{ ref('int_cycles') }}
),

last_finished_cycle as (
    select
        max(cycle_start) as cycle_start,
        {{ add_months('max(cycle_end)', -12) }} as a_year_before
    from cycles
    where is_finished
),

-- What is compared with: what was known at the adoption, else the history before the last year.
reference as (
    select
        case when versions.adoption_number is null then 'before the last year' else 'at adoption' end as reference,
        case when versions.adoption_number is null then last_finished_cycle.a_year_before else versions.learned_as_of end as reference_end,
        last_finished_cycle.a_year_before,
        last_finished_cycle.cycle_start as last_finished_cycle_start
    from {{ ref('int_icp_versions') }} as versions
    cross join last_finished_cycle
    where versions.is_in_force
),

segments as (
    select
        segment_id,
        tier
    from {{ ref('int_icp_versions__segments') }}
    where is_in_force
    union all
    select
        'all' as segment_id,
        cast(null as varchar) as tier
),

pursuits as (
    select * from {{ ref('int_pursuits__segments') }}
),

-- Each pursuit counts in its cycle and, if it is old enough, in the reference, which has no cycle.
period_pursuits as (
    select
        segment_id,
        is_won,
        first_order_value,
        days_to_close,
        cycle_start
    from pursuits
    union all
    select
        pursuits.segment_id,
        pursuits.is_won,
        pursuits.first_order_value,
        pursuits.days_to_close,
        cast(null as date) as cycle_start
    from pursuits
    cross join reference
    where pursuits.closed_at < {{ add_days('reference.reference_end', 1) }}
),

-- Each segment, and `all` for every one of them.
period_figures as (
    select
        segments.segment_id,
        pursuits.cycle_start,
        count(*) as pursuit_count,
        {{ if_deals_are_lost('count(*)') }} as judged_count,
        count(*) filter (where pursuits.is_won) as won_pursuit_count,
        count(pursuits.first_order_value) as first_order_count,
        cast(sum(pursuits.first_order_value) as double) / nullif(count(pursuits.first_order_value), 0) as average_first_order_value,
        count(pursuits.days_to_close) as won_with_dates_count,
        median(pursuits.days_to_close) as median_days_to_close
    from period_pursuits as pursuits
    inner join segments on segments.segment_id in (pursuits.segment_id, 'all')
    group by segments.segment_id, pursuits.cycle_start
),

in_reference as (
    select * from period_figures
    where cycle_start is null
),

cycle_figures as (
    select
        cycles.cycle_start,
        cycles.cycle_end,
        cycles.is_finished,
        segments.segment_id,
        segments.tier,
        coalesce(figures.pursuit_count, 0) as pursuit_count,
        figures.judged_count,
        coalesce(figures.won_pursuit_count, 0) as won_pursuit_count,
        coalesce(figures.first_order_count, 0) as first_order_count,
        figures.average_first_order_value,
        coalesce(figures.won_with_dates_count, 0) as won_with_dates_count,
        figures.median_days_to_close
    from cycles
    cross join segments
    left join period_figures as figures
        on
            cycles.cycle_start = figures.cycle_start
            and segments.segment_id = figures.segment_id
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
    from cycle_figures
    window earlier as (partition by segment_id order by cycle_start)
)

select
    compared.cycle_start,
    compared.cycle_end,
    compared.segment_id,
    compared.tier,
    cast(judged.verdict as varchar) as verdict,
    case
        when judged.reason is not null then cast(judged.reason as varchar)
        when not compared.is_finished then 'the cycle is not finished'
        when compared.cycle_end <= reference.reference_end then 'part of what later cycles are compared with'
        when compared.cycle_end <= reference.a_year_before then 'more than a year ago'
        else 'no first deal has closed'
    end as reason,
    reference.reference,
    cast(judged.outcome as varchar) as outcome,
    cast(judged.direction as varchar) as direction,
    cast(judged.psi_attribute as varchar) as psi_attribute,
    compared.is_finished,
    cast(compared.pursuit_count as integer) as pursuit_count,
    cast(compared.pursuit_total as integer) as pursuit_total,
    compared.pursuit_count / nullif(cast(compared.pursuit_total as double), 0) as pursuit_share,
    cast(coalesce(compared.won_pursuit_count, 0) as integer) as won_pursuit_count,
    compared.won_pursuit_count / cast(compared.judged_count as double) as win_rate,
    {{ wilson_low('compared.won_pursuit_count', 'compared.judged_count') }} as win_rate_low,
    {{ wilson_high('compared.won_pursuit_count', 'compared.judged_count') }} as win_rate_high,
    cast(coalesce(compared.first_order_count, 0) as integer) as first_order_count,
    compared.average_first_order_value,
    cast(coalesce(compared.won_with_dates_count, 0) as integer) as won_with_dates_count,
    cast(compared.median_days_to_close as double) as median_days_to_close,
    cast(coalesce(compared.previous_pursuit_count, 0) as integer) as previous_pursuit_count,
    cast(coalesce(compared.previous_won_pursuit_count, 0) as integer) as previous_won_pursuit_count,
    compared.previous_won_pursuit_count / cast(compared.previous_judged_count as double) as previous_win_rate,
    {{ wilson_low('compared.previous_won_pursuit_count', 'compared.previous_judged_count') }} as previous_win_rate_low,
    {{ wilson_high('compared.previous_won_pursuit_count', 'compared.previous_judged_count') }} as previous_win_rate_high,
    cast(coalesce(compared.previous_first_order_count, 0) as integer) as previous_first_order_count,
    compared.previous_average_first_order_value,
    cast(coalesce(compared.previous_won_with_dates_count, 0) as integer) as previous_won_with_dates_count,
    cast(compared.previous_median_days_to_close as double) as previous_median_days_to_close,
    cast(coalesce(in_reference.pursuit_count, 0) as integer) as reference_pursuit_count,
    cast(coalesce(in_reference.won_pursuit_count, 0) as integer) as reference_won_pursuit_count,
    in_reference.won_pursuit_count / cast(in_reference.judged_count as double) as reference_win_rate,
    {{ wilson_low('in_reference.won_pursuit_count', 'in_reference.judged_count') }} as reference_win_rate_low,
    {{ wilson_high('in_reference.won_pursuit_count', 'in_reference.judged_count') }} as reference_win_rate_high,
    cast(coalesce(in_reference.first_order_count, 0) as integer) as reference_first_order_count,
    in_reference.average_first_order_value as reference_average_first_order_value,
    cast(coalesce(in_reference.won_with_dates_count, 0) as integer) as reference_won_with_dates_count,
    cast(in_reference.median_days_to_close as double) as reference_median_days_to_close,
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
left join {{ ref('learned_cycle_review') }} as judged
    on
        compared.cycle_start = cast(judged.cycle_start as date)
        and compared.segment_id = cast(judged.segment_id as varchar)
