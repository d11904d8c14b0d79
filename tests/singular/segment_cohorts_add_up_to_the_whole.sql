-- For each cohort and month: the segments' customers and MRR are those of the whole. (What is capped per customer adds up as well.)
with

segments as (
    select
        cohort_month,
        months_since,
        sum(cohort_customers) as cohort_customers,
        sum(retained_customers) as retained_customers,
        sum(starting_mrr) as starting_mrr,
        sum(kept_mrr) as kept_mrr,
        sum(retained_mrr) as retained_mrr
    from {{ ref('cohort_retention') }}
    where segment_id <> 'all'
    group by cohort_month, months_since
),

whole as (
    select * from {{ ref('cohort_retention') }}
    where segment_id = 'all'
)

select
    whole.cohort_month,
    whole.months_since
from whole
left join segments
    on
        whole.cohort_month = segments.cohort_month
        and whole.months_since = segments.months_since
where
    whole.cohort_customers is distinct from segments.cohort_customers
    or whole.retained_customers is distinct from segments.retained_customers
    or whole.starting_mrr is distinct from segments.starting_mrr
    or whole.kept_mrr is distinct from segments.kept_mrr
    or whole.retained_mrr is distinct from segments.retained_mrr
