with

as_of as (
    select * from {{ ref('int_as_of') }}
),

customers as (
    select * from {{ ref('int_customers') }}
),

-- In the first year, so that old and new customers compare.
first_year_expansions as (
    select
        customers.account_id,
        count(orders.order_id) as expansion_orders
    from customers
    cross join as_of
    left join {{ ref('int_orders__priced') }} as orders
        on
            customers.account_id = orders.account_id
            and orders.order_type = 'expansion'
            and orders.closed_at < {{ add_months('customers.first_order_at', 12) }}
    where {{ add_months('customers.first_order_at', 12) }} < as_of.ends_at
    group by customers.account_id
),

figures as (
    select
        account_id,
        'days_to_close' as dimension,
        'median' as value,
        first_days_to_close as amount,
        1 as observations
    from customers
    where first_days_to_close is not null
    union all
    select
        account_id,
        'first_year_expansion_orders' as dimension,
        'mean' as value,
        expansion_orders as amount,
        1 as observations
    from first_year_expansions
    union all
    select
        account_id,
        'renewals' as dimension,
        'rate' as value,
        renewals_made as amount,
        renewals_due as observations
    from customers
    where renewals_due > 0
)

select
    account_id,
    dimension,
    value,
    cast(amount as integer) as amount,
    cast(observations as integer) as observations
from figures
