{%- set resamples, most_groups, least_customers = 400, 1000, 10 -%}
with

starting as (
    select
        activity.account_id,
        segments.segment_id,
        activity.cohort_month,
        activity.mrr as starting_mrr
    from {{ ref('int_accounts__monthly_activity') }} as activity
    inner join {{ ref('int_accounts__segments') }} as segments on activity.account_id = segments.account_id
    cross join {{ ref('int_as_of') }} as as_of
    where
        activity.month = activity.cohort_month
        and {{ months_between('activity.cohort_month', 'as_of.as_of_month') }} >= 12
),

-- What became of a customer a year after it began.
customers as (
    select
        starting.account_id,
        starting.segment_id,
        starting.starting_mrr,
        max_by(activity.is_active, activity.month) as is_retained,
        max_by(activity.mrr, activity.month) as retained_mrr,
        least(max_by(activity.mrr, activity.month), starting.starting_mrr) as kept_mrr
    from starting
    inner join {{ ref('int_accounts__monthly_activity') }} as activity on starting.account_id = activity.account_id
    where activity.month between starting.cohort_month and {{ add_months('starting.cohort_month', 12) }}
    group by starting.account_id, starting.segment_id, starting.starting_mrr
),

segments as (
    select
        segment_id,
        count(*) as retention_customer_count,
        count(*) filter (where is_retained) / cast(count(*) as double) as customer_retention,
        count(*) filter (where starting_mrr > 0) as starting_mrr_customer_count,
        cast(sum(kept_mrr) as double) / nullif(cast(sum(starting_mrr) as double), 0) as gross_revenue_retention,
        cast(sum(retained_mrr) as double) / nullif(cast(sum(starting_mrr) as double), 0) as net_revenue_retention
    from customers
    group by segment_id
),

-- Of very many customers, groups of them are resampled: that is as wide, and bounds the work.
numbered as (
    select
        *,
        row_number() over (partition by segment_id order by md5(account_id), account_id) % {{ most_groups }} as customer_group
    from customers
),

groups as (
    select
        numbered.segment_id,
        numbered.customer_group,
        cast(sum(numbered.starting_mrr) as decimal(24, 4)) as starting_mrr,
        cast(sum(numbered.kept_mrr) as decimal(24, 4)) as kept_mrr,
        cast(sum(numbered.retained_mrr) as decimal(24, 4)) as retained_mrr
    from numbered
    inner join segments on numbered.segment_id = segments.segment_id
    where segments.starting_mrr_customer_count >= {{ least_customers }}
    group by numbered.segment_id, numbered.customer_group
),

resamples as (
    {{ numbers(resamples) }}
),

draws as (
    select
        groups.*,
        resamples.generated_number as resample,
        {{ uniform("concat(groups.segment_id, ' ', groups.customer_group, ' ', resamples.generated_number)") }} as drawn
    from groups
    cross join resamples
),

-- How often a resample has a group: Poisson with mean 1.
weighted as (
    select
        *,
        case
            {%- set chance = namespace(of=0.36787944117144233, below=0) %}
            {%- for times in range(8) %}
            {%- set chance.below = chance.below + chance.of %}
            when drawn < {{ chance.below }} then {{ times }}
            {%- set chance.of = chance.of / (times + 1) %}
            {%- endfor %}
            else 8
        end as times
    from draws
),

-- Sums of decimals, so that their order does not show.
resampled as (
    select
        segment_id,
        resample,
        cast(sum(times * kept_mrr) as double) / nullif(cast(sum(times * starting_mrr) as double), 0) as gross_revenue_retention,
        cast(sum(times * retained_mrr) as double) / nullif(cast(sum(times * starting_mrr) as double), 0) as net_revenue_retention
    from weighted
    group by segment_id, resample
),

intervals as (
    select
        segment_id,
        percentile_cont(0.025) within group (order by gross_revenue_retention) as gross_revenue_retention_low,
        percentile_cont(0.975) within group (order by gross_revenue_retention) as gross_revenue_retention_high,
        percentile_cont(0.025) within group (order by net_revenue_retention) as net_revenue_retention_low,
        percentile_cont(0.975) within group (order by net_revenue_retention) as net_revenue_retention_high
    from resampled
    group by segment_id
)

select
    segments.*,
    intervals.gross_revenue_retention_low,
    intervals.gross_revenue_retention_high,
    intervals.net_revenue_retention_low,
    intervals.net_revenue_retention_high
from segments
left join intervals on segments.segment_id = intervals.segment_id
