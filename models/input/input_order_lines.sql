with

sales as (
    select order_id as sale_id from {{ ref('input_orders') }}
    union all
    -- Without orders, each won opportunity is one.
    select opportunity_id as sale_id
    from {{ ref('input_opportunities') }}
    where not exists (select 1 from {{ ref('input_orders__checked') }})
)

select
    -- ids
    order_line_id,
    sale_id as order_id,
    opportunity_id,
    product_id,
    -- text
    line_type,
    -- numbers
    quantity,
    amount,
    cost,
    billing_months,
    term_months,
    -- times
    starts_on,
    ends_on
from {{ ref('input_order_lines__checked') }}
where
    reject_rule is null
    and sale_id in (select sale_id from sales)
