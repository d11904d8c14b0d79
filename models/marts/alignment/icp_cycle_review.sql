with

cycles as (
    select * from {{ ref('int_cycles') }}
),

last_finished as (
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
        case when versions.adoption_number is null then last_finished.a_year_before else versions.learned_as_of end as reference_end,
        last_finished.a_year_before
    from {{ ref('int_icp_versions') }} as versions
    cross join last_finished
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
    select *
    from {{ ref('int_pursuits__segments') }}
),

by_segment as (
    select
        segment_id,
        is_won,
        first_order_value,
        days_to_close,
        cycle_start,
        closed_at
    from pursuits
    union all
    select
        'all' as segment_id,
        is_won,
        first_order_value,
        days_to_close,
        cycle_start,
        closed_at
    from pursuits
),

{% set figures %}
        count(*) as pursuit_count,
        count(*) filter (where is_won) as won_pursuit_count,
        count(first_order_value) as first_order_count,
        avg(cast(first_order_value as double)) as average_first_order_value,
        count(days_to_close) as won_with_dates_count,
        median(days_to_close) as median_days_to_close
{% endset -%}

by_cycle as (
    select
        segment_id,
        cycle_start,
        {{ figures }}
    from by_segment
    group by segment_id, cycle_start
),

in_reference as (
    select
        by_segment.segment_id,
        {{ figures }}
    from by_segment
    cross join reference
    where by_segment.closed_at < {{ add_days('reference.reference_end', 1) }}
    group by by_segment.segment_id
),

-- What was learned today would change this from now on.
ranks as (
    select
        account_id,
        segment_id,
        is_in_force,
        icp_version,
        case tier when 'tier_1' then 1 when 'tier_2' then 2 when 'tier_3' then 3 else 4 end as rank
    from {{ ref('int_accounts__segments_by_version') }}
),

challenged as (
    select
        in_force.segment_id,
        count(*) filter (where challenger.rank < in_force.rank) as raised_account_count,
        count(*) filter (where challenger.rank > in_force.rank) as lowered_account_count
    from ranks as in_force
    inner join ranks as challenger
        on
            in_force.account_id = challenger.account_id
            and in_force.is_in_force
            and challenger.icp_version = 'learned'
            and not challenger.is_in_force
    group by in_force.segment_id
),

challenged_and_all as (
    select * from challenged
    union all
    select
        'all' as segment_id,
        sum(raised_account_count) as raised_account_count,
        sum(lowered_account_count) as lowered_account_count
    from challenged
),

joined as (
    select
        cycles.cycle_start,
        cycles.cycle_end,
        cycles.is_finished,
        segments.segment_id,
        segments.tier,
        coalesce(by_cycle.pursuit_count, 0) as pursuit_count,
        coalesce(by_cycle.won_pursuit_count, 0) as won_pursuit_count,
        coalesce(by_cycle.first_order_count, 0) as first_order_count,
        by_cycle.average_first_order_value,
        coalesce(by_cycle.won_with_dates_count, 0) as won_with_dates_count,
        by_cycle.median_days_to_close
    from cycles
    cross join segments
    left join by_cycle
        on
            cycles.cycle_start = by_cycle.cycle_start
            and segments.segment_id = by_cycle.segment_id
),

compared as (
    select
        *,
        max(case when segment_id = 'all' then pursuit_count end) over (partition by cycle_start) as pursuit_total,
        lag(pursuit_count) over (partition by segment_id order by cycle_start) as previous_pursuit_count,
        lag(won_pursuit_count) over (partition by segment_id order by cycle_start) as previous_won_pursuit_count,
        lag(first_order_count) over (partition by segment_id order by cycle_start) as previous_first_order_count,
        lag(average_first_order_value) over (partition by segment_id order by cycle_start) as previous_average_first_order_value,
        lag(won_with_dates_count) over (partition by segment_id order by cycle_start) as previous_won_with_dates_count,
        lag(median_days_to_close) over (partition by segment_id order by cycle_start) as previous_median_days_to_close
    from joined
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
        else 'no pursuit has closed'
    end as reason,
    reference.reference,
    cast(judged.outcome as varchar) as outcome,
    cast(judged.direction as varchar) as direction,
    cast(judged.psi_attribute as varchar) as psi_attribute,
    compared.is_finished,
    cast(compared.pursuit_count as integer) as pursuit_count,
    cast(compared.pursuit_total as integer) as pursuit_total,
    compared.pursuit_count / nullif(cast(compared.pursuit_total as double), 0) as pursuit_share,
    {% for prefix, relation in [('', 'compared'), ('previous_', 'compared'), ('reference_', 'in_reference')] -%}
    {%- set column = relation ~ '.' ~ ('previous_' if prefix == 'previous_' else '') -%}
    {%- if prefix %}
    cast(coalesce({{ column }}pursuit_count, 0) as integer) as {{ prefix }}pursuit_count,
    {%- endif %}
    cast(coalesce({{ column }}won_pursuit_count, 0) as integer) as {{ prefix }}won_pursuit_count,
    {{ column }}won_pursuit_count / nullif(cast({{ column }}pursuit_count as double), 0) as {{ prefix }}win_rate,
    {{ wilson_low(column ~ 'won_pursuit_count', column ~ 'pursuit_count') }} as {{ prefix }}win_rate_low,
    {{ wilson_high(column ~ 'won_pursuit_count', column ~ 'pursuit_count') }} as {{ prefix }}win_rate_high,
    cast(coalesce({{ column }}first_order_count, 0) as integer) as {{ prefix }}first_order_count,
    {{ column }}average_first_order_value as {{ prefix }}average_first_order_value,
    cast(coalesce({{ column }}won_with_dates_count, 0) as integer) as {{ prefix }}won_with_dates_count,
    cast({{ column }}median_days_to_close as double) as {{ prefix }}median_days_to_close,
    {% endfor -%}
    cast(judged.window_pursuits as integer) as window_pursuit_count,
    cast(judged.window_wins as integer) as window_won_pursuit_count,
    judged.window_wins / nullif(cast(judged.window_pursuits as double), 0) as window_win_rate,
    {{ wilson_low('judged.window_wins', 'judged.window_pursuits') }} as window_win_rate_low,
    {{ wilson_high('judged.window_wins', 'judged.window_pursuits') }} as window_win_rate_high,
    cast(judged.early_lift as double) as window_early_lift,
    cast(judged.z as double) as z,
    cast(judged.p_value as double) as p_value,
    cast(judged.psi as double) as psi,
    cast(judged.psi_pursuits as integer) as psi_pursuit_count,
    cast(judged.psi_p_value as double) as psi_p_value,
    case when compared.cycle_start = last_finished.cycle_start then cast(challenged.raised_account_count as integer) end
        as challenger_raised_account_count,
    case when compared.cycle_start = last_finished.cycle_start then cast(challenged.lowered_account_count as integer) end
        as challenger_lowered_account_count,
    cast(judged.window_start as date) as window_start,
    reference.reference_end
from compared
cross join reference
cross join last_finished
left join in_reference on compared.segment_id = in_reference.segment_id
left join challenged_and_all as challenged on compared.segment_id = challenged.segment_id
left join {{ ref('learned_cycle_review') }} as judged
    on
        compared.cycle_start = cast(judged.cycle_start as date)
        and compared.segment_id = cast(judged.segment_id as varchar)
