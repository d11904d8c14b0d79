with

as_of as (
    select * from {{ ref('int_as_of') }}
),

-- A contract of nothing, such as a free trial, makes nobody active.
contracts as (
    select * from {{ ref('int_contracts') }}
    where
        first_live_month is not null
        and mrr > 0
),

transaction_months as (
    select distinct
        account_id,
        {{ first_of_month('closed_at') }} as month
    from {{ ref('int_order_lines') }}
    where
        line_kind = 'transaction'
        and amount > 0
),

-- A contract adds its MRR in its first month and takes it back after its last one.
changes as (
    select
        account_id,
        first_live_month as month,
        mrr as mrr_change,
        0 as has_transaction
    from contracts
    union all
    select
        account_id,
        {{ add_months('last_live_month', 1) }} as month,
        -mrr as mrr_change,
        0 as has_transaction
    from contracts
    union all
    select
        account_id,
        month,
        0 as mrr_change,
        1 as has_transaction
    from transaction_months
    union all
    -- A transaction is activity in its own month only.
    select
        account_id,
        {{ add_months('month', 1) }} as month,
        0 as mrr_change,
        0 as has_transaction
    from transaction_months
),

months as (
    select
        account_id,
        month,
        sum(mrr_change) as mrr_change,
        max(has_transaction) = 1 as has_transaction
    from changes
    where month <= (select as_of_month from as_of)
    group by account_id, month
),

running as (
    select
        account_id,
        month,
        mrr_change,
        sum(mrr_change) over account_history as mrr,
        has_transaction or sum(mrr_change) over account_history > 0 as is_active
    from months
    window account_history as (
        partition by account_id
        order by month
        rows between unbounded preceding and current row
    )
),

compared as (
    select
        *,
        mrr - mrr_change as previous_mrr,
        max(mrr) over (
            partition by account_id
            order by month
            rows between unbounded preceding and 1 preceding
        ) as highest_mrr_before
    from running
)

select
    account_id,
    case
        when mrr_change = 0 then cast(null as string)
        when mrr = 0 then 'churn'
        when previous_mrr = 0 and coalesce(highest_mrr_before, 0) = 0 then 'new'
        when previous_mrr = 0 then 'reactivation'
        when mrr_change > 0 then 'expansion'
        else 'contraction'
    end as movement,
    is_active,
    cast(previous_mrr as decimal(18, 4)) as previous_mrr,
    cast(mrr_change as decimal(18, 4)) as mrr_change,
    cast(mrr as decimal(18, 4)) as mrr,
    month,
    min(case when is_active then month end) over (partition by account_id) as cohort_month
from compared
