with

moments as (
    select * from {{ ref('int_accounts__engagement_moments') }}
),

engagements as (
    select
        moments.account_id,
        moments.moment_at,
        engagements.contact_id,
        engagements.engagement_type,
        engagements.topic,
        engagements.occurred_at
    from {{ ref('int_engagements') }} as engagements
    inner join moments
        on
            engagements.account_id = moments.account_id
            and engagements.occurred_at < moments.moment_at
            and engagements.occurred_at >= {{ add_days('moments.moment_at', -90) }}
),

named as (
    select
        account_id,
        moment_at,
        concat('engagement_', engagement_type) as attribute
    from engagements
    union all
    select
        account_id,
        moment_at,
        concat('topic_', topic) as attribute
    from engagements
    where topic is not null
    union all
    select
        engagements.account_id,
        engagements.moment_at,
        concat('engaged_', roles.role_kind, '_', replace(roles.role, ' ', '_')) as attribute
    from engagements
    inner join {{ ref('int_contacts__roles') }} as roles on engagements.contact_id = roles.contact_id
    where roles.role is not null
)

select
    account_id,
    moment_at,
    attribute,
    cast(count(*) as double) as number
from named
group by account_id, moment_at, attribute
union all
select
    account_id,
    moment_at,
    'days_since_engagement' as attribute,
    cast({{ days_between('max(occurred_at)', 'moment_at') }} as double) as number
from engagements
group by account_id, moment_at
