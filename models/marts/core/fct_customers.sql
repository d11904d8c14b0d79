with

customers as (
    select * from {{ ref('int_customers') }}
),

clusters as (
    select * from {{ ref('int_customers__value_clusters') }}
)

select
    customers.account_id,
    customers.segment_id,
    clusters.value_cluster,
    customers.first_product_bundle,
    customers.is_active,
    customers.is_first_order_multi_year,
    customers.has_add_on_in_first_order,
    customers.has_service_in_first_order,
    clusters.value_cluster_number,
    customers.order_count,
    customers.renewal_order_count,
    customers.expansion_order_count,
    customers.renewals_due,
    customers.renewals_made,
    customers.expansion_count,
    customers.contraction_count,
    customers.churn_count,
    customers.reactivation_count,
    customers.product_count,
    customers.product_family_count,
    customers.first_order_term_months,
    customers.first_days_to_close,
    customers.tenure_months,
    customers.net_amount,
    customers.margin_amount,
    customers.total_contract_value,
    customers.add_on_amount,
    customers.service_amount,
    customers.first_order_net_amount,
    customers.first_annual_contract_value,
    customers.annual_contract_value,
    customers.current_mrr,
    customers.peak_mrr,
    customers.cohort_month,
    customers.first_order_at,
    customers.last_order_at
from customers
left join clusters on customers.account_id = clusters.account_id
