with

as_of as (
    select * from {{ ref('int_as_of') }}
),

orders as (
    select * from {{ ref('int_orders__priced') }}
    where order_type <> 'credit'
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
    amount,
    observations
from {{ ref('int_accounts__development') }}
