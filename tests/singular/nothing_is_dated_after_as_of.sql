with

dated as (
    select
        'fct_orders' as mart,
        max(closed_at) as newest
    from {{ ref('fct_orders') }}
    union all
    select
        'fct_opportunities' as mart,
        max(greatest(created_at, coalesce(closed_at, created_at))) as newest
    from {{ ref('fct_opportunities') }}
    union all
    select
        'fct_contracts' as mart,
        cast(max(last_live_month) as timestamp) as newest
    from {{ ref('fct_contracts') }}
    union all
    select
        'fct_mrr_movements' as mart,
        cast(max(month) as timestamp) as newest
    from {{ ref('fct_mrr_movements') }}
    union all
    select
        'fct_stage_entries' as mart,
        cast(max(entered_on) as timestamp) as newest
    from {{ ref('fct_stage_entries') }}
    union all
    select
        'cohort_retention' as mart,
        cast(max({{ add_months('cohort_month', 'months_since') }}) as timestamp) as newest
    from {{ ref('cohort_retention') }}
)

select
    dated.mart,
    dated.newest,
    as_of.as_of
from dated
cross join {{ ref('int_as_of') }} as as_of
where dated.newest >= as_of.ends_at
