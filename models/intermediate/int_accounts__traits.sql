with

as_of as (
    select * from {{ ref('int_as_of') }}
),

resolved as (
    select * from {{ ref('int_accounts__resolved') }}
    where not is_excluded
),

-- A trait is what was known when the pursuit began; of a prospect, what is known now.
accounts as (
    select
        accounts.*,
        coalesce(pursuits.began_at, as_of.ends_at) as known_at
    from {{ ref('input_accounts') }} as accounts
    cross join as_of
    inner join resolved
        on
            accounts.account_id = resolved.account_id
            and accounts.account_id = resolved.resolved_account_id
    left join {{ ref('int_pursuits') }} as pursuits on accounts.account_id = pursuits.account_id
),

contacts as (
    select
        contacts.contact_id,
        accounts.account_id,
        contacts.lead_source,
        contacts.created_at
    from {{ ref('input_contacts') }} as contacts
    inner join resolved on contacts.account_id = resolved.account_id
    inner join accounts on resolved.resolved_account_id = accounts.account_id
    where coalesce(contacts.created_at <= accounts.known_at, true)
),

first_lead_sources as (
    select
        account_id,
        lead_source,
        row_number() over (partition by account_id order by created_at nulls last, contact_id) as contact_number
    from contacts
    where lead_source is not null
),

contact_roles as (
    select distinct
        roles.account_id,
        concat('contact_', roles.role_kind, '_', replace(roles.role, ' ', '_')) as attribute
    from {{ ref('int_contacts__roles') }} as roles
    inner join accounts on roles.account_id = accounts.account_id
    where
        roles.role is not null
        and coalesce(roles.created_at <= accounts.known_at, true)
),

recent_engagements as (
    select
        engagements.account_id,
        engagements.engagement_type,
        engagements.topic
    from {{ ref('int_engagements') }} as engagements
    inner join accounts on engagements.account_id = accounts.account_id
    where
        engagements.occurred_at < accounts.known_at
        and engagements.occurred_at >= {{ add_days('accounts.known_at', -90) }}
),

-- Of several values of one attribute, the latest that was known by then.
attributes as (
    select
        accounts.account_id,
        lower(attributes.attribute) as attribute,
        attributes.value,
        row_number() over (
            partition by accounts.account_id, lower(attributes.attribute)
            order by attributes.known_from desc nulls last, attributes.value asc
        ) as recency
    from {{ ref('input_account_attributes') }} as attributes
    inner join resolved on attributes.account_id = resolved.account_id
    inner join accounts on resolved.resolved_account_id = accounts.account_id
    left join {{ ref('excluded_attributes') }} as excluded on lower(attributes.attribute) like excluded.pattern escape '\'
    where
        coalesce(attributes.known_from <= accounts.known_at, true)
        and excluded.pattern is null
),

-- A year or a count arrives as text: an attribute with nothing but numbers is one.
number_attributes as (
    select attribute
    from attributes
    where recency = 1
    group by attribute
    having count(*) = count(try_cast(value as decimal(28, 6)))
),

bands as (
    select
        trait,
        band,
        at_least,
        lead(at_least) over (partition by trait order by at_least) as below
    from {{ ref('size_bands') }}
),

traits as (
    {% for attribute in ['industry', 'country', 'region'] -%}
    select
        account_id,
        '{{ attribute }}' as attribute,
        {{ attribute }} as value,
        cast(null as double) as number
    from accounts
    where {{ attribute }} is not null
    union all
    {% endfor -%}
    {% for attribute, band in [('employee_count', 'size_band'), ('annual_revenue', 'revenue_band')] -%}
    select
        account_id,
        '{{ attribute }}' as attribute,
        cast(null as varchar) as value,
        cast({{ attribute }} as double) as number
    from accounts
    where {{ attribute }} is not null
    union all
    select
        accounts.account_id,
        bands.trait as attribute,
        bands.band as value,
        cast(null as double) as number
    from accounts
    inner join bands
        on
            bands.trait = '{{ band }}'
            and accounts.{{ attribute }} >= bands.at_least
            and (bands.below is null or accounts.{{ attribute }} < bands.below)
    union all
    {% endfor -%}
    select
        account_id,
        'lead_source' as attribute,
        lead_source as value,
        cast(null as double) as number
    from first_lead_sources
    where contact_number = 1
    union all
    select
        account_id,
        attribute,
        'yes' as value,
        cast(null as double) as number
    from contact_roles
    union all
    select
        account_id,
        concat('engagement_', engagement_type) as attribute,
        cast(null as varchar) as value,
        count(*) as number
    from recent_engagements
    group by account_id, engagement_type
    union all
    select
        account_id,
        concat('topic_', topic) as attribute,
        cast(null as varchar) as value,
        count(*) as number
    from recent_engagements
    where topic is not null
    group by account_id, topic
    union all
    -- A further attribute that is named like a trait from elsewhere is kept apart from it.
    select
        attributes.account_id,
        case
            when
                attributes.attribute in ('industry', 'country', 'region', 'lead_source')
                or attributes.attribute in ('employee_count', 'annual_revenue', 'size_band', 'revenue_band')
                or attributes.attribute like 'contact\_%' escape '\'
                or attributes.attribute like 'engagement\_%' escape '\'
                or attributes.attribute like 'topic\_%' escape '\'
                then concat('further_', attributes.attribute)
            else attributes.attribute
        end as attribute,
        case when number_attributes.attribute is null then attributes.value end as value,
        case when number_attributes.attribute is not null then cast(attributes.value as double) end as number
    from attributes
    left join number_attributes on attributes.attribute = number_attributes.attribute
    where attributes.recency = 1
)

select
    account_id,
    attribute,
    value,
    number
from traits
