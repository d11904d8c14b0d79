with

as_of as (
    select * from {{ ref('int_as_of') }}
),

accounts as (
    select * from {{ ref('int_accounts__in_scope') }}
),

rates as (
    select * from {{ ref('int_exchange_rates__by_day') }}
),

closed_won as (
    select
        order_id,
        account_id,
        opportunity_id,
        replaces_order_id,
        currency_code,
        amount,
        starts_on,
        ends_on,
        term_months,
        terminated_on,
        closed_at
    from {{ ref('input_orders') }}
    where order_status = 'closed_won'
    union all
    -- Without orders, each won opportunity is one.
    select
        opportunity_id as order_id,
        account_id,
        opportunity_id,
        cast(null as string) as replaces_order_id,
        currency_code,
        amount,
        cast(null as date) as starts_on,
        cast(null as date) as ends_on,
        cast(null as bigint) as term_months,
        cast(null as date) as terminated_on,
        closed_at
    from {{ ref('input_opportunities') }}
    where
        is_closed and is_won
        and not exists (select 1 from {{ ref('input_orders__checked') }})
),

orders as (
    select
        orders.order_id,
        accounts.resolved_account_id as account_id,
        orders.opportunity_id,
        orders.replaces_order_id,
        coalesce(orders.currency_code, '{{ var("reporting_currency") }}') as currency_code,
        coalesce(rates.exchange_rate, 1) as exchange_rate,
        orders.amount,
        coalesce(
            {{ contract_months('coalesce(orders.starts_on, cast(orders.closed_at as date))', 'orders.ends_on') }},
            orders.term_months
        ) as term_months,
        orders.term_months as stated_term_months,
        coalesce(orders.starts_on, cast(orders.closed_at as date)) as starts_on,
        orders.starts_on as stated_starts_on,
        orders.ends_on,
        -- A termination that lies ahead has not happened.
        case when orders.terminated_on <= as_of.as_of then orders.terminated_on end as terminated_on,
        orders.closed_at
    from closed_won as orders
    cross join as_of
    inner join accounts on orders.account_id = accounts.account_id
    left join rates on {{ rate_applies('orders.currency_code', 'orders.closed_at') }}
    where orders.closed_at < as_of.ends_at
),

known_orders as (
    select orders.order_id
    from {{ ref('input_orders') }} as orders
    cross join as_of
    where orders.closed_at < as_of.ends_at or orders.order_status = 'open'
)

select
    orders.order_id,
    orders.account_id,
    orders.opportunity_id,
    replaced.order_id as replaces_order_id,
    orders.currency_code,
    -- What it replaces may have been sold before the data begins.
    (
        replaced.order_id is not null
        or (orders.replaces_order_id is not null and known_orders.order_id is null)
    ) as names_what_it_renews,
    orders.exchange_rate,
    orders.amount,
    orders.term_months,
    orders.stated_term_months,
    orders.starts_on,
    orders.stated_starts_on,
    orders.ends_on,
    orders.terminated_on,
    orders.closed_at
from orders
-- An order replaces an earlier one of its account. Two that name each other replace nothing.
left join orders as replaced
    on
        orders.replaces_order_id = replaced.order_id
        and orders.account_id = replaced.account_id
        and orders.order_id <> replaced.order_id
        and (
            replaced.closed_at < orders.closed_at
            or (replaced.closed_at = orders.closed_at and replaced.replaces_order_id is distinct from orders.order_id)
        )
left join known_orders on orders.replaces_order_id = known_orders.order_id
