-- None missing, none twice, in every mart the same one; a prospect is in none. And as many clusters as were chosen.
with

clusters as (
    select * from {{ ref('icp_value_clusters') }}
),

customers as (
    select
        customers.account_id,
        count(clusters.value_cluster) as cluster_count
    from {{ ref('fct_customers') }} as customers
    left join clusters
        on
            customers.value_cluster_number = clusters.value_cluster_number
            and customers.value_cluster = clusters.value_cluster
    group by customers.account_id
)

select
    coalesce(orders.account_id, customers.account_id) as account_id,
    customers.cluster_count
from (select distinct account_id from {{ ref('int_orders') }}) as orders
full join customers on orders.account_id = customers.account_id
where coalesce(customers.cluster_count, 0) <> 1 or orders.account_id is null
union all
select
    accounts.account_id,
    null as cluster_count
from {{ ref('dim_accounts') }} as accounts
left join {{ ref('fct_customers') }} as customers on accounts.account_id = customers.account_id
where accounts.value_cluster is distinct from customers.value_cluster
union all
select
    null as account_id,
    choice.cluster_count
from {{ ref('icp_value_cluster_choice') }} as choice
where choice.is_chosen and choice.cluster_count <> (select count(*) from clusters)
