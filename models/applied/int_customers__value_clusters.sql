with

-- A row for each customer, cluster and figure that the clusters were learned from. A figure of contracts is missing where there never was one, and the other
-- way round.
figures as (
    select
        customers.account_id,
        centres.*,
        case centres.feature
            when 'net_amount' then cast(customers.net_amount as double)
            when 'margin_amount' then cast(customers.margin_amount as double)
            when 'is_live' then case when customers.peak_mrr > 0 then case when customers.current_mrr > 0 then 1 else 0 end end
            when 'renewal_rate' then case when customers.peak_mrr > 0 then (customers.renewals_made + 1) / cast(customers.renewals_due + 1 as double) end
            when 'months_since_order' then case
                when customers.peak_mrr <= 0
                    then customers.tenure_months - {{ months_between('customers.first_order_at', 'customers.last_order_at') }}
            end
            when 'mrr_growth' then case
                when customers.first_annual_contract_value > 0
                    then 12 * cast(customers.peak_mrr as double) / cast(customers.first_annual_contract_value as double)
            end
            when 'expansion_count' then case when customers.peak_mrr > 0 then customers.expansion_count end
            when 'repeat_orders' then customers.expansion_order_count
        end as figure
    from {{ ref('int_customers') }} as customers
    cross join {{ ref('learned_value_clusters') }} as centres
),

transformed_figures as (
    select
        *,
        case transform when 'log' then sign(figure) * ln(1 + abs(figure) / unit) else figure end as transformed
    from figures
),

-- A missing figure is taken for a middling one. (It is asked for first: least and greatest skip what is missing.)
scaled_figures as (
    select
        *,
        case when transformed is null then 0 else least(3, greatest(-3, (transformed - middle) / spread)) end as scaled
    from transformed_figures
),

-- Sums of decimals, so that what is equally near ties.
distances as (
    select
        account_id,
        cluster,
        cluster_name,
        sum(cast(coalesce(power(scaled - centre, 2), 0) as decimal(18, 9))) as distance
    from scaled_figures
    group by account_id, cluster, cluster_name
),

ranked_clusters as (
    select
        *,
        row_number() over (partition by account_id order by distance, cluster) as nearness
    from distances
)

select
    account_id,
    cluster_name as value_cluster,
    cast(cluster as integer) as value_cluster_number
from ranked_clusters
where nearness = 1
