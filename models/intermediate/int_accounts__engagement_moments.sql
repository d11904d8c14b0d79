-- Five moments, 90 days apart, the last of them now, and twelve quarter starts for the backtest. Of all but the last it is known whether
-- a first opportunity began in the 90 days after.
with

as_of as (
    select * from {{ ref('int_as_of') }}
),

dates as (
    {% for number in range(5) %}
    select {{ add_days('ends_at', -90 * number) }} as moment_at, 1 as recent, ends_at from as_of
    union all
    {% endfor %}
    {% for number in range(12) %}
    select cast(date_trunc('quarter', {{ add_months('ends_at', -3 - 3 * number) }}) as date) as moment_at, 0 as recent, ends_at from as_of
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

moments as (
    select
        moment_at,
        {{ add_days('moment_at', 90) }} as until_at,
        max(recent) = 1 as is_recent,
        ends_at
    from dates
    group by moment_at, ends_at
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

lifespans as (
    select
        lifespans.account_id,
        lifespans.exists_from,
        least(lifespans.customer_from, first_opportunities.began_at) as open_until,
        first_opportunities.began_at
    from {{ ref('int_accounts__lifespans') }} as lifespans
    left join first_opportunities on lifespans.account_id = first_opportunities.account_id
),

earliest as (
    select
        min(moment_at) as moment_at,
        min(case when is_recent then moment_at end) as recent_at
    from moments
),

-- Those that were open at one of the moments; a sample of those that were open lately, and one of the others.
accounts as (
    select
        lifespans.*,
        row_number() over (
            partition by coalesce(lifespans.open_until >= earliest.recent_at, true)
            order by md5(lifespans.account_id), lifespans.account_id
        ) as place
    from lifespans
    cross join earliest
    where coalesce(lifespans.open_until >= earliest.moment_at, true)
)

-- Whoever existed then, and had neither an opportunity nor an order yet.
select
    accounts.account_id,
    moments.moment_at,
    case when moments.moment_at < moments.ends_at then coalesce(accounts.began_at < moments.until_at, false) end as is_followed,
    accounts.place <= {{ var('learning_max_rows') }} / 4 as is_sampled,
    moments.is_recent
from accounts
cross join moments
where
    (moments.is_recent or accounts.place <= {{ var('learning_max_rows') }} / 20)
    and coalesce(accounts.exists_from < moments.moment_at, moments.moment_at = moments.ends_at)
    and coalesce(accounts.open_until >= moments.moment_at, true)
