with

orders as (
    select * from {{ ref('int_orders') }}
),

lines as (
    select * from {{ ref('int_order_lines') }}
),

contracts as (
    select * from {{ ref('int_contracts') }}
),

bundles as (
    select * from {{ ref('int_orders__bundles') }}
),

-- What is unknown stays unknown. Margin needs a cost, and that of every positive line.
amounts as (
    select
        order_id,
        count(*) = count(amount) and count(*) filter (where amount > 0) = 0 as is_credit,
        count(*) as line_count,
        sum(amount) as net_amount,
        sum(case when amount is not null then greatest(amount, 0) end) as total_contract_value,
        case
            when count(*) filter (where amount > 0 and cost is null) = 0 and count(cost) > 0 then sum(amount) - sum(cost)
        end as margin_amount
    from lines
    group by order_id
),

contract_spans as (
    select
        order_id,
        min(starts_on) as starts_on,
        max(contracted_ends_on) as ends_on
    from contracts
    group by order_id
),

recurring as (
    select
        contracts.order_id,
        sum(contracts.mrr) as monthly_recurring_revenue
    from contracts
    inner join contract_spans on contracts.order_id = contract_spans.order_id
    inner join orders on contracts.order_id = orders.order_id
    where
        greatest(coalesce(orders.stated_starts_on, contract_spans.starts_on), contract_spans.starts_on)
        between contracts.starts_on and coalesce(contracts.contracted_ends_on, cast('9999-12-31' as date))
    group by contracts.order_id
),

-- An order renews if one of its lines does, or if it names the order that it replaces.
renewing as (
    select order_id
    from contracts
    where renews_order_line_id is not null
    union
    select order_id
    from orders
    where names_what_it_renews
),

joined as (
    select
        orders.*,
        amounts.is_credit,
        renewing.order_id is not null as is_renewing,
        case
            when not amounts.is_credit
                then row_number() over (
                    partition by orders.account_id, amounts.is_credit
                    order by orders.closed_at, orders.order_id
                )
        end as order_number,
        coalesce(orders.term_months, {{ contract_months('contract_spans.starts_on', 'contract_spans.ends_on') }}) as final_term_months,
        bundles.product_bundle,
        coalesce(bundles.product_count, 0) as product_count,
        coalesce(bundles.has_add_on, false) as has_add_on,
        coalesce(bundles.has_service, false) as has_service,
        amounts.line_count,
        amounts.net_amount,
        amounts.total_contract_value,
        amounts.margin_amount,
        case
            when amounts.net_amount is not null then coalesce(recurring.monthly_recurring_revenue, 0)
        end as monthly_recurring_revenue,
        {{ first_of_month('orders.closed_at') }} as closed_month
    from orders
    inner join amounts on orders.order_id = amounts.order_id
    left join bundles on orders.order_id = bundles.order_id
    left join contract_spans on orders.order_id = contract_spans.order_id
    left join recurring on orders.order_id = recurring.order_id
    left join renewing on orders.order_id = renewing.order_id
)

select
    order_id,
    account_id,
    opportunity_id,
    case
        when is_credit then 'credit'
        when is_renewing then 'renewal'
        when order_number = 1 then 'new_business'
        else 'expansion'
    end as order_type,
    product_bundle,
    currency_code,
    coalesce(final_term_months >= 24, false) as is_multi_year,
    has_add_on,
    has_service,
    cast(order_number as integer) as order_number,
    cast(line_count as integer) as line_count,
    cast(product_count as integer) as product_count,
    cast(final_term_months as integer) as term_months,
    cast(total_contract_value as decimal(18, 4)) as total_contract_value,
    cast(12 * monthly_recurring_revenue as decimal(18, 4)) as annual_contract_value,
    cast(monthly_recurring_revenue as decimal(18, 4)) as monthly_recurring_revenue,
    cast(net_amount as decimal(18, 4)) as net_amount,
    cast(margin_amount as decimal(18, 4)) as margin_amount,
    closed_at,
    {{ first_of_week('closed_at') }} as closed_week,
    closed_month,
    {{ fiscal_year('closed_at') }} as fiscal_year,
    {{ fiscal_quarter('closed_at') }} as fiscal_quarter
from joined
