{% set windows = [30, 90, 180] %}

with

entries as (
    select
        entries.*,
        {{ days_between('entries.entered_at', 'as_of.as_of') }} as age_in_days
    from {{ ref('int_stage_entries') }} as entries
    cross join {{ ref('int_as_of') }} as as_of
),

recorded_stages as (
    select distinct stage from entries
),

-- Each segment at each stage that the company records; `unassigned` where there is such a lead.
segment_stages as (
    select
        segments.tier,
        segments.segment_id,
        recorded_stages.stage
    from {{ ref('icp_segments') }} as segments
    cross join recorded_stages
    union
    select
        tier,
        segment_id,
        stage
    from entries
),

-- Each entry counts in its segment, in its tier and in the whole.
scopes as (
    select
        tier,
        segment_id,
        stage,
        segment_id as entry_segment_id
    from segment_stages
    union all
    select
        tier,
        'all' as segment_id,
        stage,
        segment_id as entry_segment_id
    from segment_stages
    union all
    select
        'all' as tier,
        'all' as segment_id,
        stage,
        segment_id as entry_segment_id
    from segment_stages
),

counted as (
    select
        scopes.tier,
        scopes.segment_id,
        scopes.stage,
        count(entries.record_id) as entered_count,
        count(entries.next_at) as reached_count,
        median(entries.days_to_next) as median_days_to_next,
        percentile_cont(0.75) within group (order by entries.days_to_next) as p75_days_to_next,
        {% for days in windows -%}
        count(*) filter (where entries.age_in_days >= {{ days }}) as matured_{{ days }}_days_count,
        count(*) filter (where entries.age_in_days >= {{ days }} and entries.days_to_next <= {{ days }})
            as converted_{{ days }}_days_count,
        {% endfor -%}
        count(*) filter (where not entries.is_closed) as open_count,
        count(*) filter (where entries.is_closed) as closed_count,
        count(*) filter (where entries.is_won) as won_count,
        sum(entries.days_to_next) / nullif(cast(count(entries.days_to_next) as double), 0) as average_days_to_next,
        count(entries.deal_size) as deal_size_count,
        sum(entries.deal_size) as deal_size_total,
        count(entries.mrr) as mrr_count,
        sum(entries.mrr) as mrr_total
    from scopes
    left join entries on (scopes.entry_segment_id, scopes.stage) = (entries.segment_id, entries.stage)
    group by scopes.tier, scopes.segment_id, scopes.stage
),

figures as (
    select
        *,
        case stage when 'lead' then 1 when 'mql' then 2 when 'sql' then 3 when 'opportunity' then 4 else 5 end as stage_number,
        stage = 'opportunity' as is_pipeline,
        stage <> 'won' as has_next,
        -- Where no deal was ever lost, nothing is known of losing one.
        case
            when sum(closed_count - won_count) over (partition by stage) > 0 then nullif(closed_count, 0)
        end as judged_count,
        cast(deal_size_total as double) / nullif(deal_size_count, 0) as average_deal_size,
        cast(mrr_total as double) / nullif(mrr_count, 0) as average_mrr
    from counted
),

rated as (
    select
        *,
        won_count / cast(judged_count as double) as pipeline_win_rate
    from figures
)

select
    tier,
    segment_id,
    stage,
    stage_number,
    cast(entered_count as integer) as entered_count,
    case when has_next then cast(reached_count as integer) end as reached_count,
    cast(median_days_to_next as double) as median_days_to_next,
    cast(p75_days_to_next as double) as p75_days_to_next,
    {% for days in windows -%}
    case when has_next then cast(matured_{{ days }}_days_count as integer) end as matured_{{ days }}_days_count,
    case when has_next then cast(converted_{{ days }}_days_count as integer) end as converted_{{ days }}_days_count,
    case when has_next then converted_{{ days }}_days_count / nullif(cast(matured_{{ days }}_days_count as double), 0) end
        as conversion_{{ days }}_days_rate,
    case when has_next then {{ wilson_low('converted_' ~ days ~ '_days_count', 'matured_' ~ days ~ '_days_count') }} end
        as conversion_{{ days }}_days_low,
    case when has_next then {{ wilson_high('converted_' ~ days ~ '_days_count', 'matured_' ~ days ~ '_days_count') }} end
        as conversion_{{ days }}_days_high,
    {% endfor -%}
    case when is_pipeline then cast(open_count as integer) end as open_count,
    case when is_pipeline then cast(closed_count as integer) end as closed_count,
    case when is_pipeline then cast(won_count as integer) end as won_count,
    case when is_pipeline then pipeline_win_rate end as pipeline_win_rate,
    case when is_pipeline then {{ wilson_low('won_count', 'judged_count') }} end as pipeline_win_rate_low,
    case when is_pipeline then {{ wilson_high('won_count', 'judged_count') }} end as pipeline_win_rate_high,
    case when is_pipeline then cast(average_days_to_next as double) end as average_days_to_close,
    case when is_pipeline then open_count * pipeline_win_rate * average_deal_size / nullif(average_days_to_next, 0) end as pipeline_velocity,
    case when is_pipeline or not has_next then cast(deal_size_count as integer) end as deal_size_count,
    average_deal_size,
    case when is_pipeline or not has_next then cast(mrr_count as integer) end as mrr_count,
    average_mrr,
    (select as_of from {{ ref('int_as_of') }}) as as_of
from rated
