with

as_of as (
    select * from {{ ref('int_as_of') }}
),

scorecard as (
    select
        attribute,
        operator,
        points,
        {{ band_bound(0, '-infinity') }} as at_least,
        {{ band_bound(1, 'infinity') }} as below
    from {{ ref('learned_engagement_scorecard') }}
),

accounts as (
    select moments.account_id
    from {{ ref('int_accounts__engagement_moments') }} as moments
    inner join as_of on moments.moment_at = as_of.ends_at
),

signals as (
    select
        signals.account_id,
        signals.attribute,
        signals.number
    from {{ ref('int_accounts__engagement_signals') }} as signals
    inner join as_of on signals.moment_at = as_of.ends_at
),

-- What an account without any engagement scores, and what each signal adds to that.
quiet as (
    select sum(points) as points from scorecard
    where attribute is null or operator = 'is_missing'
),

not_missing as (
    select
        attribute,
        points
    from scorecard
    where operator = 'is_missing'
),

added as (
    select
        signals.account_id,
        sum(coalesce(bands.points, 0) - coalesce(not_missing.points, 0)) as points
    from signals
    left join scorecard as bands
        on
            signals.attribute = bands.attribute
            and signals.number >= bands.at_least
            and signals.number < bands.below
    left join not_missing on signals.attribute = not_missing.attribute
    group by signals.account_id
)

select
    accounts.account_id,
    round(least(greatest(quiet.points + coalesce(added.points, 0), 0), 100), 1) as engagement_score
from accounts
cross join quiet
left join added on accounts.account_id = added.account_id
