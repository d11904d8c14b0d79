with

-- A figure of contracts is missing where there never was one, and the other way round.
customers as (
    select
        account_id,
        cast(net_amount as double) as net_amount,
        cast(margin_amount as double) as margin_amount,
        case when peak_mrr > 0 then case when current_mrr > 0 then 1 else 0 end end as is_live,
        case when peak_mrr > 0 then (renewals_made + 1) / cast(renewals_due + 1 as double) end as renewal_rate,
        case when peak_mrr <= 0 then tenure_months - {{ months_between('first_order_at', 'last_order_at') }} end as months_since_order,
        case
            when first_annual_contract_value > 0 then 12 * cast(peak_mrr as double) / cast(first_annual_contract_value as double)
        end as mrr_growth,
        case when peak_mrr > 0 then expansion_count end as expansion_count,
        expansion_order_count as repeat_orders
    from {{ ref('int_customers') }}
),

-- A row for each customer, cluster and figure that the clusters were learned from.
figures as (
    select
        customers.account_id,
        centres.*,
        case centres.feature
            when 'net_amount' then customers.net_amount
            when 'margin_amount' then customers.margin_amount
            when 'is_live' then customers.is_live
            when 'renewal_rate' then customers.renewal_rate
            when 'months_since_order' then customers.months_since_order
            when 'mrr_growth' then customers.mrr_growth
            when 'expansion_count' then customers.expansion_count
            when 'repeat_orders' then customers.repeat_orders
        end as figure
    from customers
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
        sum(cast(coalesce(power(scaled - centre, 2), 0) as decimal(18, 9))) as distance
    from scaled_figures
    group by account_id, cluster
),

nearest as (
    select
        account_id,
        min_by(cluster, {{ struct_of([['distance', 'distance'], ['cluster', 'cluster']]) }}) as cluster
    from distances
    group by account_id
),

names as (
    select distinct
        cluster,
        cluster_name
    from {{ ref('learned_value_clusters') }}
)

select
    nearest.account_id,
    names.cluster_name as value_cluster,
    cast(nearest.cluster as integer) as value_cluster_number
from nearest
inner join names on nearest.cluster = names.cluster
