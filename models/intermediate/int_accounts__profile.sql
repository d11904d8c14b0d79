with

as_of as (
    select * from {{ ref('int_as_of') }}
),

orders as (
    select * from {{ ref('int_orders__priced') }}
    where order_type <> 'credit'
),

customers as (
    select * from {{ ref('int_customers') }}
),

engagements as (
    select * from {{ ref('int_engagements') }}
),

role_kinds as (
    select 'function' as role_kind
    union all
    select 'seniority' as role_kind
),

purchase_kinds as (
    select 'multi_year' as kind
    union all
    select 'add_on' as kind
    union all
    select 'service' as kind
    union all
    select 'bundle' as kind
),

-- A contact whose title says nothing of a kind, or an order that is not of a kind, makes the dimension known, without a value.
held_values as (
    select
        roles.account_id,
        'people' as aspect,
        role_kinds.role_kind as dimension,
        case when roles.role_kind = role_kinds.role_kind then roles.role end as value
    from {{ ref('int_contacts__roles') }} as roles
    cross join role_kinds
    cross join as_of
    where coalesce(roles.created_at < as_of.ends_at, true)
    union all
    select
        account_id,
        'engagement' as aspect,
        'engagement_type' as dimension,
        engagement_type as value
    from engagements
    where engagement_type is not null
    union all
    select
        account_id,
        'engagement' as aspect,
        'topic' as dimension,
        topic as value
    from engagements
    where topic is not null
    union all
    select
        account_id,
        'source' as aspect,
        'lead_source' as dimension,
        lead_source as value
    from {{ ref('int_accounts__first_lead_sources') }}
    union all
    select
        account_id,
        'source' as aspect,
        'campaign_channel' as dimension,
        channel as value
    from {{ ref('int_campaign_members') }}
    where channel is not null
    union all
    select
        account_id,
        'purchase' as aspect,
        'term' as dimension,
        case
            when term_months is null then 'no term'
            when term_months < 12 then 'below 12 months'
            when term_months < 24 then '12 to 23 months'
            when term_months < 36 then '24 to 35 months'
            else '36 months or more'
        end as value
    from orders
    union all
    select
        orders.account_id,
        'purchase' as aspect,
        'ever_bought' as dimension,
        case
            when purchase_kinds.kind = 'multi_year' and orders.is_multi_year then 'multi_year'
            when purchase_kinds.kind = 'add_on' and orders.has_add_on then 'add_on'
            when purchase_kinds.kind = 'service' and orders.has_service then 'service'
            when purchase_kinds.kind = 'bundle' and orders.product_count > 1 then 'bundle'
        end as value
    from orders
    cross join purchase_kinds
),

-- In the first year, so that old and new customers compare.
first_year_expansions as (
    select
        customers.account_id,
        count(orders.order_id) as expansion_orders
    from customers
    cross join as_of
    left join orders
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

select distinct
    account_id,
    aspect,
    dimension,
    value,
    cast(null as integer) as amount,
    cast(null as integer) as observations
from held_values
union all
select
    account_id,
    'development' as aspect,
    dimension,
    value,
    cast(amount as integer) as amount,
    cast(observations as integer) as observations
from figures
