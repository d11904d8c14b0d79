-- In month 0 all of a cohort is there; each customer with a first active month is in one cohort of its segment, and in one of the whole.
with

month_zero as (
    select * from {{ ref('cohort_retention') }}
    where months_since = 0
),

customers as (
    select
        segment_id,
        cohort_month,
        count(*) as customer_count
    from {{ ref('fct_customers') }}
    where cohort_month is not null
    group by segment_id, cohort_month
    union all
    select
        'all' as segment_id,
        cohort_month,
        count(*) as customer_count
    from {{ ref('fct_customers') }}
    where cohort_month is not null
    group by cohort_month
)

select
    customers.segment_id,
    customers.cohort_month,
    customers.customer_count,
    month_zero.cohort_customers
from customers
full join month_zero
    on
        customers.cohort_month = month_zero.cohort_month
        and customers.segment_id = month_zero.segment_id
where
    customers.customer_count is distinct from month_zero.cohort_customers
    or month_zero.customer_retention <> 1
    or month_zero.gross_revenue_retention <> 1
    or month_zero.net_revenue_retention <> 1
