with

months as (
    select
        *,
        mrr - mrr_change as previous_mrr,
        coalesce(
            max(mrr) over (
                partition by account_id
                order by month
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as highest_mrr_before
    from {{ ref('int_accounts__monthly_activity') }}
)

select
    account_id,
    case
        when mrr = 0 then 'churn'
        when previous_mrr = 0 and highest_mrr_before = 0 then 'new'
        when previous_mrr = 0 then 'reactivation'
        when mrr_change > 0 then 'expansion'
        else 'contraction'
    end as movement,
    cast(previous_mrr as decimal(18, 4)) as previous_mrr,
    mrr_change,
    mrr,
    month
from months
where mrr_change <> 0
