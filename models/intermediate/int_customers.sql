with

as_of as (
    select * from {{ ref('int_as_of') }}
),

orders as (
    select * from {{ ref('int_orders__priced') }}
),

lines as (
    select * from {{ ref('int_order_lines') }}
),

contracts as (
    select * from {{ ref('int_contracts') }}
),

recurring as (
    select * from {{ ref('int_customers__mrr') }}
),

products as (
    select * from {{ ref('int_products') }}
),

first_wins as (
    select
        account_id,
        days_to_close,
        row_number() over (partition by account_id order by closed_at nulls last, opportunity_id) as win_number
    from {{ ref('int_opportunities') }}
    where is_won
),

order_totals as (
    select
        account_id,
        count(*) filter (where order_type <> 'credit') as order_count,
        count(*) filter (where order_type = 'renewal') as renewal_order_count,
        count(*) filter (where order_type = 'expansion') as expansion_order_count,
        sum(net_amount) as net_amount,
        -- One order of unknown cost leaves the margin unknown; a credit without a cost lowers it by what it gives back.
        case
            when count(*) filter (where order_type <> 'credit' and margin_amount is null) = 0 and count(margin_amount) > 0
                then sum(coalesce(margin_amount, net_amount))
        end as margin_amount,
        sum(total_contract_value) as total_contract_value,
        coalesce(min(closed_at) filter (where order_type <> 'credit'), min(closed_at)) as first_order_at,
        max(closed_at) as last_order_at
    from orders
    group by account_id
),

product_mix as (
    select
        lines.account_id,
        count(distinct lines.product_id) as product_count,
        count(distinct products.product_family) as product_family_count,
        sum(case when products.product_type = 'add_on' and lines.amount > 0 then lines.amount else 0 end) as add_on_amount,
        sum(case when products.product_type = 'service' and lines.amount > 0 then lines.amount else 0 end) as service_amount
    from lines
    left join products on lines.product_id = products.product_id
    group by lines.account_id
),

-- A contract came up for renewal when it was renewed, or when its end and the grace have passed.
renewals as (
    select
        contracts.account_id,
        count(*) filter (where contracts.is_superseded) as renewals_made,
        count(*) as renewals_due
    from contracts
    cross join as_of
    where contracts.is_superseded or {{ add_days('contracts.ends_on', var('renewal_grace_days')) }} < as_of.as_of
    group by contracts.account_id
)

select
    totals.account_id,
    first_orders.product_bundle as first_product_bundle,
    coalesce(recurring.is_active, false) as is_active,
    first_orders.is_multi_year as is_first_order_multi_year,
    first_orders.has_add_on as has_add_on_in_first_order,
    first_orders.has_service as has_service_in_first_order,
    cast(totals.order_count as integer) as order_count,
    cast(totals.renewal_order_count as integer) as renewal_order_count,
    cast(totals.expansion_order_count as integer) as expansion_order_count,
    cast(coalesce(renewals.renewals_due, 0) as integer) as renewals_due,
    cast(coalesce(renewals.renewals_made, 0) as integer) as renewals_made,
    cast(coalesce(recurring.expansion_count, 0) as integer) as expansion_count,
    cast(coalesce(recurring.contraction_count, 0) as integer) as contraction_count,
    cast(coalesce(recurring.churn_count, 0) as integer) as churn_count,
    cast(coalesce(recurring.reactivation_count, 0) as integer) as reactivation_count,
    cast(product_mix.product_count as integer) as product_count,
    cast(product_mix.product_family_count as integer) as product_family_count,
    first_orders.term_months as first_order_term_months,
    first_wins.days_to_close as first_days_to_close,
    {{ months_between('totals.first_order_at', 'as_of.as_of') }} as tenure_months,
    cast(totals.net_amount as decimal(18, 4)) as net_amount,
    cast(totals.margin_amount as decimal(18, 4)) as margin_amount,
    cast(totals.total_contract_value as decimal(18, 4)) as total_contract_value,
    cast(product_mix.add_on_amount as decimal(18, 4)) as add_on_amount,
    cast(product_mix.service_amount as decimal(18, 4)) as service_amount,
    first_orders.net_amount as first_order_net_amount,
    first_orders.annual_contract_value as first_annual_contract_value,
    cast(12 * coalesce(recurring.current_mrr, 0) as decimal(18, 4)) as annual_contract_value,
    coalesce(recurring.current_mrr, 0) as current_mrr,
    coalesce(recurring.peak_mrr, 0) as peak_mrr,
    recurring.cohort_month,
    totals.first_order_at,
    totals.last_order_at
from order_totals as totals
cross join as_of
left join orders as first_orders
    on
        totals.account_id = first_orders.account_id
        and first_orders.order_number = 1
left join product_mix on totals.account_id = product_mix.account_id
left join recurring on totals.account_id = recurring.account_id
left join renewals on totals.account_id = renewals.account_id
left join first_wins
    on
        totals.account_id = first_wins.account_id
        and first_wins.win_number = 1
