with

as_of as (
    select * from {{ ref('int_as_of') }}
),

orders as (
    select * from {{ ref('int_orders__priced') }}
),

customers as (
    select * from {{ ref('int_customers') }}
),

opportunities as (
    select * from {{ ref('int_opportunities') }}
),

engagements as (
    select * from {{ ref('int_engagements') }}
),

roles as (
    select roles.*
    from {{ ref('int_contacts__roles') }} as roles
    cross join as_of
    where coalesce(roles.created_at < as_of.ends_at, true)
),

lead_sources as (
    select
        resolved.resolved_account_id as account_id,
        contacts.lead_source,
        contacts.created_at,
        1 as preference,
        contacts.contact_id as record_id
    from {{ ref('input_contacts') }} as contacts
    cross join as_of
    inner join {{ ref('int_accounts__in_scope') }} as resolved on contacts.account_id = resolved.account_id
    where
        contacts.lead_source is not null
        and coalesce(contacts.created_at < as_of.ends_at, true)
    union all
    select
        account_id,
        lead_source,
        created_at,
        2 as preference,
        opportunity_id as record_id
    from opportunities
    where lead_source is not null
),

-- An account comes from where the first of its contacts, or opportunities, came from.
first_lead_sources as (
    select
        account_id,
        lead_source,
        row_number() over (
            partition by account_id
            order by created_at asc nulls last, preference asc, record_id asc
        ) as source_number
    from lead_sources
),

terms as (
    select
        account_id,
        case
            when term_months is null then 'no term'
            when term_months < 12 then 'below 12 months'
            when term_months < 24 then '12 to 23 months'
            when term_months < 36 then '24 to 35 months'
            else '36 months or more'
        end as term
    from orders
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

held as (
    {% for role_kind in ['function', 'seniority'] -%}
    select
        account_id,
        'people' as aspect,
        '{{ role_kind }}' as dimension,
        case when role_kind = '{{ role_kind }}' then role end as value
    from roles
    union all
    {% endfor -%}
    {% for dimension in ['engagement_type', 'topic'] -%}
    select
        account_id,
        'engagement' as aspect,
        '{{ dimension }}' as dimension,
        {{ dimension }} as value
    from engagements
    where {{ dimension }} is not null
    union all
    {% endfor -%}
    select
        account_id,
        'source' as aspect,
        'lead_source' as dimension,
        lead_source as value
    from first_lead_sources
    where source_number = 1
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
        term as value
    from terms
    {% for kind, condition in [
        ('multi_year', 'is_multi_year'), ('add_on', 'has_add_on'), ('service', 'has_service'), ('bundle', 'product_count > 1')
    ] -%}
    union all
    select
        account_id,
        'purchase' as aspect,
        'ever_bought' as dimension,
        case when {{ condition }} then '{{ kind }}' end as value
    from orders
    {% endfor %}
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
from held
union all
select
    account_id,
    'development' as aspect,
    dimension,
    value,
    cast(amount as integer) as amount,
    cast(observations as integer) as observations
from figures
