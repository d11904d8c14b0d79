{%- set features = [
    'net_amount', 'margin_amount', 'is_live', 'renewal_rate', 'months_since_order', 'mrr_growth', 'expansion_count', 'repeat_orders'
] -%}
with

customers as (
    select * from {{ ref('int_customers') }}
),

centres as (
    select * from {{ ref('learned_value_clusters') }}
),

-- The figures that the clusters were learned from; a figure of contracts is missing where there never was one, and the other way round.
figures as (
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
    from customers
),

-- One row: how each figure is scaled.
scales as (
    select
        {% for feature in features -%}
        max(case when feature = '{{ feature }}' then transform end) as {{ feature }}_transform,
        max(case when feature = '{{ feature }}' then unit end) as {{ feature }}_unit,
        max(case when feature = '{{ feature }}' then middle end) as {{ feature }}_middle,
        max(case when feature = '{{ feature }}' then spread end) as {{ feature }}_spread,
        {% endfor -%}
        max(cluster) as cluster_count
    from centres
),

-- A figure that the clusters were not learned from has no centre.
clusters as (
    select
        {% for feature in features -%}
        max(case when feature = '{{ feature }}' then centre end) as {{ feature }},
        {% endfor -%}
        cluster,
        cluster_name
    from centres
    group by cluster, cluster_name
),

-- A missing figure is taken for a middling one. (It is asked for first: least and greatest skip what is missing.)
scaled as (
    select
        {% for feature in features -%}
        case
            when figures.{{ feature }} is null then 0
            else least(3, greatest(-3, (
                case scales.{{ feature }}_transform
                    when 'log' then sign(figures.{{ feature }}) * ln(1 + abs(figures.{{ feature }}) / scales.{{ feature }}_unit)
                    else figures.{{ feature }}
                end
                - scales.{{ feature }}_middle
            ) / scales.{{ feature }}_spread))
        end as {{ feature }},
        {% endfor -%}
        figures.account_id
    from figures
    cross join scales
),

-- Rounded, so that what is equally near ties.
distances as (
    select
        scaled.account_id,
        clusters.cluster,
        clusters.cluster_name,
        round(
            0
            {% for feature in features -%}
            + coalesce(power(scaled.{{ feature }} - clusters.{{ feature }}, 2), 0)
            {% endfor -%}, 9
        ) as distance
    from scaled
    cross join clusters
),

ranked as (
    select
        account_id,
        cluster,
        cluster_name,
        row_number() over (partition by account_id order by distance, cluster) as nearness
    from distances
)

select
    account_id,
    cluster_name as value_cluster,
    cast(cluster as integer) as value_cluster_number
from ranked
where nearness = 1
