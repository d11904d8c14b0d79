with

orders as (
    select * from {{ source('salesforce', 'order') }}
    where not is_deleted
),

order_items as (
    select * from {{ source('salesforce', 'orderitem') }}
    where not is_deleted and {{ salesforce_has_orders() }}
),

opportunities as (
    select * from {{ source('salesforce', 'opportunity') }}
    where not is_deleted and iswon
),

opportunity_items as (
    select * from {{ source('salesforce', 'opportunitylineitem') }}
    where not is_deleted and not {{ salesforce_has_orders() }}
),

products as (
    select * from {{ source('salesforce', 'product2') }}
),

items as (
    select
        order_items.id,
        order_items.orderid as order_id,
        order_items.product2id as product_id,
        order_items.quantity,
        {{ taken_back('order_items.totalprice') }} as amount,
        {{ own_field('salesforce', 'order_lines.cost', relation='order_items') }} as cost,
        {{ own_field('salesforce', 'order_lines.line_type', 'order_items.sbqq__chargetype__c', 'order_items') }} as charge_type,
        order_items.sbqq__billingfrequency__c as billing_frequency,
        {{ own_field('salesforce', 'order_lines.billing_months', relation='order_items') }} as billing_months,
        {{ own_field('salesforce', 'order_lines.term_months', relation='order_items') }} as term_months,
        {{ own_field('salesforce', 'order_lines.starts_on', 'order_items.servicedate', 'order_items') }} as starts_on,
        {{ own_field('salesforce', 'order_lines.ends_on', 'order_items.enddate', 'order_items') }} as ends_on
    from order_items
    left join orders on order_items.orderid = orders.id
    union all
    select
        id,
        opportunityid as order_id,
        product2id as product_id,
        quantity,
        totalprice as amount,
        {{ own_field('salesforce', 'order_lines.cost') }} as cost,
        {{ own_field('salesforce', 'order_lines.line_type', 'sbqq__chargetype__c') }} as charge_type,
        sbqq__billingfrequency__c as billing_frequency,
        {{ own_field('salesforce', 'order_lines.billing_months') }} as billing_months,
        {{ own_field('salesforce', 'order_lines.term_months') }} as term_months,
        {{ own_field('salesforce', 'order_lines.starts_on', 'servicedate') }} as starts_on,
        {{ own_field('salesforce', 'order_lines.ends_on', 'cast(null as date)') }} as ends_on
    from opportunity_items
    semi join opportunities on opportunity_items.opportunityid = opportunities.id
),

-- What CPQ says of the line, else of its product.
charged as (
    select
        items.* exclude (charge_type, billing_frequency),
        lower(coalesce(items.charge_type, products.sbqq__chargetype__c)) as charge_type,
        lower(coalesce(items.billing_frequency, products.sbqq__billingfrequency__c)) as billing_frequency
    from items
    left join products on items.product_id = products.id
)

select
    id as order_line_id,
    order_id,
    cast(null as varchar) as opportunity_id,
    product_id,
    quantity,
    amount,
    cost,
    case charge_type when 'one-time' then 'one_time' when 'usage' then null else charge_type end as line_type,
    coalesce(
        cast(billing_months as varchar),
        case billing_frequency when 'monthly' then '1' when 'quarterly' then '3' when 'semiannual' then '6' when 'annual' then '12' end
    ) as billing_months,
    term_months,
    starts_on,
    ends_on
from charged
