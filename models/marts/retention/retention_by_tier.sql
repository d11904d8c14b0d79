with

tiers as (
    select
        segment_id,
        tier
    from {{ ref('icp_segments') }}
    union all
    select
        'all' as segment_id,
        'all' as tier
),

-- What a cohort came to a year after it began, in the month in which that year was over.
year_old_cohorts as (
    select
        tiers.tier,
        {{ add_months('cohorts.cohort_month', 12) }} as year_old_month,
        cohorts.*
    from {{ ref('cohort_retention') }} as cohorts
    inner join tiers on cohorts.segment_id = tiers.segment_id
    where cohorts.months_since = 12
),

months as (
    select distinct month from {{ ref('dim_dates') }}
)

select
    months.month,
    cohorts.tier,
    cast(sum(cohorts.cohort_customers) as integer) as customer_count,
    cast(sum(cohorts.retained_customers) as integer) as retained_customer_count,
    cast(sum(cohorts.starting_mrr_customers) as integer) as starting_mrr_customer_count,
    sum(cohorts.retained_customers) / cast(sum(cohorts.cohort_customers) as double) as customer_retention,
    cast(sum(cohorts.starting_mrr) as decimal(18, 4)) as starting_mrr,
    cast(sum(cohorts.kept_mrr) as decimal(18, 4)) as kept_mrr,
    cast(sum(cohorts.retained_mrr) as decimal(18, 4)) as retained_mrr,
    cast(sum(cohorts.kept_mrr) as double) / nullif(cast(sum(cohorts.starting_mrr) as double), 0) as gross_revenue_retention,
    cast(sum(cohorts.retained_mrr) as double) / nullif(cast(sum(cohorts.starting_mrr) as double), 0) as net_revenue_retention
from months
inner join year_old_cohorts as cohorts on months.month >= cohorts.year_old_month
group by months.month, cohorts.tier
