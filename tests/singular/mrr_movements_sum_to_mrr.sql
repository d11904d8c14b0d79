-- For each account: all its movements = its MRR now = the MRR of the contracts that are live now.
with

movements as (
    select
        account_id,
        sum(mrr_change) as mrr
    from {{ ref('fct_mrr_movements') }}
    group by account_id
),

contracts as (
    select
        contracts.account_id,
        sum(contracts.mrr) as mrr
    from {{ ref('fct_contracts') }} as contracts
    inner join {{ ref('int_as_of') }} as as_of on contracts.last_live_month = as_of.as_of_month
    group by contracts.account_id
)

select
    customers.account_id,
    customers.current_mrr,
    movements.mrr as mrr_of_movements,
    contracts.mrr as mrr_of_contracts
from {{ ref('fct_customers') }} as customers
left join movements on customers.account_id = movements.account_id
left join contracts on customers.account_id = contracts.account_id
where
    customers.current_mrr <> coalesce(movements.mrr, 0)
    or customers.current_mrr <> coalesce(contracts.mrr, 0)
