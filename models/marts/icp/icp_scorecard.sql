with

scorecard as (
    select * from {{ ref('learned_scorecard') }}
),

accounts as (
    select * from {{ ref('dim_accounts') }}
),

met as (
    select
        conditions.condition_id,
        count(*) as account_count
    from {{ ref('int_accounts__scorecard_conditions') }} as conditions
    inner join accounts on conditions.account_id = accounts.account_id
    group by conditions.condition_id
),

everyone as (
    select count(*) as account_count from accounts
)

select
    scorecard.condition_id,
    scorecard.definition,
    scorecard.attribute,
    scorecard.operator,
    scorecard.value,
    scorecard.points,
    scorecard.lowest,
    scorecard.highest,
    cast(
        case when scorecard.attribute is null then everyone.account_count else coalesce(met.account_count, 0) end as integer
    ) as account_count,
    cast(scorecard.n as integer) as pursuit_count,
    cast(scorecard.wins as integer) as won_pursuit_count,
    {{ if_deals_are_lost('scorecard.win_rate') }} as win_rate,
    {{ if_deals_are_lost('scorecard.win_rate_low') }} as win_rate_low,
    {{ if_deals_are_lost('scorecard.win_rate_high') }} as win_rate_high
from scorecard
cross join everyone
left join met on scorecard.condition_id = met.condition_id
