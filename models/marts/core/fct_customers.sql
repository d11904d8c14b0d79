select
    customers.*,
    segments.segment_id,
    segments.segment_name,
    segments.tier,
    clusters.value_cluster,
    clusters.value_cluster_number
from {{ ref('int_customers') }} as customers
left join {{ ref('int_accounts__segments') }} as segments on customers.account_id = segments.account_id
left join {{ ref('int_customers__value_clusters') }} as clusters on customers.account_id = clusters.account_id
