with

contacts as (
    select
        contacts.contact_id,
        accounts.resolved_account_id as account_id
    from {{ ref('input_contacts') }} as contacts
    cross join {{ ref('int_as_of') }} as as_of
    inner join {{ ref('int_accounts__in_scope') }} as accounts on contacts.account_id = accounts.account_id
    where coalesce(contacts.created_at < as_of.ends_at, true)
),

roles as (
    select * from {{ ref('int_contacts__roles') }}
    where role is not null
),

accounts as (
    select * from {{ ref('dim_accounts') }}
),

-- More or less often than in all accounts, beyond the interval.
profiles as (
    select
        segment_id,
        dimension,
        value,
        case when share_low > overall_share then 1 when share_high < overall_share then -1 else 0 end as fit
    from {{ ref('icp_segment_profiles') }}
    where aspect = 'people'
),

-- The function says how well a title fits; the seniority where there is no function. Of several the best counts.
titles as (
    select
        contacts.contact_id,
        count(*) filter (where roles.role in ('executive', 'vice president', 'director')) > 0 as is_senior,
        count(*) filter (where roles.role = 'manager') > 0 as is_manager,
        count(*) filter (where roles.role = 'general management') > 0 as is_general,
        coalesce(
            max(coalesce(profiles.fit, 0)) filter (where roles.role_kind = 'function'),
            max(coalesce(profiles.fit, 0))
        ) as fit
    from contacts
    inner join roles on contacts.contact_id = roles.contact_id
    inner join accounts on contacts.account_id = accounts.account_id
    left join profiles
        on
            accounts.segment_id = profiles.segment_id
            and roles.role_kind = profiles.dimension
            and roles.role = profiles.value
    group by contacts.contact_id
)

select
    contacts.contact_id,
    accounts.account_id,
    accounts.account_name,
    accounts.tier as icp_tier,
    accounts.segment_id as icp_segment,
    case
        when accounts.fit_score = floor(accounts.fit_score) then cast(cast(accounts.fit_score as integer) as string)
        else cast(accounts.fit_score as string)
    end as icp_fit_score,
    disagreements.reason as icp_disagreement,
    case
        when titles.is_senior and (titles.fit >= 0 or titles.is_general) then 'decision_maker'
        when titles.is_senior or titles.is_manager then 'influencer'
        when titles.contact_id is not null then 'user'
    end as icp_role,
    case titles.fit when 1 then 'high' when 0 then 'usual' when -1 then 'low' end as icp_role_fit
from contacts
inner join accounts on contacts.account_id = accounts.account_id
left join titles on contacts.contact_id = titles.contact_id
left join {{ ref('icp_disagreements') }} as disagreements on accounts.account_id = disagreements.account_id
