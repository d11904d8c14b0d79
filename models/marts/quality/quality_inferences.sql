with

orders as (
    select * from {{ ref('int_orders__priced') }}
),

merged_accounts as (
    select account_id
    from {{ ref('int_accounts__resolved') }}
    where account_id <> resolved_account_id
),

-- Without orders, each won opportunity is one.
orders_by_account_record as (
    select
        order_id,
        account_id
    from {{ ref('input_orders') }}
    union all
    select
        opportunity_id as order_id,
        account_id
    from {{ ref('input_opportunities') }}
    where not exists (select 1 from {{ ref('input_orders') }})
),

contracts as (
    select
        mrr,
        is_renewal_inferred,
        count(*) over (partition by account_id, coalesce(product_id, '')) as line_count
    from {{ ref('int_contracts') }}
),

inferences as (
    select
        'renewals_not_inferred' as inference,
        count(*) as record_count,
        sum(mrr) as amount
    from contracts
    where line_count > {{ most_paired_lines() }}
    union all
    select
        'traits_not_learned' as inference,
        greatest(count(distinct attribute) - {{ most_learned_traits() }}, 0) as record_count,
        cast(null as decimal(18, 4)) as amount
    from {{ ref('int_accounts__traits') }}
    union all
    select
        'renewals_inferred' as inference,
        count(*) as record_count,
        sum(mrr) as amount
    from contracts
    where is_renewal_inferred
    union all
    select
        'orders_from_opportunities' as inference,
        count(*) as record_count,
        sum(net_amount) as amount
    from orders
    where not exists (select 1 from {{ ref('input_orders') }})
    union all
    select
        'amounts_missing' as inference,
        count(*) as record_count,
        cast(null as decimal(18, 4)) as amount
    from orders
    where net_amount is null
    union all
    select
        'values_dropped' as inference,
        count(*) as record_count,
        cast(null as decimal(18, 4)) as amount
    from {{ ref('input_dropped_values') }}
    union all
    select
        'accounts_merged' as inference,
        (select count(*) from merged_accounts) as record_count,
        sum(orders.net_amount) as amount
    from orders
    inner join orders_by_account_record as records on orders.order_id = records.order_id
    inner join merged_accounts on records.account_id = merged_accounts.account_id
)

select
    kinds.inference,
    kinds.explanation,
    kinds.what_to_do,
    kinds.amount_kind,
    cast(inferences.record_count as integer) as record_count,
    cast(
        case when kinds.amount_kind is not null then coalesce(inferences.amount, 0) end as decimal(18, 4)
    ) as amount
from {{ ref('inferences') }} as kinds
inner join inferences on kinds.inference = inferences.inference
