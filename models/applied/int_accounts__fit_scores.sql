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

said as (
    select
        condition_id,
        attribute = 'segment' as is_of_segment,
        {{ json_objects('reasons', ['attribute', 'reason', 'points']) }} as part
    from scorecard
),

reasons as (
    select
        said.condition_id,
        said.is_of_segment,
        said.part.attribute,
        said.part.reason,
        cast(said.part.points as double) as points
    from said
),

-- A trait is named once, by its level where that has points.
parts as (
    select
        met.account_id,
        reasons.attribute,
        min_by(reasons.reason, reasons.is_of_segment) as reason,
        round(sum(reasons.points), 1) as points
    from met
    inner join reasons on met.condition_id = reasons.condition_id
    group by met.account_id, reasons.attribute
),

-- By points, ties by name.
ranked as (
    select
        account_id,
        reason || ' (' || printf('%+d', cast(round(points) as integer)) || ')' as reason,
        row_number() over (partition by account_id order by abs(points) desc, reason asc) as reason_number
    from parts
    where abs(points) >= 0.5
),

leading_reasons as (
    select
        account_id,
        max(case when reason_number = 1 then reason end) as reason_1,
        max(case when reason_number = 2 then reason end) as reason_2,
        max(case when reason_number = 3 then reason end) as reason_3
    from ranked
    where reason_number <= 3
    group by account_id
)

select
    segments.account_id,
    leading_reasons.reason_1,
    leading_reasons.reason_2,
    leading_reasons.reason_3,
    round(
        least(
            greatest(base.points + coalesce(scores.points, 0), coalesce(scores.lowest, 0)), coalesce(scores.highest, 100)
        ),
        1
    ) as fit_score
from {{ ref('int_accounts__segments') }} as segments
cross join base
left join scores on segments.account_id = scores.account_id
left join leading_reasons on segments.account_id = leading_reasons.account_id
