with

as_of as (
    select * from {{ ref('int_as_of') }}
),

contracts as (
    select * from {{ ref('fct_contracts') }}
    where first_live_month is not null
),

transaction_months as (
    select distinct
        account_id,
        {{ first_of_month('closed_at') }} as month
    from {{ ref('fct_order_lines') }}
    where line_kind = 'transaction'
),

-- A contract adds its MRR in its first month and takes it back after its last one.
changes as (
    select
        account_id,
        first_live_month as month,
        mrr as mrr_change,
        1 as contract_change,
        0 as has_transaction
    from contracts
    union all
    select
        account_id,
        {{ add_months('last_live_month', 1) }} as month,
        -mrr as mrr_change,
        -1 as contract_change,
        0 as has_transaction
    from contracts
    union all
    select
        account_id,
        month,
        0 as mrr_change,
        0 as contract_change,
        1 as has_transaction
    from transaction_months
    union all
    -- A transaction is activity in its own month only.
    select
        account_id,
        {{ add_months('month', 1) }} as month,
        0 as mrr_change,
        0 as contract_change,
        0 as has_transaction
    from transaction_months
),

months as (
    select
        account_id,
        month,
        sum(mrr_change) as mrr_change,
        sum(contract_change) as contract_change,
        max(has_transaction) = 1 as has_transaction
    from changes
    where month <= (select as_of_month from as_of)
    group by account_id, month
),

running as (
    select
        *,
        sum(mrr_change) over account_history as mrr,
        sum(contract_change) over account_history as live_contract_count
    from months
    window account_history as (
        partition by account_id
        order by month
        rows between unbounded preceding and current row
    )
)

select
    account_id,
    month,
    has_transaction or live_contract_count > 0 as is_active,
    cast(mrr_change as decimal(18, 4)) as mrr_change,
    cast(mrr as decimal(18, 4)) as mrr
from running
