with

orders as (
    select * from {{ source('salesforce', 'order') }}
    where not is_deleted and {{ salesforce_has_orders() }}
),

contracts as (
    select * from {{ source('salesforce', 'contract') }}
    where not is_deleted
),

-- Where there are no Orders, each won opportunity is one.
opportunities as (
    select * from {{ source('salesforce', 'opportunity') }}
    where not is_deleted and iswon and not {{ salesforce_has_orders() }}
)

select
    orders.id as order_id,
    orders.accountid as account_id,
    orders.opportunityid as opportunity_id,
    case lower(coalesce(orders.statuscode, orders.status))
        when 'draft' then 'open'
        when 'activated' then 'closed_won'
        when 'expired' then 'closed_won'
        when 'canceled' then 'cancelled'
        else coalesce(orders.statuscode, orders.status)
    end as order_status,
    coalesce(orders.activateddate, orders.effectivedate) as closed_at,
    orders.currencyisocode as currency_code,
    {{ taken_back('orders.totalamount') }} as amount,
    {{ own_field('salesforce', 'orders.starts_on', 'orders.effectivedate', 'orders') }} as starts_on,
    {% set ends_on -%}
        coalesce(
            orders.enddate,
            contracts.enddate,
            {{ add_days(add_months('orders.effectivedate', 'cast(contracts.contractterm as integer)'), -1) }}
        )
    {%- endset -%}
    {{ own_field('salesforce', 'orders.ends_on', ends_on, 'orders') }} as ends_on,
    {{ own_field('salesforce', 'orders.term_months', relation='orders') }} as term_months,
    {{ own_field('salesforce', 'orders.terminated_on', relation='orders') }} as terminated_on,
    {{ own_field('salesforce', 'orders.replaces_order_id', relation='orders') }} as replaces_order_id
from orders
left join contracts on orders.contractid = contracts.id
union all
select
    id as order_id,
    accountid as account_id,
    id as opportunity_id,
    'closed_won' as order_status,
    closedate as closed_at,
    currencyisocode as currency_code,
    {{ own_field('salesforce', 'opportunities.amount', 'amount') }} as amount,
    {{ own_field('salesforce', 'orders.starts_on') }} as starts_on,
    {{ own_field('salesforce', 'orders.ends_on') }} as ends_on,
    {{ own_field('salesforce', 'orders.term_months') }} as term_months,
    {{ own_field('salesforce', 'orders.terminated_on') }} as terminated_on,
    {{ own_field('salesforce', 'orders.replaces_order_id') }} as replaces_order_id
from opportunities
