-- In month 0 all of a cohort is there, and each customer with a first active month is in one cohort.
with

month_zero as (
    select * from {{ ref('cohort_retention') }}
    where months_since = 0
),

customers as (
    select
        cohort_month,
        count(*) as customer_count
    from {{ ref('fct_customers') }}
    where cohort_month is not null
    group by cohort_month
)

select
    customers.cohort_month,
    customers.customer_count,
    month_zero.cohort_customers
from customers
full join month_zero
    on
        customers.cohort_month = month_zero.cohort_month
        and month_zero.segment_id = 'all'
where
    customers.customer_count is distinct from month_zero.cohort_customers
    or month_zero.customer_retention <> 1
    or month_zero.gross_revenue_retention <> 1
    or month_zero.net_revenue_retention <> 1
