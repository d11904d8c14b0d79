with

scorecard as (
    select * from {{ ref('learned_scorecard') }}
),

met as (
    select * from {{ ref('int_accounts__scorecard_conditions') }}
),

base as (
    select points from scorecard
    where attribute is null
),

scores as (
    select
        met.account_id,
        sum(scorecard.points) as points,
        max(scorecard.lowest) as lowest,
        min(scorecard.highest) as highest
    from met
    inner join scorecard on met.condition_id = scorecard.condition_id
    group by met.account_id
),

reasons as (
    select
        condition_id,
        {{ json_objects('reasons', ['reason', 'points']) }} as said
    from scorecard
),

-- Ranked once, not for every account: by points, ties by name.
ranked as (
    select
        condition_id,
        reasons.said.reason,
        row_number() over (
            order by abs(cast(reasons.said.points as double)) desc, reasons.said.reason asc, condition_id asc
        ) as reason_rank
    from reasons
),

of_accounts as (
    select
        met.account_id,
        ranked.reason,
        row_number() over (partition by met.account_id order by ranked.reason_rank) as reason_number
    from met
    inner join ranked on met.condition_id = ranked.condition_id
),

told as (
    select
        account_id,
        max(case when reason_number = 1 then reason end) as reason_1,
        max(case when reason_number = 2 then reason end) as reason_2,
        max(case when reason_number = 3 then reason end) as reason_3
    from of_accounts
    where reason_number <= 3
    group by account_id
)

select
    segments.account_id,
    told.reason_1,
    told.reason_2,
    told.reason_3,
    round(
        least(
            greatest(base.points + coalesce(scores.points, 0), coalesce(scores.lowest, 0)), coalesce(scores.highest, 100)
        ),
        1
    ) as fit_score
from {{ ref('int_accounts__segments') }} as segments
cross join base
left join scores on segments.account_id = scores.account_id
left join told on segments.account_id = told.account_id
