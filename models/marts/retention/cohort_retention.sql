with

as_of as (
    select * from {{ ref('int_as_of') }}
),

activity as (
    select * from {{ ref('int_accounts__monthly_activity') }}
),

starting as (
    select
        account_id,
        cohort_month,
        mrr as starting_mrr
    from activity
    where month = cohort_month
),

-- Each customer counts in its segment, and in the whole.
scopes as (
    select
        account_id,
        segment_id
    from {{ ref('int_accounts__segments') }}
    union all
    select
        account_id,
        'all' as segment_id
    from starting
),

-- What a customer adds to its cohort from this month on: all of it, and what of it is capped at its own start.
states as (
    select
        activity.account_id,
        starting.cohort_month,
        activity.month,
        activity.mrr,
        least(activity.mrr, starting.starting_mrr) as kept_mrr,
        case when activity.is_active then 1 else 0 end as active
    from activity
    inner join starting on activity.account_id = starting.account_id
    where activity.month >= starting.cohort_month
),

changes as (
    select
        account_id,
        cohort_month,
        month,
        active - lag(active, 1, 0) over account_history as active_change,
        mrr - coalesce(lag(mrr) over account_history, 0) as mrr_change,
        kept_mrr - coalesce(lag(kept_mrr) over account_history, 0) as kept_mrr_change
    from states
    window account_history as (partition by account_id order by month)
),

sizes as (
    select
        scopes.segment_id,
        starting.cohort_month,
        count(*) as cohort_customers,
        count(*) filter (where starting.starting_mrr > 0) as starting_mrr_customers,
        sum(starting.starting_mrr) as starting_mrr
    from starting
    inner join scopes on starting.account_id = scopes.account_id
    group by scopes.segment_id, starting.cohort_month
),

numbers as (
    {{ numbers(2400) }}
),

spine as (
    select
        sizes.segment_id,
        sizes.cohort_month,
        numbers.generated_number - 1 as months_since,
        {{ add_months('sizes.cohort_month', 'cast(numbers.generated_number - 1 as integer)') }} as month
    from sizes
    cross join numbers
    cross join as_of
    where {{ months_between('sizes.cohort_month', 'as_of.as_of_month') }} >= numbers.generated_number - 1
),

monthly_changes as (
    select
        scopes.segment_id,
        changes.cohort_month,
        changes.month,
        sum(changes.active_change) as active_change,
        sum(changes.mrr_change) as mrr_change,
        sum(changes.kept_mrr_change) as kept_mrr_change
    from changes
    inner join scopes on changes.account_id = scopes.account_id
    group by scopes.segment_id, changes.cohort_month, changes.month
),

running as (
    select
        spine.segment_id,
        spine.cohort_month,
        spine.months_since,
        sum(coalesce(monthly_changes.active_change, 0)) over cohort_history as retained_customers,
        sum(coalesce(monthly_changes.mrr_change, 0)) over cohort_history as retained_mrr,
        sum(coalesce(monthly_changes.kept_mrr_change, 0)) over cohort_history as kept_mrr
    from spine
    left join monthly_changes
        on
            spine.segment_id = monthly_changes.segment_id
            and spine.cohort_month = monthly_changes.cohort_month
            and spine.month = monthly_changes.month
    window cohort_history as (
        partition by spine.segment_id, spine.cohort_month
        order by spine.months_since
        rows between unbounded preceding and current row
    )
)

select
    running.segment_id,
    running.cohort_month,
    cast(running.months_since as integer) as months_since,
    cast(sizes.cohort_customers as integer) as cohort_customers,
    cast(running.retained_customers as integer) as retained_customers,
    running.retained_customers / cast(sizes.cohort_customers as double) as customer_retention,
    cast(sizes.starting_mrr_customers as integer) as starting_mrr_customers,
    cast(sizes.starting_mrr as decimal(18, 4)) as starting_mrr,
    cast(running.kept_mrr as decimal(18, 4)) as kept_mrr,
    cast(running.retained_mrr as decimal(18, 4)) as retained_mrr,
    cast(running.kept_mrr as double) / nullif(cast(sizes.starting_mrr as double), 0) as gross_revenue_retention,
    cast(running.retained_mrr as double) / nullif(cast(sizes.starting_mrr as double), 0) as net_revenue_retention
from running
inner join sizes
    on
        running.segment_id = sizes.segment_id
        and running.cohort_month = sizes.cohort_month
