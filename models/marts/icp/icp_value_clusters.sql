with

learned as (
    select
        cluster,
        cluster_name,
        max(note) as note
    from {{ ref('learned_value_clusters') }}
    group by cluster, cluster_name
),

choice as (
    select * from {{ ref('icp_value_cluster_choice') }}
    where is_chosen
),

customers as (
    select * from {{ ref('fct_customers') }}
),

figures as (
    select
        value_cluster_number,
        count(*) as customer_count,
        count(*) filter (where is_active) as active_customer_count,
        count(*) filter (where peak_mrr > 0) as contract_customer_count,
        count(*) filter (where current_mrr > 0) as live_customer_count,
        count(*) filter (where expansion_count > 0 or expansion_order_count > 0) as expanded_customer_count,
        count(*) filter (where first_annual_contract_value > 0) as first_contract_count,
        count(*) filter (where is_first_order_multi_year) as first_multi_year_count,
        count(*) filter (where has_add_on_in_first_order) as first_add_on_count,
        count(margin_amount) as customer_with_margin_count,
        count(first_days_to_close) as won_with_dates_count,
        sum(order_count) as order_count,
        sum(renewals_due) as renewals_due,
        sum(renewals_made) as renewals_made,
        sum(net_amount) as net_amount,
        sum(margin_amount) as margin_amount,
        sum(case when margin_amount is not null then net_amount end) as net_amount_with_margin,
        sum(current_mrr) as current_mrr,
        sum(case when first_annual_contract_value > 0 then first_annual_contract_value end) as first_annual_contract_value,
        sum(case when first_annual_contract_value > 0 then 12 * peak_mrr end) as peak_annual_contract_value,
        median(cast(net_amount as double)) as median_net_amount,
        median(tenure_months) as median_tenure_months,
        median(first_days_to_close) as median_first_days_to_close
    from customers
    group by value_cluster_number
),

totals as (
    select
        count(*) as customer_count,
        sum(net_amount) as net_amount,
        sum(current_mrr) as current_mrr
    from customers
)

select
    cast(learned.cluster as integer) as value_cluster_number,
    cast(learned.cluster_name as string) as value_cluster,
    -- The reading of a silhouette is that of Kaufman and Rousseeuw (1990).
    case
        when choice.silhouette > 0.5 then 'clear groups'
        when choice.silhouette > 0.25 then 'weak structure: groups that may be artificial'
        when choice.silhouette is not null then 'no structure: a division of what is continuous'
        else cast(learned.note as string)
    end as evidence,
    cast(coalesce(figures.customer_count, 0) as integer) as customer_count,
    figures.customer_count / cast(totals.customer_count as double) as customer_share,
    cast(coalesce(figures.active_customer_count, 0) as integer) as active_customer_count,
    cast(coalesce(figures.contract_customer_count, 0) as integer) as contract_customer_count,
    cast(coalesce(figures.live_customer_count, 0) as integer) as live_customer_count,
    figures.live_customer_count / nullif(cast(figures.contract_customer_count as double), 0) as live_share,
    cast(coalesce(figures.renewals_due, 0) as integer) as renewals_due,
    cast(coalesce(figures.renewals_made, 0) as integer) as renewals_made,
    cast(figures.renewals_made as double) / nullif(cast(figures.renewals_due as double), 0) as renewal_rate,
    cast(coalesce(figures.expanded_customer_count, 0) as integer) as expanded_customer_count,
    figures.expanded_customer_count / cast(figures.customer_count as double) as expanded_share,
    cast(coalesce(figures.first_contract_count, 0) as integer) as first_contract_count,
    cast(figures.peak_annual_contract_value as double) / cast(figures.first_annual_contract_value as double) as mrr_growth,
    cast(figures.first_annual_contract_value as double) / figures.first_contract_count as average_first_annual_contract_value,
    figures.first_multi_year_count / cast(figures.customer_count as double) as first_multi_year_share,
    figures.first_add_on_count / cast(figures.customer_count as double) as first_add_on_share,
    cast(coalesce(figures.order_count, 0) as integer) as order_count,
    cast(figures.net_amount as double) / figures.order_count as average_order_amount,
    cast(figures.net_amount as double) / figures.customer_count as average_net_amount,
    figures.median_net_amount,
    cast(coalesce(figures.net_amount, 0) as decimal(18, 4)) as net_amount,
    cast(figures.net_amount as double) / nullif(cast(totals.net_amount as double), 0) as net_amount_share,
    cast(coalesce(figures.customer_with_margin_count, 0) as integer) as customer_with_margin_count,
    cast(figures.margin_amount as decimal(18, 4)) as margin_amount,
    cast(figures.margin_amount as double) / nullif(cast(figures.net_amount_with_margin as double), 0) as margin_rate,
    cast(coalesce(figures.current_mrr, 0) as decimal(18, 4)) as current_mrr,
    cast(figures.current_mrr as double) / nullif(cast(totals.current_mrr as double), 0) as current_mrr_share,
    cast(figures.median_tenure_months as double) as median_tenure_months,
    cast(coalesce(figures.won_with_dates_count, 0) as integer) as won_with_dates_count,
    cast(figures.median_first_days_to_close as double) as median_first_days_to_close
from learned
cross join choice
cross join totals
left join figures on learned.cluster = figures.value_cluster_number
