-- Five moments, 90 days apart, the last of them now: of the others it is known whether a first opportunity began in the 90 days after.
with

as_of as (
    select * from {{ ref('int_as_of') }}
),

moments as (
    {% for number in range(5) %}
    select {{ add_days('ends_at', -90 * number) }} as moment_at, {{ add_days('ends_at', 90 - 90 * number) }} as until_at, ends_at from as_of
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Without a date nobody knows when it began.
first_opportunities as (
    select
        account_id,
        case when count(created_at) = count(*) then min(created_at) else cast('1900-01-01' as timestamp) end as began_at
    from {{ ref('int_opportunities') }}
    where coalesce(opportunity_type, 'new_business') = 'new_business'
    group by account_id
),

accounts as (
    select
        lifespans.account_id,
        lifespans.exists_from,
        least(lifespans.customer_from, first_opportunities.began_at) as open_until,
        first_opportunities.began_at,
        row_number() over (order by md5(lifespans.account_id), lifespans.account_id) <= {{ var('learning_max_rows') }} / 4 as is_sampled
    from {{ ref('int_accounts__lifespans') }} as lifespans
    left join first_opportunities on lifespans.account_id = first_opportunities.account_id
    -- Others were never open at one of the moments.
    where coalesce(least(lifespans.customer_from, first_opportunities.began_at) >= (select min(moment_at) from moments), true)
)

-- Whoever existed then, and had neither an opportunity nor an order yet.
select
    accounts.account_id,
    moments.moment_at,
    case when moments.moment_at < moments.ends_at then coalesce(accounts.began_at < moments.until_at, false) end as is_followed,
    accounts.is_sampled
from accounts
cross join moments
where
    coalesce(accounts.exists_from < moments.moment_at, moments.moment_at = moments.ends_at)
    and coalesce(accounts.open_until >= moments.moment_at, true)
