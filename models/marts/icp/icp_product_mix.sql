with

orders as (
    select * from {{ ref('fct_orders') }}
),

customers as (
    select
        account_id,
        segment_id
    from {{ ref('fct_customers') }}
),

-- Each customer counts in its segment, and in the whole.
scopes as (
    select
        account_id,
        segment_id
    from customers
    union all
    select
        account_id,
        'all' as segment_id
    from customers
),

sizes as (
    select
        segment_id,
        count(*) as customer_count
    from scopes
    group by segment_id
),

-- A credit gives money back; it is not a purchase.
purchases as (
    select
        'product' as item_type,
        lines.product_id as item_id,
        lines.account_id,
        count(distinct case when lines.line_kind <> 'credit' and orders.order_type <> 'credit' then lines.order_id end) as order_count,
        sum(lines.amount) as net_amount
    from {{ ref('fct_order_lines') }} as lines
    inner join orders on lines.order_id = orders.order_id
    group by lines.product_id, lines.account_id
    union all
    select
        'bundle' as item_type,
        product_bundle as item_id,
        account_id,
        count(*) filter (where order_type <> 'credit') as order_count,
        sum(net_amount) as net_amount
    from orders
    group by product_bundle, account_id
),

bought as (
    select
        item_type,
        item_id,
        count(*) filter (where order_count > 0) as buyer_count
    from purchases
    group by item_type, item_id
),

-- What many buy is listed for those too who never do.
listed as (
    select
        scopes.segment_id,
        purchases.item_type,
        purchases.item_id,
        purchases.order_count,
        purchases.net_amount
    from purchases
    inner join scopes on purchases.account_id = scopes.account_id
    union all
    select
        sizes.segment_id,
        bought.item_type,
        bought.item_id,
        0 as order_count,
        0 as net_amount
    from bought
    cross join sizes
    where bought.buyer_count >= {{ least_support() }}
),

mix as (
    select
        listed.segment_id,
        listed.item_type,
        listed.item_id,
        sizes.customer_count,
        count(*) filter (where listed.order_count > 0) as buyer_count,
        sum(listed.order_count) as order_count,
        cast(coalesce(sum(listed.net_amount), 0) as decimal(18, 4)) as net_amount
    from listed
    inner join sizes on listed.segment_id = sizes.segment_id
    group by listed.segment_id, listed.item_type, listed.item_id, sizes.customer_count
),

compared as (
    select
        *,
        buyer_count / cast(customer_count as double) as attach_rate,
        max(case when segment_id = 'all' then buyer_count / cast(customer_count as double) end)
            over (partition by item_type, item_id)
            as overall_attach_rate,
        cast(sum(net_amount) over (partition by segment_id, item_type) as double) as segment_net_amount
    from mix
)

select
    compared.segment_id,
    compared.item_type,
    compared.item_id,
    case when compared.item_type = 'product' then products.product_name else compared.item_id end as item_name,
    products.product_family,
    products.product_type,
    cast(compared.customer_count as integer) as customer_count,
    cast(compared.buyer_count as integer) as buyer_count,
    cast(compared.order_count as integer) as order_count,
    compared.attach_rate,
    {{ wilson_low('compared.buyer_count', 'compared.customer_count') }} as attach_rate_low,
    {{ wilson_high('compared.buyer_count', 'compared.customer_count') }} as attach_rate_high,
    compared.overall_attach_rate,
    compared.attach_rate / nullif(compared.overall_attach_rate, 0) as index_against_all,
    compared.net_amount,
    case
        when compared.segment_net_amount > 0 then cast(compared.net_amount as double) / compared.segment_net_amount
    end as value_share,
    cast(compared.net_amount as double) / nullif(compared.buyer_count, 0) as net_amount_per_buyer
from compared
left join {{ ref('dim_products') }} as products
    on
        compared.item_type = 'product'
        and compared.item_id = products.product_id
