with

as_of as (
    select * from {{ ref('int_as_of') }}
),

pursuits as (
    select * from {{ ref('int_pursuits') }}
),

first_orders as (
    select * from {{ ref('int_orders__priced') }}
    where order_number = 1
),

activity as (
    select * from {{ ref('int_accounts__monthly_activity') }}
),

-- How a customer stands a year after it began: as it did at the last change before.
year_later as (
    select
        activity.account_id,
        max_by(activity.is_active, activity.month) as is_active,
        max_by(activity.mrr, activity.month) as mrr,
        max(case when activity.month = activity.cohort_month then activity.mrr end) as starting_mrr
    from activity
    cross join as_of
    where
        activity.month <= {{ add_months('activity.cohort_month', 12) }}
        and {{ add_months('activity.cohort_month', 12) }} <= as_of.as_of_month
    group by activity.account_id
),

-- A large win is in the upper quarter of those that are a year old or more.
large as (
    select percentile_cont(0.75) within group (order by cast(value as double)) as least_value
    from pursuits
    where is_won and months_observed >= 12
)

select
    pursuits.account_id,
    pursuits.is_sampled,
    first_orders.is_multi_year,
    first_orders.has_add_on,
    first_orders.has_service,
    first_orders.product_count > 1 as is_bundle,
    case when pursuits.is_won then 1.0 else 0.0 end as won,
    case
        when pursuits.is_won and pursuits.value_basis <> 'wins' and pursuits.months_observed >= 12
            then case when cast(pursuits.value as double) >= large.least_value then 1.0 else 0.0 end
    end as high_value,
    case when pursuits.is_won then case when first_orders.is_multi_year then 1.0 when not first_orders.is_multi_year then 0.0 end end
        as multi_year,
    case when pursuits.is_won then case when first_orders.has_add_on then 1.0 when not first_orders.has_add_on then 0.0 end end as add_on,
    case when pursuits.is_won then case when year_later.is_active then 1.0 when not year_later.is_active then 0.0 end end as retained,
    case
        when pursuits.is_won and year_later.starting_mrr > 0
            then case when year_later.mrr > year_later.starting_mrr then 1.0 else 0.0 end
    end as expanded,
    cast(date_trunc('quarter', pursuits.closed_at) as date) as period
from pursuits
cross join large
left join first_orders on pursuits.account_id = first_orders.account_id
left join year_later on pursuits.account_id = year_later.account_id
